"""gRPC server reflection for a whole mesh, in both of its versions.

https://github.com/grpc/grpc/blob/master/doc/server-reflection.md
"""

from collections.abc import AsyncIterator, Iterable
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from grpc_health.v1 import health_pb2
from grpc_reflection.v1alpha import reflection_pb2

from protomesh.control.descriptor_index import DescriptorIndex

__all__ = ["Reflection", "own_files"]

_V1ALPHA = "grpc.reflection.v1alpha"
_V1 = "grpc.reflection.v1"

_Request = reflection_pb2.ServerReflectionRequest
_Response = reflection_pb2.ServerReflectionResponse


class Reflection:
    """Answers what services there are and how they are declared.

    `show` replaces all of it at once, also for clients that are connected: a file that is asked for next comes from
    the new contracts.
    """

    def __init__(self) -> None:
        self._index = DescriptorIndex(())

    def show(self, files: Iterable[FileDescriptorProto]) -> None:
        """Makes these files what clients see, and the APIs that every mesh has: health and reflection."""
        self._index = DescriptorIndex((*files, *own_files()))

    def handlers(self) -> tuple[grpc.GenericRpcHandler, ...]:
        """The services to add to a server. The messages of both versions are the same but for their package."""
        handler = grpc.stream_stream_rpc_method_handler(
            self._answer_all,
            request_deserializer=_Request.FromString,
            response_serializer=_Response.SerializeToString,
        )
        return tuple(
            grpc.method_handlers_generic_handler(f"{package}.ServerReflection", {"ServerReflectionInfo": handler})
            for package in (_V1, _V1ALPHA)
        )

    async def _answer_all(
        self, requests: AsyncIterator[_Request], _context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> AsyncIterator[_Response]:
        async for request in requests:
            response = self._answer(request)
            response.valid_host = request.host
            response.original_request.CopyFrom(request)
            yield response

    def _answer(self, request: _Request) -> _Response:
        index = self._index
        asked = request.WhichOneof("message_request")
        match asked:
            case "list_services":
                services = [reflection_pb2.ServiceResponse(name=name) for name in index.services]
                return _Response(list_services_response=reflection_pb2.ListServiceResponse(service=services))
            case "file_by_filename":
                return _files(index.file(request.file_by_filename), request.file_by_filename)
            case "file_containing_symbol":
                return _files(index.declaring(request.file_containing_symbol), request.file_containing_symbol)
            case "file_containing_extension":
                wanted = request.file_containing_extension
                found = index.extending(wanted.containing_type, wanted.extension_number)
                return _files(found, f"extension {wanted.extension_number} of {wanted.containing_type}")
            case "all_extension_numbers_of_type":
                name = request.all_extension_numbers_of_type
                return _numbers(index.extension_numbers(name), name)
            case _:
                return _error(grpc.StatusCode.INVALID_ARGUMENT, "the request asks for nothing")


def own_files() -> tuple[FileDescriptorProto, ...]:
    """The contracts of grpc.health.v1 and of reflection."""
    health, v1alpha = FileDescriptorProto(), FileDescriptorProto()
    health_pb2.DESCRIPTOR.CopyToProto(health)
    reflection_pb2.DESCRIPTOR.CopyToProto(v1alpha)
    # The v1 contract has no Python module of its own; its text is v1alpha's under another package.
    v1 = FileDescriptorProto.FromString(v1alpha.SerializeToString())
    v1.name = v1alpha.name.replace("v1alpha", "v1")
    v1.package = _V1
    v1.ClearField("options")
    for message in v1.message_type:
        for field in message.field:
            if field.type_name:  # an empty one that is set makes a string field invalid
                field.type_name = field.type_name.replace(f".{_V1ALPHA}.", f".{_V1}.")
    for service in v1.service:
        for method in service.method:
            method.input_type = method.input_type.replace(f".{_V1ALPHA}.", f".{_V1}.")
            method.output_type = method.output_type.replace(f".{_V1ALPHA}.", f".{_V1}.")
    return health, v1, v1alpha


def _files(files: list[bytes] | None, asked: str) -> _Response:
    if files is None:
        return _error(grpc.StatusCode.NOT_FOUND, f"there is no {asked} here")
    return _Response(file_descriptor_response=reflection_pb2.FileDescriptorResponse(file_descriptor_proto=files))


def _numbers(numbers: list[int] | None, asked: str) -> _Response:
    if numbers is None:
        return _error(grpc.StatusCode.NOT_FOUND, f"there is no {asked} here")
    found = reflection_pb2.ExtensionNumberResponse(base_type_name=asked, extension_number=numbers)
    return _Response(all_extension_numbers_response=found)


def _error(code: grpc.StatusCode, message: str) -> _Response:
    number: int = code.value[0]
    return _Response(error_response=reflection_pb2.ErrorResponse(error_code=number, error_message=message))
