"""Calls of a project whose stubs are made in the test."""

from pathlib import Path
from typing import Any, TypeAlias

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import Message

from protomesh.contract.sources import compile_protos

Metadata: TypeAlias = tuple[tuple[str, str], ...]


class Contracts:
    """The messages of a project, found by its methods."""

    def __init__(self, root: Path) -> None:
        self._pool = DescriptorPool()
        for file in compile_protos(root).file:
            self._pool.AddSerializedFile(file.SerializeToString())

    def request(self, name: str, fields: dict[str, Any]) -> Message:
        """A request of a method, which is named by its path without the slash in front."""
        request = message_factory.GetMessageClass(self._method(name).input_type)()
        return json_format.ParseDict(fields, request)

    def response(self, name: str) -> type[Message]:
        """The class of a method's answers."""
        return message_factory.GetMessageClass(self._method(name).output_type)

    def _method(self, name: str) -> MethodDescriptor:
        return self._pool.FindMethodByName(name.replace("/", "."))


class Caller:
    """Calls methods by name, without a retry of its own; requests and answers are what JSON makes of them."""

    def __init__(self, channel: grpc.aio.Channel, contracts: Contracts) -> None:
        self._channel = channel
        self._contracts = contracts

    async def call(self, name: str, *, timeout: float = 25, metadata: Metadata = (), **knobs: Any) -> Any:
        """The answer's `hops`, of a unary method that takes knobs."""
        answer = await self._start("unary_unary", name, {"knobs": knobs}, timeout, metadata)
        return json_format.MessageToDict(
            answer, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        ).get("hops")

    def stream(self, name: str, timeout: float = 25, **fields: Any) -> Any:
        """A call of a method that answers with a stream."""
        return self._start("unary_stream", name, fields, timeout, ())

    def _start(self, kind: str, name: str, fields: dict[str, Any], timeout: float, metadata: Metadata) -> Any:
        start = getattr(self._channel, kind)(
            f"/{name}", response_deserializer=self._contracts.response(name).FromString
        )
        request = self._contracts.request(name, fields).SerializeToString()
        return start(request, timeout=timeout, metadata=metadata)
