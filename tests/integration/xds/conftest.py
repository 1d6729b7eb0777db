"""A real Envoy that takes everything from a Delta ADS server, and hand-made resources for it."""

import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import grpc.aio
import pytest

from protomesh.model import Layout
from protomesh.proxy import EnvoyBinary, EnvoyProcess, Schemas, find
from protomesh.xds import Cache, Resource, Server, Snapshot

NODE = "node"
_PREFIX = "type.googleapis.com/envoy."
_ADS = {"ads": {}, "resource_api_version": "V3"}
_HTTP2 = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": f"{_PREFIX}extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
}


def _hosts(sockets: Sequence[str]) -> list[dict[str, Any]]:
    return [{"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": path}}}} for path in sockets]}]


class Rig:
    """One run directory with a server, a cache and as many Envoys as a test starts."""

    node = NODE
    cluster_type = f"{_PREFIX}config.cluster.v3.Cluster"
    endpoints_type = f"{_PREFIX}config.endpoint.v3.ClusterLoadAssignment"
    listener_type = f"{_PREFIX}config.listener.v3.Listener"
    routes_type = f"{_PREFIX}config.route.v3.RouteConfiguration"

    def __init__(self, binary: EnvoyBinary, schemas: Schemas, run: Path) -> None:
        self.binary = binary
        self.schemas = schemas
        self.run = run
        self.layout = Layout(run=PurePosixPath(run), state=PurePosixPath(run) / "state")
        self.cache = Cache()
        self.server = Server(self.cache, schemas.pool)
        self.address = f"unix:{self.layout.control_socket}"

    @property
    def types(self) -> tuple[str, ...]:
        """The four types of the snapshots here."""
        return (self.cluster_type, self.endpoints_type, self.listener_type, self.routes_type)

    async def restart_server(self) -> None:
        """Ends the server and starts another one, which knows nothing but what is published."""
        await self.server.stop()
        snapshot = self.cache.snapshot(NODE)
        assert snapshot is not None
        self.cache = Cache()
        self.cache.publish(NODE, snapshot)
        self.server = Server(self.cache, self.schemas.pool)
        await self.server.start(self.address)

    @asynccontextmanager
    async def envoy(self) -> AsyncIterator[EnvoyProcess]:
        """An Envoy that runs for as long as the block."""
        envoy = await EnvoyProcess.start(self.binary, self._bootstrap(), self.layout, concurrency=1)
        try:
            await envoy.wait_live()
            yield envoy
        finally:
            await envoy.stop()

    def channel(self) -> grpc.aio.Channel:
        """A channel through Envoy's listener."""
        options = [("grpc.default_authority", "mesh"), ("grpc.use_local_subchannel_pool", 1)]
        return grpc.aio.insecure_channel(f"unix:{self.run}/edge.sock", options=options)

    def resource(self, type_url: str, name: str, body: dict[str, Any], *needs: tuple[str, str]) -> Resource:
        """Any resource from its JSON form."""
        return Resource(type_url=type_url, name=name, body=self.schemas.encode(type_url, body), needs=needs)

    def cluster(self, name: str, timeout: str = "1s") -> Resource:
        """A cluster whose endpoints come from ADS."""
        body = {
            "name": name,
            "type": "EDS",
            "connect_timeout": timeout,
            "eds_cluster_config": {"eds_config": _ADS},
            "typed_extension_protocol_options": _HTTP2,
        }
        return self.resource(self.cluster_type, name, body, (self.endpoints_type, name))

    def endpoints(self, name: str, *sockets: str) -> Resource:
        """Where a cluster answers."""
        body = {"cluster_name": name, "endpoints": _hosts(sockets) if sockets else []}
        return self.resource(self.endpoints_type, name, body)

    def listener(self, name: str = "edge") -> Resource:
        """A listener on a unix socket of its name."""
        connections = {
            "@type": f"{_PREFIX}extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
            "stat_prefix": name,
            "rds": {"config_source": _ADS, "route_config_name": name},
            "http_filters": [
                {
                    "name": "router",
                    "typed_config": {"@type": f"{_PREFIX}extensions.filters.http.router.v3.Router"},
                }
            ],
        }
        body = {
            "name": name,
            "address": {"pipe": {"path": f"{self.run}/{name}.sock"}},
            "filter_chains": [{"filters": [{"name": "http", "typed_config": connections}]}],
        }
        return self.resource(self.listener_type, name, body, (self.routes_type, name))

    def routes(self, *routes: tuple[str, dict[str, int]], name: str = "edge") -> Resource:
        """Routes in their order: a path prefix and the weights of the clusters that it goes to."""
        body = {
            "name": name,
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [
                        {
                            "match": {"prefix": prefix},
                            "route": {
                                "weighted_clusters": {
                                    "clusters": [{"name": c, "weight": w} for c, w in weights.items()]
                                }
                            },
                        }
                        for prefix, weights in routes
                    ],
                }
            ],
        }
        clusters = sorted({cluster for _, weights in routes for cluster in weights})
        return self.resource(self.routes_type, name, body, *((self.cluster_type, c) for c in clusters))

    def mesh(self, *clusters: str, sockets: Sequence[str] = ()) -> Snapshot:
        """A listener that routes everything to the first of some clusters."""
        return Snapshot(
            [
                *map(self.cluster, clusters),
                *(self.endpoints(name, *sockets) for name in clusters),
                self.listener(),
                self.routes(("/", {clusters[0]: 1})),
            ]
        )

    async def wait_acknowledged(self, *types: str, timeout: float = 10) -> None:
        """Waits until Envoy has taken everything, or everything of some types."""
        for type_url in types or self.types:
            await self.cache.wait_acknowledged(NODE, type_url, timeout=timeout)

    def _bootstrap(self) -> dict[str, Any]:
        control = {"cluster_name": "xds", "endpoints": _hosts([self.layout.control_socket])}
        back_off = {"retry_back_off": {"base_interval": "0.1s", "max_interval": "0.5s"}}
        return {
            "node": {"id": NODE, "cluster": NODE},
            "admin": {"address": {"pipe": {"path": self.layout.envoy_admin_socket}}},
            "dynamic_resources": {
                "ads_config": {
                    "api_type": "DELTA_GRPC",
                    "transport_api_version": "V3",
                    "set_node_on_first_message_only": True,
                    "grpc_services": [{"envoy_grpc": {"cluster_name": "xds", "retry_policy": back_off}}],
                },
                "lds_config": _ADS,
                "cds_config": _ADS,
            },
            "static_resources": {
                "clusters": [
                    {
                        "name": "xds",
                        "connect_timeout": "1s",
                        "load_assignment": control,
                        "typed_extension_protocol_options": _HTTP2,
                    }
                ]
            },
        }


@pytest.fixture(scope="session")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Schemas:
    """The installed Envoy's messages."""
    return Schemas.load(find(), tmp_path_factory.mktemp("schemas"))


@pytest.fixture
def run_directory() -> Iterator[Path]:
    """A directory whose path is short enough for unix sockets."""
    with tempfile.TemporaryDirectory(prefix="pm-", dir="/tmp") as directory:
        yield Path(directory)


@pytest.fixture
async def rig(schemas: Schemas, run_directory: Path) -> AsyncIterator[Rig]:
    """A server that serves nothing yet."""
    rig = Rig(find(), schemas, run_directory)
    await rig.server.start(rig.address)
    yield rig
    await rig.server.stop()
