"""Calls of a project whose stubs are made in the test."""

from pathlib import Path
from typing import Any, TypeAlias

import grpc
from google.protobuf import json_format, message_factory
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import DescriptorPool

from protomesh.contract.sources import compile_protos

Metadata: TypeAlias = tuple[tuple[str, str], ...]


class Contracts:
    """The messages of a project, found by its methods."""

    def __init__(self, root: Path) -> None:
        self._pool = DescriptorPool()
        for file in compile_protos(root).file:
            self._pool.AddSerializedFile(file.SerializeToString())

    def method(self, name: str) -> MethodDescriptor:
        """A method by its path without the slash in front."""
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
        method = self._contracts.method(name)
        request = message_factory.GetMessageClass(method.input_type)()
        json_format.ParseDict(fields, request)
        start = getattr(self._channel, kind)(
            f"/{name}", response_deserializer=message_factory.GetMessageClass(method.output_type).FromString
        )
        return start(request.SerializeToString(), timeout=timeout, metadata=metadata)
