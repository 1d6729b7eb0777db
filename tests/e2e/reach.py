"""The ways into a running mesh, for a test that speaks its protocols itself."""

import json
import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import grpc
import httpx

from protomesh.model import Layout
from tests.e2e.mesh import Mesh, eventually


def layout(mesh: Mesh) -> Layout:
    """Where the mesh has its sockets and logs. It must be up: the run directory's name is its own business."""
    (run,) = (mesh.run / "protomesh").iterdir()
    return Layout(run=PurePosixPath(run), state=PurePosixPath(mesh.root / ".protomesh"))


def edge(mesh: Mesh, *options: tuple[str, Any]) -> grpc.aio.Channel:
    """As callers from outside come in."""
    return grpc.aio.insecure_channel(mesh.gateway, options=options)


def operator(mesh: Mesh) -> grpc.aio.Channel:
    """As the operator comes in: every method."""
    return _unix(layout(mesh).operator_socket)


def egress(mesh: Mesh, service: str) -> grpc.aio.Channel:
    """As one of the services calls the others."""
    return _unix(layout(mesh).egress_socket(service))


@asynccontextmanager
async def http(mesh: Mesh, *, http2: bool = False, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the edge that speaks one version of HTTP; `headers` go with every request."""
    url = f"http://{mesh.gateway}"
    async with httpx.AsyncClient(base_url=url, http1=not http2, http2=http2, headers=headers, timeout=20) as client:
        yield client


def access_lines(mesh: Mesh, request_id: str) -> list[Mapping[str, Any]]:
    """What Envoy has logged so far of a request and of the calls that followed from it."""
    lines = Path(layout(mesh).logs, "access.log").read_text().splitlines(keepends=True)
    entries = [json.loads(line) for line in lines if line.endswith("\n") and request_id in line]
    return [entry for entry in entries if entry["request_id"] == request_id]


def access_log(mesh: Mesh, request_id: str) -> Mapping[str, Any]:
    """The edge's line of a request; waits for it, as Envoy writes what it has every now and then."""

    def of_the_edge() -> list[Mapping[str, Any]]:
        return [line for line in access_lines(mesh, request_id) if line["listener"] == "edge"]

    eventually(lambda: bool(of_the_edge()), f"the access log has {request_id}")
    (line,) = of_the_edge()
    return line


def service_log(mesh: Mesh, service: str) -> list[Mapping[str, Any]]:
    """What a service has logged so far."""
    lines = Path(layout(mesh).logs, f"{service}.log").read_text().splitlines(keepends=True)
    return [json.loads(line) for line in lines if line.endswith("\n") and line.startswith("{")]


def execute(mesh: Mesh, service: str, statement: str) -> None:
    """Changes a service's database from outside, as a person with a tool of their own may."""
    path = Path(layout(mesh).data(service), "database.sqlite3")
    connection = sqlite3.connect(path, timeout=10)
    try:
        with connection:
            connection.execute(statement)
    finally:
        connection.close()


def _unix(path: str) -> grpc.aio.Channel:
    return grpc.aio.insecure_channel(f"unix:{path}", options=[("grpc.default_authority", "test")])
