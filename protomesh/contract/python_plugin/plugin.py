"""What protoc starts: reads its request, answers with the files of every package."""

import sys

from google.protobuf.compiler.plugin_pb2 import CodeGeneratorRequest, CodeGeneratorResponse
from google.protobuf.descriptor_pb2 import Edition

from protomesh.contract.python_plugin.facade import facade
from protomesh.contract.python_plugin.package import packages
from protomesh.contract.python_plugin.types import types

__all__ = ["generate", "main"]

_VALIDATE = "buf/validate/validate.proto"
_VALIDATE_MODULE = '''\
"""Generated from the contract. DO NOT EDIT. The rules of buf.validate, as the installed protovalidate has them."""

from protomesh.runtime.validate_schema import DESCRIPTOR

__all__ = ["DESCRIPTOR"]
'''


def generate(request: CodeGeneratorRequest) -> CodeGeneratorResponse:
    """Makes the facade of every package that the request asks for. The same request makes the same files."""
    response = CodeGeneratorResponse(
        supported_features=CodeGeneratorResponse.FEATURE_PROTO3_OPTIONAL
        | CodeGeneratorResponse.FEATURE_SUPPORTS_EDITIONS,
        minimum_edition=Edition.EDITION_PROTO2,
        maximum_edition=Edition.EDITION_2023,
    )
    for package in packages(request):
        folder = package.name.replace(".", "/")
        response.file.add(name=f"{folder}/__init__.py", content=facade(package))
        response.file.add(name=f"{folder}/__init__.pyi", content=types(package))
        response.file.add(name=f"{folder}/py.typed", content="")
    if any(_VALIDATE in file.dependency for file in request.proto_file):
        response.file.add(name="buf/validate/validate_pb2.py", content=_VALIDATE_MODULE)
    return response


def main() -> None:
    """Speaks protoc's plugin protocol: a request on standard input, the response on standard output."""
    request = CodeGeneratorRequest.FromString(sys.stdin.buffer.read())
    sys.stdout.buffer.write(generate(request).SerializeToString(deterministic=True))
