"""What the mesh itself serves behind Envoy: reflection and health, as the edge and as the operator see them."""

from abc import ABC, abstractmethod
from functools import partial

import grpc.aio
from google.protobuf.descriptor_pb2 import FileDescriptorSet
from grpc_health.v1 import health_pb2_grpc

from protomesh.contract.exposure import exposed_files
from protomesh.control.health import Health
from protomesh.control.reflection import Reflection
from protomesh.control.unix_server import unix_server
from protomesh.model import Layout, Service, Topology

__all__ = ["EdgeApi", "OperatorApi"]


class _Api(ABC):
    """One server on a unix socket; what it shows is replaced at once, while clients stay connected."""

    def __init__(self, socket: str) -> None:
        self._socket = socket
        self._reflection = Reflection()
        self._health = Health()
        self._server: grpc.aio.Server | None = None
        self._topology: Topology | None = None
        self._serving: dict[str, bool] = {}

    async def start(self, topology: Topology) -> None:
        """Begins to serve, on a socket that only its owner may open."""
        await self.update(topology)
        self._server = await unix_server(
            self._socket,
            lambda server: server.add_generic_rpc_handlers(self._reflection.handlers()),
            partial(health_pb2_grpc.add_HealthServicer_to_server, self._health),
        )

    async def update(self, topology: Topology) -> None:
        """Shows another topology. What was said by `set_serving` is kept for the services that it still has."""
        self._topology = topology
        self._serving = {name: serving for name, serving in self._serving.items() if name in topology.services}
        self._reflection.show(self._files(topology).file)
        self._show_health()

    def set_serving(self, service: str, serving: bool) -> None:  # noqa: FBT001 - the value is the subject
        """Says whether a service of mesh.yaml answers. A service that the mesh starts does not until this says so."""
        self._serving[service] = serving
        self._show_health()

    async def stop(self) -> None:
        """Ends watches and stops listening."""
        self._health.close()
        if self._server is not None:
            await self._server.stop(grace=1)
            self._server = None

    @abstractmethod
    def _files(self, topology: Topology) -> FileDescriptorSet:
        """The contracts to show."""

    @abstractmethod
    def _shows(self, service: Service) -> list[str]:
        """The full names of a service's RPC services to show."""

    def _show_health(self) -> None:
        if self._topology is None:
            return
        statuses = {"": True}
        for name, service in self._topology.services.items():
            # What runs elsewhere is nobody's here to watch.
            serving = self._serving.get(name, not service.supervised)
            statuses[""] = statuses[""] and serving
            statuses.update(dict.fromkeys(self._shows(service), serving))
        self._health.show(statuses)


class EdgeApi(_Api):
    """As callers from outside see the mesh: what is exposed, and nothing else."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout.edge_api_socket)

    def _files(self, topology: Topology) -> FileDescriptorSet:
        return exposed_files(topology)

    def _shows(self, service: Service) -> list[str]:
        return [served.full_name for served in service.serves if any(method.exposed for method in served.methods)]


class OperatorApi(_Api):
    """As its operator sees the mesh: everything."""

    def __init__(self, layout: Layout) -> None:
        super().__init__(layout.operator_api_socket)

    def _files(self, topology: Topology) -> FileDescriptorSet:
        return FileDescriptorSet.FromString(topology.descriptors)

    def _shows(self, service: Service) -> list[str]:
        return [served.full_name for served in service.serves]
