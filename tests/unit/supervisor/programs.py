"""A small program that keeps the service protocol, and a control plane that notes what is reported."""

import asyncio
import sys
from collections.abc import Callable, Collection, Mapping

import grpc

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.admin.v1.admin_service_pb2_grpc import AdminServiceStub
from protomesh.model import Command, Origin, Service

# Serves grpc.health.v1 where it is told. FAIL_WHEN names a file: while it exists the program ends before it serves.
PROGRAM = """
import asyncio, os, pathlib, signal, sys
import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

async def main():
    print("started as", os.environ["PROTOMESH_SERVICE"], flush=True)
    if pathlib.Path(os.environ.get("FAIL_WHEN", "/nowhere")).exists():
        print("no database", file=sys.stderr, flush=True)
        sys.exit(3)
    server = grpc.aio.server()
    servicer = health.aio.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    await servicer.set("", health_pb2.HealthCheckResponse.SERVING)
    server.add_insecure_port(os.environ["PROTOMESH_LISTEN"])
    await server.start()
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await stop.wait()
    await server.stop(5)
    print("drained", flush=True)

asyncio.run(main())
"""


def environment(
    service: str,
    listen: str,
    egress: str,
    data: str,
    *,
    log: str,
    deadlines: bool = True,
    subscribes: Collection[str] = (),
    subscribers: Mapping[str, Collection[str]] | None = None,
    publishers: Mapping[str, Collection[str]] | None = None,
    events_url: str = "",
    events_prefix: str = "",
    tls_identity: str = "",
    tls_authorities: str = "",
) -> dict[str, str]:
    """What `protomesh.runtime.launch.environment` tells, as far as PROGRAM needs it."""
    del subscribes, subscribers, publishers, events_url, events_prefix, tls_identity, tls_authorities
    return {
        "PROTOMESH_SERVICE": service,
        "PROTOMESH_LISTEN": listen,
        "PROTOMESH_EGRESS": egress,
        "PROTOMESH_DATA": data,
        "PROTOMESH_LOG": log,
        "PROTOMESH_DEADLINES": "on" if deadlines else "off",
    }


class Control(AdminServiceStub):
    """Notes every report; answers as a control plane whose Envoy acknowledges at once, or as one that has none."""

    def __init__(self) -> None:
        self.reports: list[tuple[str, list[str]]] = []
        self.acknowledges = True

    async def ReportEndpoints(  # type: ignore[override] # the stub's attribute is a callable object
        self,
        request: admin.ReportEndpointsRequest,
        timeout: float | None = None,  # noqa: ARG002 - the deadline is the stub's
    ) -> admin.ReportEndpointsResponse:
        self.reports.append((request.service, [endpoint.address for endpoint in request.endpoints]))
        if not self.acknowledges:
            raise grpc.aio.AioRpcError(
                grpc.StatusCode.DEADLINE_EXCEEDED, grpc.aio.Metadata(), grpc.aio.Metadata(), "no Envoy"
            )
        return admin.ReportEndpointsResponse()

    def last(self, service: str) -> list[str]:
        """The addresses that were reported last."""
        return next(addresses for name, addresses in reversed(self.reports) if name == service)


def service(name: str, workers: int = 1, **env: str) -> Service:
    """A service that runs PROGRAM."""
    return Service(
        name=name,
        runs=Command(argv=(sys.executable, "program.py")),
        serves=(),
        workers=workers,
        env=env,
        origin=Origin(file="mesh.yaml"),
    )


async def eventually(condition: Callable[[], bool], limit: float = 20) -> None:
    """Waits until `condition` holds.

    Raises:
        TimeoutError: it did not within `limit` seconds.
    """
    async with asyncio.timeout(limit):
        while not condition():
            await asyncio.sleep(0.01)
