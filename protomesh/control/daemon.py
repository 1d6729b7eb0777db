"""The background process of a mesh: control plane, Envoy and node agent, put together, started and stopped in order."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Coroutine, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.admin.v1.admin_service_pb2_grpc import AdminServiceStub, add_AdminServiceServicer_to_server
from protomesh.contract import compile_project
from protomesh.control.accounts import check_accounts
from protomesh.control.admin import AdminServicer
from protomesh.control.api import EdgeApi, OperatorApi
from protomesh.control.channel import unix_channel
from protomesh.control.controller import Controller
from protomesh.control.egress_sockets import EgressSockets
from protomesh.control.envoy_keeper import EnvoyKeeper
from protomesh.control.feeds import Feeds
from protomesh.control.identities import Lifetimes
from protomesh.control.lock import exclusive
from protomesh.control.ports import check_ports
from protomesh.control.reach import accepts, unreached, wait_reached
from protomesh.control.reloadable import check_reloadable
from protomesh.control.run_status import Phase, RunStatus, configuration_message
from protomesh.control.service_api import ServiceApi
from protomesh.control.tether import follow
from protomesh.control.unix_server import unix_server
from protomesh.model import Endpoint, Layout, Topology
from protomesh.proxy import EnvoyFailed, Schemas, Statistics, find
from protomesh.runtime.launch import environment
from protomesh.supervisor import (
    Agent,
    ServicesFailed,
    StateFile,
    claim,
    end_leftovers,
    layout_for,
    release,
)
from protomesh.supervisor.layout import check_socket_paths
from protomesh.targets.envoy import bootstrap, read_overlay

__all__ = ["Daemon"]

_REACHABLE = 20.0  # seconds from the last worker's SERVING until Envoy must have seen it too
_CHECKED = 5.0  # seconds that Envoy may take to health-check new endpoints
_log = logging.getLogger(__name__)


class Daemon:
    """One run of one project. `run` is its whole life; with a `tether` (see control.tether) that of another process.

    It is a `RunningMesh` for the admin API, which is there first and gone last: whoever started the process watches
    the status and is told what failed.
    """

    def __init__(
        self,
        root: Path,
        *,
        environment: str = "base",
        keep_going: bool = False,
        tether: int | None = None,
        lifetimes: Lifetimes = Lifetimes(),  # noqa: B008 - frozen
    ) -> None:
        self.agent: Agent | None = None
        self._root = root.resolve()
        self._environment = environment
        self._keep_going = keep_going
        self._tether = tether
        self._layout: Layout = layout_for(root)
        self._state = StateFile(self._layout)
        self._feeds = Feeds(self._root, self._layout, lifetimes)
        self._egresses = EgressSockets(self._layout)
        self._topology: Topology | None = None
        self._controller: Controller | None = None
        self._apis: list[EdgeApi | OperatorApi] = []
        self._reloading = asyncio.Lock()
        self._endpoints: dict[str, frozenset[str]] = {}  # by service; what Envoy was told last
        self._envoy: EnvoyKeeper | None = None
        self._version = ""
        self._status = RunStatus()
        self._stopping = asyncio.Event()

    async def run(self) -> int:
        """Starts the mesh, serves until it is asked to stop, and stops it. Returns the process's exit code.

        Raises:
            AlreadyRunning: another process runs this project's mesh.
            RunDirectoryRefused: the run directory can't be used.
        """
        claim(self._layout)
        with exclusive(self._layout):
            await self._clean_up()
            self._state.add(os.getpid(), psutil.Process().create_time(), "mesh")
            for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, self.shut_down)
            if self._tether is not None:
                follow(self._tether, self._let_go)
            try:
                return await self._serve()
            finally:
                release(self._layout)

    async def _clean_up(self) -> None:
        """Ends and removes what a supervisor that died has left."""
        for leftover in await end_leftovers(self._layout):
            _log.warning("ended a leftover", extra={"pid": leftover.pid, "role": leftover.role})
        release(self._layout)
        claim(self._layout)

    async def _serve(self) -> int:
        async with AsyncExitStack() as stack:
            await self._serve_admin(stack)
            starting = asyncio.create_task(self._start(stack), name="start")
            stopping = asyncio.create_task(self._stopping.wait(), name="stop")
            await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if not starting.done():
                starting.cancel()
            try:
                await starting
            except asyncio.CancelledError:
                _log.info("stopped while starting")
            except Exception as error:  # noqa: BLE001 - a bug, too, must reach the terminal that waits
                self._status.fail(error)
            else:
                self._status.enter(Phase.PHASE_SERVING)
                await self._stopping.wait()
            stopping.cancel()
            if self._status.phase != Phase.PHASE_FAILED:
                self._status.enter(Phase.PHASE_STOPPING)
        return 1 if self._status.phase == Phase.PHASE_FAILED else 0

    async def _serve_admin(self, stack: AsyncExitStack) -> None:
        os.umask(0o077)
        servicer = AdminServicer(self)
        server = await unix_server(self._layout.admin_socket, partial(add_AdminServiceServicer_to_server, servicer))
        stack.push_async_callback(server.stop, 2)
        stack.callback(servicer.close)  # watchers get the last status, and need not be waited for

    async def _start(self, stack: AsyncExitStack) -> None:
        """Starts everything in order; `stack` stops it in the other."""
        compilation = await asyncio.to_thread(compile_project, self._root, environment=self._environment)
        topology = self._topology = compilation.topology
        self._status.notify()
        check_accounts(topology.services.values())
        check_socket_paths(self._layout, topology.services)
        binary = await asyncio.to_thread(find, topology.envoy_path)
        self._version = binary.version
        schemas = await asyncio.to_thread(Schemas.load, binary, Path(self._layout.state) / "cache")
        await asyncio.to_thread(check_ports, topology.gateways)

        self._controller = Controller(binary, schemas, self._layout)
        await self._controller.start()
        stack.push_async_callback(self._controller.stop)
        await self._feeds.apply(topology, self._controller)
        self._apis = [EdgeApi(self._layout), OperatorApi(self._layout)]
        for api in self._apis:
            await api.start(topology)
            stack.push_async_callback(api.stop)

        await self._serve_services(stack)

        self._egresses.own(topology)
        giving = asyncio.create_task(self._egresses.follow(), name="egress sockets")
        stack.callback(giving.cancel)
        start = bootstrap(topology, self._layout, await asyncio.to_thread(read_overlay, self._root))
        self._envoy = EnvoyKeeper(binary, start, self._layout, state=self._state, changed=self._status.notify)
        stack.push_async_callback(self._envoy.stop)
        starting = asyncio.gather(self._envoy.start(), self._start_agent(stack, topology))  # workers take longest
        try:
            await starting
        except BaseException:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            raise
        await self._wait_reachable()
        stack.callback(self._feeds.stop)
        await self._feeds.follow(topology, self._controller)

    async def _serve_services(self, stack: AsyncExitStack) -> None:
        assert self._controller is not None, "started just before"
        api = ServiceApi(self._layout, self._controller.publish_key_set)
        await api.start()
        stack.push_async_callback(api.stop)

    async def _start_agent(self, stack: AsyncExitStack, topology: Topology) -> None:
        channel = unix_channel(self._layout.admin_socket)
        stack.push_async_callback(channel.close)
        self.agent = Agent(
            self._root,
            self._layout,
            admin=AdminServiceStub(channel),
            environment=environment,
            state=self._state,
            secured=self._feeds.identities.secured if topology.mtls else None,
        )
        stack.push_async_callback(self._stop_agent, self.agent)
        for changes in (self._relay(self.agent), self._relay_answers()):
            stack.callback(asyncio.create_task(changes, name="relay changes").cancel)
        try:
            await self.agent.start(topology.services)
        except ServicesFailed as failed:
            if not self._keep_going:
                raise
            _log.error("some services did not start", extra={"failures": str(failed)})

    async def _stop_agent(self, agent: Agent) -> None:
        """Ends the workers when their callers have been told to leave.

        Where nobody calls, all at once. Else those that are called last: while a call is in progress it may go on to
        any service.
        """
        idle = await self._envoy.drain() if self._envoy is not None else True
        await agent.stop(callers_first=not idle)

    async def _wait_reachable(self) -> None:
        """Waits until Envoy has taken its configuration, listens, and has itself seen every service answer.

        Raises:
            EnvoyFailed: it has not within 20 s, or it refused something; the text says what.
        """
        assert self._envoy is not None, "started just before"
        assert self._envoy.process is not None, "likewise"
        await self._envoy.process.wait_live()
        deadline = time.monotonic() + _REACHABLE
        while missing := await self._missing(self._envoy.process.statistics):
            refused = [r for c in self.status().proxy.configuration for r in c.rejections]
            if refused:
                raise EnvoyFailed("\n".join(f"{r.origin or r.resource}: Envoy refuses it: {r.reason}" for r in refused))
            if time.monotonic() > deadline:
                raise EnvoyFailed(f"Envoy does not reach {missing} after {_REACHABLE:g} s. See envoy.log.")
            await asyncio.sleep(0.02)

    async def _missing(self, statistics: Statistics) -> str:
        """What Envoy does not reach or offer yet, for people; empty if nothing."""
        assert self._topology is not None, "nothing runs without"
        rows = self.agent.statuses() if self.agent else []
        serving = [row.name for row in rows if row.state == admin.ServiceStatus.STATE_SERVING]
        if missing := await unreached(statistics, serving):
            return f"the workers of {', '.join(missing)}"
        if missing := self._egresses.give():
            return f"the egress of {', '.join(missing)}"
        for gateway in self._topology.gateways:
            if not await accepts(gateway.listen):
                return f"the gateway's port {gateway.listen}"
        return ""

    def _checks_health(self, service: str) -> bool:
        """Whether the mesh starts it: what runs elsewhere may be down, and that is no failure of ours."""
        return self._topology is not None and self._topology.services[service].supervised

    async def _relay(self, agent: Agent) -> None:
        while True:
            await agent.changed.wait()
            agent.changed.clear()
            self._status.notify()

    async def _relay_answers(self) -> None:
        assert self._controller is not None, "the agent starts after the controller"
        seen = 0
        while True:
            seen = await self._controller.wait_answered(seen)
            self._status.notify()

    # What the admin API tells and changes.

    def status(self) -> admin.Status:
        """What the mesh is doing now."""
        status = self._status.message(self._topology, self.agent.statuses() if self.agent else [])
        if self._envoy is not None and self._controller is not None:
            status.proxy.pid, status.proxy.version = self._envoy.pid, self._version
            status.proxy.configuration.extend(map(configuration_message, self._controller.configuration_status()))
        return status

    def wait_changed(self) -> Coroutine[Any, Any, object]:
        """Returns when the status may read differently than when this was called."""
        return self._status.wait_changed()

    async def set_endpoints(self, service: str, endpoints: Sequence[Endpoint]) -> None:
        """Replaces a service's endpoints and waits for Envoy's acknowledgement."""
        assert self._controller is not None, "the agent starts after the controller"
        former = self._endpoints.get(service, frozenset())
        await self._controller.set_endpoints(service, endpoints)
        for api in self._apis:
            api.set_serving(service, bool(endpoints))
        self._endpoints[service] = frozenset(str(endpoint.address) for endpoint in endpoints)
        added = self._endpoints[service] - former
        envoy = self._envoy.process if self._envoy is not None else None
        if added and envoy is not None and self._checks_health(service):
            await wait_reached(envoy.statistics, service, added, limit=_CHECKED)

    async def suspend(self, service: str) -> None:
        """Takes the deadline's safety net and ejection off a service."""
        assert self._controller is not None, "only a mesh that serves is asked"
        await self._controller.suspend(service)

    async def resume(self, service: str) -> None:
        """Puts them on again."""
        assert self._controller is not None, "only a mesh that serves is asked"
        await self._controller.resume(service)

    async def reload(self) -> list[str]:
        """Reads the project again and applies what changed."""
        assert self._controller is not None, "only a mesh that serves is asked"
        assert self.agent is not None, "likewise"
        assert self._topology is not None, "likewise"
        async with self._reloading:
            compilation = await asyncio.to_thread(compile_project, self._root, environment=self._environment)
            topology = compilation.topology
            check_reloadable(self._topology, topology)
            check_accounts(topology.services.values())
            check_socket_paths(self._layout, topology.services)
            listening = {gateway.listen for gateway in self._topology.gateways}
            new = tuple(gateway for gateway in topology.gateways if gateway.listen not in listening)
            await asyncio.to_thread(check_ports, new)
            await self._feeds.apply(topology, self._controller)
            for api in self._apis:
                await api.update(topology)
            self._topology = topology
            self._egresses.own(topology)
            _log.info("reloaded")
            await self._controller.wait_acknowledged()
            await self._feeds.follow_keys(topology, self._controller)
            try:
                return await self.agent.apply(topology.services)
            finally:
                if topology.mtls:
                    await asyncio.to_thread(self._feeds.identities.forget)

    def _let_go(self) -> None:
        _log.warning("the process that the mesh ran for has ended")
        self.shut_down()

    def shut_down(self) -> None:
        """Begins to stop."""
        self._stopping.set()
