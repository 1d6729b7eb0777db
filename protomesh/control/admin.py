"""protomesh.admin.v1: how the command and the node agents speak with this process."""

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Sequence
from contextlib import aclosing
from typing import Any, NoReturn, Protocol

import grpc

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.admin.v1.admin_service_pb2_grpc import AdminServiceServicer
from protomesh.control.ports import PortTaken
from protomesh.diagnostics import InvalidProject
from protomesh.model import Endpoint, parse_address
from protomesh.proxy import ProxyError
from protomesh.supervisor import (
    Agent,
    AlreadyAttached,
    RunDirectoryRefused,
    ServicesFailed,
    UnknownService,
    WorkerFailed,
)

__all__ = ["AdminServicer", "RunningMesh"]

_Context = grpc.aio.ServicerContext[Any, Any]
_LAST = (admin.Status.PHASE_FAILED,)
_log = logging.getLogger(__name__)


class RunningMesh(Protocol):
    """What the admin API tells of and changes: the background process."""

    @property
    def agent(self) -> Agent | None:
        """The node agent, once there is one."""

    def status(self) -> admin.Status:
        """What the mesh is doing now."""

    def wait_changed(self) -> Coroutine[Any, Any, object]:
        """Returns when the status may read differently than when this was called."""

    async def set_endpoints(self, service: str, endpoints: Sequence[Endpoint]) -> None:
        """Replaces a service's endpoints.

        Raises:
            KeyError: there is no such service.
            TimeoutError: Envoy did not acknowledge in time.
        """

    async def suspend(self, service: str) -> None:
        """Takes the deadline's safety net and ejection off a service."""

    async def resume(self, service: str) -> None:
        """Puts them on again."""

    async def reload(self) -> list[str]:
        """Reads the project again and applies it; returns what changed.

        Raises:
            InvalidProject: with the problems; nothing changed.
            PortTaken, ProxyError, RunDirectoryRefused: likewise.
            ServicesFailed: it is applied, and some workers did not come to serve.
        """

    def shut_down(self) -> None:
        """Begins to stop."""


class AdminServicer(AdminServiceServicer):
    """Answers for one `RunningMesh`."""

    def __init__(self, mesh: RunningMesh) -> None:
        self._mesh = mesh
        self._closing = asyncio.Event()

    def close(self) -> None:
        """Ends the streams of those who watch, after a last status."""
        self._closing.set()

    async def GetStatus(self, request: admin.GetStatusRequest, context: _Context) -> admin.GetStatusResponse:
        """Tells what runs."""
        return admin.GetStatusResponse(status=self._mesh.status())

    async def WatchStatus(
        self, request: admin.WatchStatusRequest, context: _Context
    ) -> AsyncIterator[admin.WatchStatusResponse]:
        """Sends the status now and after each change, until the mesh has ended or failed."""
        async with aclosing(self._statuses()) as statuses:
            async for status in statuses:
                yield admin.WatchStatusResponse(status=status)

    async def ReportEndpoints(
        self, request: admin.ReportEndpointsRequest, context: _Context
    ) -> admin.ReportEndpointsResponse:
        """Gives Envoy a service's endpoints and waits for its acknowledgement."""
        try:
            endpoints = [Endpoint(address=parse_address(e.address), weight=e.weight or 1) for e in request.endpoints]
        except ValueError as error:
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, str(error))
        try:
            await self._mesh.set_endpoints(request.service, endpoints)
        except KeyError:
            await _abort(context, grpc.StatusCode.NOT_FOUND, f"the mesh has no service {request.service}")
        except TimeoutError as error:
            await _abort(context, grpc.StatusCode.DEADLINE_EXCEEDED, str(error))
        return admin.ReportEndpointsResponse()

    async def RestartService(
        self, request: admin.RestartServiceRequest, context: _Context
    ) -> admin.RestartServiceResponse:
        """Replaces a service's workers."""
        agent = await self._agent(context)
        try:
            # Shielded: a rollout that was begun is finished, also if the terminal that asked for it is closed.
            await asyncio.shield(asyncio.ensure_future(agent.restart(request.service)))
        except UnknownService:
            await _abort(context, grpc.StatusCode.NOT_FOUND, f"the mesh runs no service {request.service}")
        except WorkerFailed as failure:
            text = "\n".join([f"{request.service} {failure.reason}; the old workers serve on", *failure.log])
            await _abort(context, grpc.StatusCode.FAILED_PRECONDITION, text)
        return admin.RestartServiceResponse()

    async def AttachWorker(
        self, request: admin.AttachWorkerRequest, context: _Context
    ) -> AsyncIterator[admin.AttachWorkerResponse]:
        """Lets a terminal run a service's worker for as long as the stream is open."""
        agent = await self._agent(context)
        name = request.service
        try:
            async with agent.attach(name) as attachment:
                yield admin.AttachWorkerResponse(environment=attachment.environment)
                await self._mesh.suspend(name)
                try:
                    # Until the terminal goes away, which cancels this, or the mesh ends.
                    if await self._unless_ending(agent.wait_attached(name, attachment)):
                        yield admin.AttachWorkerResponse(attached=True)
                        await self._wait_ending()
                finally:
                    await asyncio.shield(asyncio.ensure_future(self._let_go(agent, name)))
        except UnknownService:
            await _abort(context, grpc.StatusCode.NOT_FOUND, f"the mesh runs no service {name}")
        except AlreadyAttached:
            await _abort(context, grpc.StatusCode.FAILED_PRECONDITION, f"another terminal runs {name}")
        except WorkerFailed as failure:
            await _abort(context, grpc.StatusCode.FAILED_PRECONDITION, failure.reason)
        await _abort(context, grpc.StatusCode.UNAVAILABLE, "the mesh ends")

    async def Reload(self, request: admin.ReloadRequest, context: _Context) -> admin.ReloadResponse:
        """Applies what changed in contracts and mesh.yaml."""
        await self._agent(context)
        try:
            changes = await asyncio.shield(asyncio.ensure_future(self._mesh.reload()))
        except InvalidProject as invalid:
            problems = "\n".join(map(str, invalid.problems))
            await _abort(context, grpc.StatusCode.INVALID_ARGUMENT, problems)
        except (PortTaken, ProxyError, RunDirectoryRefused, ServicesFailed) as error:
            await _abort(context, grpc.StatusCode.FAILED_PRECONDITION, str(error))
        return admin.ReloadResponse(changes=changes)

    async def Shutdown(self, request: admin.ShutdownRequest, context: _Context) -> admin.ShutdownResponse:
        """Begins to stop the mesh."""
        self._mesh.shut_down()
        return admin.ShutdownResponse()

    async def _let_go(self, agent: Agent, name: str) -> None:
        """The mesh's own workers first: the terminal's has ended, and calls should not wait for a dry run of Envoy."""
        await agent.detach(name)
        if self._mesh.status().phase == admin.Status.PHASE_SERVING:  # else there is nothing to put in order any more
            await self._mesh.resume(name)

    async def _statuses(self) -> AsyncGenerator[admin.Status]:
        """The status now and whenever it reads differently, to the last one."""
        last = None
        while True:
            waits = {asyncio.ensure_future(wait) for wait in (self._mesh.wait_changed(), self._closing.wait())}
            closing = self._closing.is_set()
            try:
                status = self._mesh.status()
                if status != last:
                    yield status
                    last = status
                if closing or status.phase in _LAST:
                    return
                await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for wait in waits:
                    wait.cancel()

    async def _wait_ending(self) -> None:
        async with aclosing(self._statuses()) as statuses:
            async for status in statuses:
                if status.phase != admin.Status.PHASE_SERVING:
                    return

    async def _unless_ending(self, work: Coroutine[Any, Any, None]) -> bool:
        """Does the work, and gives it up if the mesh ends meanwhile. Returns whether it was done."""
        working, ending = asyncio.ensure_future(work), asyncio.ensure_future(self._wait_ending())
        try:
            await asyncio.wait({working, ending}, return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
                return True
            return False
        finally:
            for task in (working, ending):
                task.cancel()
            await asyncio.gather(working, ending, return_exceptions=True)

    async def _agent(self, context: _Context) -> Agent:
        if self._mesh.agent is None or self._mesh.status().phase != admin.Status.PHASE_SERVING:
            await _abort(context, grpc.StatusCode.FAILED_PRECONDITION, "the mesh is not serving yet, or stops")
        return self._mesh.agent


async def _abort(context: _Context, code: grpc.StatusCode, details: str) -> NoReturn:
    await context.abort(code, details)
    raise AssertionError("abort raises")
