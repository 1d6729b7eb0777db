"""The protoc plugin `protoc-gen-protomesh`: one typed Python package for each proto package.

In goes protoc's request; out come, for each package, a facade (`__init__.py`), its types (`__init__.pyi`) and
`py.typed`: messages, enums, stubs, servicers and the errors of the contract as exceptions. The `_pb2` modules that
protoc itself makes stay behind it. Where a contract uses buf/validate it also makes `buf.validate.validate_pb2`,
which no wheel ships. It imports the standard library, protobuf and the option stubs only.
"""

from protomesh.contract.python_plugin.plugin import generate, main

__all__ = ["generate", "main"]
