"""The mesh as a composition root sees it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar

from grpc import aio

from protomesh.runtime.client import MeshChannel
from protomesh.runtime.current import time_remaining
from protomesh.runtime.launch import Launch
from protomesh.runtime.settings import read_settings

if TYPE_CHECKING:
    from protomesh.runtime.store import Database

__all__ = ["Mesh"]

StubT = TypeVar("StubT")
SettingsT = TypeVar("SettingsT")


class Mesh:
    """Gives a service its clients, its database and its settings. The composition root gets one."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._channels: dict[str, aio.Channel] = {}

    @property
    def service(self) -> str:
        """This service's name in mesh.yaml."""
        return self._launch.service

    def client(self, stub: Callable[[aio.Channel], StubT]) -> StubT:
        """A client of another service: `mesh.client(CatalogServiceStub)`.

        It is the generated stub; mesh.yaml's `calls` must list the service, or its calls are UNIMPLEMENTED. What
        travels along with a call, and which errors it raises, is said at `MeshChannel`.
        """
        return stub(MeshChannel(self._connect))

    @asynccontextmanager
    async def database(self) -> "AsyncGenerator[Database]":
        """The service's own database, open for as long as the block lasts. Needs the extra `protomesh[store]`.

        PROTOMESH_DATABASE_URL names it; without it, it is a SQLite file in PROTOMESH_DATA.
        """
        from protomesh.runtime.store import Database, database_url  # noqa: PLC0415 - an extra that not all need

        self._launch.data.mkdir(parents=True, exist_ok=True)
        async with Database(database_url(self._launch.environ), remaining=time_remaining) as database:
            yield database

    def settings(self, cls: type[SettingsT]) -> SettingsT:
        """The service's settings: a frozen dataclass filled from the environment; see `read_settings`."""
        return read_settings(cls, self._launch.environ)

    def _connect(self, rpc_service: str) -> aio.Channel:
        target = self._launch.egress_for(rpc_service)
        if target not in self._channels:
            self._channels[target] = aio.insecure_channel(target)
        return self._channels[target]

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        async with AsyncExitStack() as stack:
            for channel in self._channels.values():
                stack.push_async_callback(channel.close)
