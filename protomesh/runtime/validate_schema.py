"""The descriptor of buf/validate/validate.proto, in the pool that generated modules use.

No wheel ships `buf.validate.validate_pb2`, which protoc makes every `_pb2` module import whose contract has rules.
The installed protovalidate carries the descriptor itself; importing this module registers it.
"""

from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, field_mask_pb2, timestamp_pb2
from google.protobuf.descriptor import FileDescriptor
from protovalidate._gen.buf.validate import validate_pb

__all__ = ["DESCRIPTOR"]

_NAME = "buf/validate/validate.proto"
# What it imports must be registered before it.
_IMPORTED = (descriptor_pb2, duration_pb2, field_mask_pb2, timestamp_pb2)


def _register() -> FileDescriptor:
    pool = descriptor_pool.Default()
    try:
        return pool.FindFileByName(_NAME)  # another library brought it
    except KeyError:
        pool.AddSerializedFile(validate_pb.desc().proto.to_binary())
        return pool.FindFileByName(_NAME)


DESCRIPTOR = _register()
