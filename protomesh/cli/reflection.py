"""Contracts of a running mesh, asked from its reflection service."""

from collections.abc import AsyncIterator, Iterable

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool
from google.protobuf.descriptor import MethodDescriptor
from grpc_reflection.v1alpha import reflection_pb2

__all__ = ["Reflection"]

_METHOD = "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"  # its messages are those of v1alpha


class Reflection:
    """What one reflection service tells. Descriptors come into a pool of their own: nothing needs to be installed."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.pool = descriptor_pool.DescriptorPool()
        self._ask = channel.stream_stream(
            _METHOD,
            request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
            response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
        )
        self._files: dict[str, descriptor_pb2.FileDescriptorProto] = {}
        self._added: set[str] = set()

    async def methods(self) -> list[str]:
        """Full names of every method that is served, `package.Service/Method`, sorted."""
        request = reflection_pb2.ServerReflectionRequest(list_services="")
        services = [s.name async for response in self._info(request) for s in response.list_services_response.service]
        for service in services:
            await self.learn(service)
        return sorted(
            f"{service}/{method.name}"
            for service in services
            for method in self.pool.FindServiceByName(service).methods
        )

    async def learn(self, symbol: str) -> None:
        """Puts the file that declares `symbol`, and those that it imports, into the pool."""
        await self._learn(reflection_pb2.ServerReflectionRequest(file_containing_symbol=symbol))

    def method(self, full_name: str) -> MethodDescriptor:
        """The descriptor of `package.Service/Method`, once its service is learned."""
        service, _, name = full_name.rpartition("/")
        return self.pool.FindServiceByName(service).methods_by_name[name]

    async def _learn(self, request: reflection_pb2.ServerReflectionRequest) -> None:
        new: list[str] = []
        async for response in self._info(request):
            for serialized in response.file_descriptor_response.file_descriptor_proto:
                file = descriptor_pb2.FileDescriptorProto.FromString(serialized)
                if file.name not in self._files:
                    self._files[file.name] = file
                    new.append(file.name)
        for name in new:
            for dependency in self._files[name].dependency:
                if dependency not in self._files:
                    await self._learn(reflection_pb2.ServerReflectionRequest(file_by_filename=dependency))
        self._add(new)

    def _add(self, names: Iterable[str]) -> None:
        for name in names:
            if name not in self._added and name in self._files:
                self._added.add(name)
                self._add(self._files[name].dependency)
                self.pool.Add(self._files[name])

    async def _info(
        self, request: reflection_pb2.ServerReflectionRequest
    ) -> AsyncIterator[reflection_pb2.ServerReflectionResponse]:
        stream = self._ask(timeout=10)
        await stream.write(request)
        await stream.done_writing()
        async for response in stream:
            yield response
