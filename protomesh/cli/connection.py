"""The admin API of a running mesh, from outside."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NoReturn

import grpc

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.admin.v1.admin_service_pb2_grpc import AdminServiceStub
from protomesh.cli.exits import ExitCode, Failure
from protomesh.cli.project import Project
from protomesh.control.channel import unix_channel
from protomesh.model import Layout

__all__ = ["connect", "failure_of", "get_status", "not_running", "wait_ended"]

_UNREACHABLE = 0.5  # seconds; the socket is there or it is not


@asynccontextmanager
async def connect(project: Project) -> AsyncIterator[AdminServiceStub]:
    """The admin API of the project's mesh.

    Raises:
        Failure: it does not run, or what was asked in the block failed.
    """
    async with unix_channel(project.layout.admin_socket) as channel:
        stub: AdminServiceStub = AdminServiceStub(channel)
        try:
            yield stub
        except grpc.aio.AioRpcError as error:
            failure_of(error, project)


async def get_status(layout: Layout) -> admin.Status | None:
    """What the mesh is doing, or None where none runs."""
    async with unix_channel(layout.admin_socket) as channel:
        get: Callable[..., grpc.aio.UnaryUnaryCall[admin.GetStatusRequest, admin.GetStatusResponse]]
        get = AdminServiceStub(channel).GetStatus
        try:
            return (await get(admin.GetStatusRequest(), timeout=5)).status
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                return None
            raise


async def wait_ended(layout: Layout) -> bool:
    """Returns when the mesh that runs now has ended, however it did. Returns False at once if none runs."""
    if not Path(layout.admin_socket).exists():  # noqa: ASYNC240 - of a tmpfs
        return False
    ran = False
    async with unix_channel(layout.admin_socket) as channel:
        with contextlib.suppress(grpc.aio.AioRpcError):
            async for _ in AdminServiceStub(channel).WatchStatus(admin.WatchStatusRequest()):
                ran = True
    return ran


def not_running(project: Project) -> Failure:
    """There is no mesh to speak with."""
    return Failure(f"no mesh runs for {project.root}. Start it with `protomesh up`.", ExitCode.NOT_RUNNING)


def failure_of(error: grpc.aio.AioRpcError, project: Project) -> NoReturn:
    """Raises what an answer of the admin API means for the command."""
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        raise not_running(project) from error
    invalid = error.code() in {grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND}
    raise Failure(error.details() or error.code().name, ExitCode.INVALID if invalid else ExitCode.FAILED) from error
