"""The mesh as a composition root sees it."""

from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVar, cast

from grpc import aio

from protomesh.keys.v1.key_set_service_pb2 import PublishKeySetRequest
from protomesh.keys.v1.key_set_service_pb2_grpc import KeySetServiceStub
from protomesh.runtime.client import MeshChannel
from protomesh.runtime.current import time_remaining
from protomesh.runtime.launch import ENVOY, Launch
from protomesh.runtime.renewed_channel import RenewedChannel
from protomesh.runtime.settings import read_settings

if TYPE_CHECKING:
    from protomesh.runtime.store import Database

__all__ = ["Mesh"]

_PUBLISHED_WITHIN = 30  # seconds
# A worker may look for Envoy before it listens: gRPC's own first pause is a second, and the next ones longer.
_OPTIONS = (("grpc.initial_reconnect_backoff_ms", 50), ("grpc.max_reconnect_backoff_ms", 1000))
_SECURE_OPTIONS = (*_OPTIONS, ("grpc.default_authority", ENVOY))
StubT = TypeVar("StubT")
SettingsT = TypeVar("SettingsT")


class Mesh:
    """Gives a service its clients, its database and its settings. The composition root gets one.

    Args:
        launch: What the environment says.
        connect: Gives the channel for an RPC service, named in full; by default one to the mesh's egress.
    """

    def __init__(self, launch: Launch, *, connect: Callable[[str], aio.Channel] | None = None) -> None:
        self._launch = launch
        self._connect = connect or self._egress
        self._channels: dict[str, aio.Channel | RenewedChannel] = {}
        self._database: Database | None = None

    @property
    def service(self) -> str:
        """This service's name in mesh.yaml."""
        return self._launch.service

    @property
    def data(self) -> Path:
        """The directory that is the service's own: its workers on this machine share it, and it survives `down`.

        It exists once a database was opened; who needs it earlier makes it.
        """
        return self._launch.data

    def client(self, stub: Callable[[aio.Channel], StubT]) -> StubT:
        """A client of another service: `mesh.client(CatalogServiceStub)`.

        It is the generated stub; mesh.yaml's `calls` must list the service, or its calls are UNIMPLEMENTED. What
        travels along with a call, and which errors it raises, is said at `MeshChannel`.
        """
        return MeshChannel(self._connect).stub(stub)

    @property
    def opened(self) -> "Database | None":
        """The database that `database` has opened: events wait in it, and are marked there as applied."""
        return self._database

    @asynccontextmanager
    async def database(self, *, migrations: str | None = None) -> "AsyncGenerator[Database]":
        """The service's own database, open for as long as the block lasts. Needs the extra `protomesh[store]`.

        PROTOMESH_DATABASE_URL names it; without it, it is a SQLite file in PROTOMESH_DATA. `migrations` names the
        package whose migrations it must have, as `services.catalog`: what is missing is run first, in a process of
        its own, by whichever of the service's workers comes first.

        Raises:
            MigrationFailed: a migration failed; the database is as it was.
        """
        from protomesh.runtime.store import Database, database_url, migrated  # noqa: PLC0415 - an extra that not all need

        self._launch.data.mkdir(parents=True, exist_ok=True)
        url = database_url(self._launch.environ)
        if migrations is not None:
            await migrated(url, migrations)
        async with Database(url, remaining=time_remaining) as database:
            self._database = database
            yield database

    async def publish_keys(self, jwks: str) -> None:
        """Has the mesh verify tokens with these public keys: the JSON of a JSON Web Key Set (RFC 7517).

        Only for the service that mesh.yaml's `auth` names. Returns when every Envoy verifies with them, and only then
        may the service sign with a key that is new; a key that is no longer in the set is refused from then on. While
        the mesh is starting it waits for Envoy.

        Raises:
            grpc.aio.AioRpcError: INVALID_ARGUMENT if it is no key set or has a private key in it; DEADLINE_EXCEEDED if
                Envoy has not taken it within 30 seconds; PERMISSION_DENIED or UNIMPLEMENTED if `auth` names another
                service, or is not there.
        """
        keys = KeySetServiceStub(self._connect("protomesh.keys.v1.KeySetService"))
        await keys.PublishKeySet(PublishKeySetRequest(jwks=jwks), timeout=_PUBLISHED_WITHIN, wait_for_ready=True)

    def settings(self, cls: type[SettingsT]) -> SettingsT:
        """The service's settings: a frozen dataclass filled from the environment; see `read_settings`."""
        return read_settings(cls, self._launch.environ)

    def _egress(self, rpc_service: str) -> aio.Channel:
        target = self._launch.egress_for(rpc_service)
        if target not in self._channels:
            tls = self._launch.tls
            if tls is None:
                self._channels[target] = aio.insecure_channel(target, options=_OPTIONS)
            else:
                self._channels[target] = RenewedChannel(
                    tls, lambda identity: aio.secure_channel(target, identity.channel_credentials(), _SECURE_OPTIONS)
                )
        return cast("aio.Channel", self._channels[target])

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        async with AsyncExitStack() as stack:
            for channel in self._channels.values():
                stack.push_async_callback(channel.close)
