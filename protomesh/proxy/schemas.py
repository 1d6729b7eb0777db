"""The messages that an Envoy understands, taken from that Envoy.

Every Envoy binary holds the serialized descriptors of its whole API. Reading them there means that the schema is
always the one of the Envoy that runs, and that no package of generated code has to be pinned to it.
"""

import contextlib
import hashlib
import json
import mmap
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from google.protobuf import descriptor_pb2, json_format, message_factory
from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError, Message

from protomesh.atomic_file import write_atomically
from protomesh.proxy.errors import ConfigurationRefused, EnvoyNotFound
from protomesh.proxy.find import EnvoyBinary

__all__ = ["Schemas"]

ROOTS = (
    r"envoy/config/(bootstrap|cluster|endpoint|listener|route|accesslog|overload|metrics|trace)/",
    r"envoy/service/(discovery|runtime|secret)/",
    r"envoy/admin/",
    r"envoy/extensions/filters/(common|http|listener|udp)/",
    r"envoy/extensions/filters/network/(http_connection_manager|tcp_proxy|rbac|local_ratelimit|connection_limit)/",
    r"envoy/extensions/(access_loggers|common|compression|early_data|formatter|health_check|http|load_balancing_policies)/",
    r"envoy/extensions/(matching|path|rate_limit_descriptors|request_id|resource_monitors|retry|stat_sinks)/",
    r"envoy/extensions/(transport_sockets|upstreams)/",
    r"envoy/type/matcher/v3/",
    r"opentelemetry/proto/collector/",
    r"xds/type/matcher/v3/",
)
"""What the targets render and what envoy/overrides may reasonably add, as prefixes of file names."""

_ROOTS = re.compile("|".join(ROOTS))
# Field 1 of a FileDescriptorProto, its name, followed by package, dependency or message_type.
_START = re.compile(rb"\x0a([\x08-\x7f])([a-zA-Z0-9_/.\-]+?\.proto)(?=[\x12\x1a\x22])")
_FIELDS = frozenset((*range(1, 13), 14))  # of FileDescriptorProto; protoc writes them in ascending order
_DIGEST = hashlib.sha256().digest_size
_LARGEST = 4 << 20  # bytes of one field: Envoy's largest file has 60 KB
_VARINT, _LENGTH_DELIMITED = 0, 2


class Schemas:
    """The messages of one Envoy, in a pool of their own.

    Use `load`. The pool is private because another package in the same process may have registered files of the same
    names with another content.
    """

    def __init__(self, files: descriptor_pb2.FileDescriptorSet) -> None:
        self.pool = DescriptorPool()
        for file in files.file:
            self.pool.AddSerializedFile(file.SerializeToString())
        self._classes: dict[str, type[Message]] = {}

    @classmethod
    def load(cls, binary: EnvoyBinary, cache: Path) -> Self:
        """Reads the schemas of `binary`, from the directory `cache` if they were read before.

        The first time takes about half a second. A damaged cache is made again.

        Raises:
            EnvoyNotFound: the binary holds no schemas.
        """
        key = hashlib.sha256("\n".join((binary.build, *ROOTS)).encode()).hexdigest()[:16]
        cached = cache / f"envoy-{binary.version}-{key}.schemas"
        with contextlib.suppress(OSError):
            content = cached.read_bytes()
            digest, content = content[:_DIGEST], content[_DIGEST:]
            if hashlib.sha256(content).digest() == digest:
                return cls(descriptor_pb2.FileDescriptorSet.FromString(content))
        files = _extract(binary)
        content = files.SerializeToString()
        _write(cached, hashlib.sha256(content).digest() + content)
        return cls(files)

    def message_class(self, full_name: str) -> type[Message]:
        """The class of the message of that full name.

        Raises:
            KeyError: this Envoy has no such message, or it is not among the files that are read.
        """
        if full_name not in self._classes:
            descriptor = self.pool.FindMessageTypeByName(full_name)
            self._classes[full_name] = message_factory.GetMessageClass(descriptor)
        return self._classes[full_name]

    def message(self, type_url: str, body: Mapping[str, Any]) -> Message:
        """Makes a message from a plain dict in protobuf's JSON form; field names are those of the .proto.

        Raises:
            ConfigurationRefused: there is no such type or field, or a value has the wrong type. The reason names the
                field, `resource` the resource.
        """
        full_name = type_url.rpartition("/")[2]
        resource = f"{full_name.rpartition('.')[2]} {body.get('name') or body.get('cluster_name') or ''}".rstrip()
        try:
            message = self.message_class(full_name)()
        except KeyError:
            raise ConfigurationRefused(f"this Envoy knows no type {full_name}", resource=resource) from None
        try:
            # The parser takes "@type" out of dicts and puts it back at their end. It gets a copy, made the fastest way.
            json_format.ParseDict(json.loads(json.dumps(body)), message, descriptor_pool=self.pool)
        except (json_format.ParseError, TypeError, ValueError) as error:
            # The parser goes on with a list of every field there is.
            raise ConfigurationRefused(str(error).partition("\n")[0], resource=resource) from error
        return message

    def encode(self, type_url: str, body: Mapping[str, Any]) -> bytes:
        """Serializes a plain dict, so that equal dicts give equal bytes in every process.

        Raises:
            ConfigurationRefused: as `message`.
        """
        message = self.message(type_url, body)
        self._settle(message)
        return message.SerializeToString(deterministic=True)

    def _settle(self, message: Message) -> None:
        """Serializes again, in a settled order, what is packed in an Any: the JSON parser leaves maps unsorted."""
        for field, value in message.ListFields():
            if field.type != FieldDescriptor.TYPE_MESSAGE:
                continue
            for child in _messages(field, value):
                if child.DESCRIPTOR.full_name != "google.protobuf.Any":
                    self._settle(child)
                    continue
                if not child.type_url:  # an empty Any is a message too
                    continue
                packed = self.message_class(child.type_url.rpartition("/")[2]).FromString(child.value)
                self._settle(packed)
                child.value = packed.SerializeToString(deterministic=True)


def _messages(field: FieldDescriptor, value: Any) -> Iterable[Any]:
    if not field.is_repeated:
        return [value]
    entry = field.message_type
    if entry is None or not entry.GetOptions().map_entry:
        return list(value)
    if entry.fields_by_name["value"].type != FieldDescriptor.TYPE_MESSAGE:
        return []
    return list(value.values())


def _extract(binary: EnvoyBinary) -> descriptor_pb2.FileDescriptorSet:
    with binary.path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = dict(_descriptors(data))
    files = descriptor_pb2.FileDescriptorSet()
    done: set[str] = set()

    def add(name: str) -> None:
        if name in done or name not in found:
            return
        done.add(name)
        for dependency in found[name].dependency:
            add(dependency)
        files.file.append(found[name])

    for name in sorted(found):
        if _ROOTS.match(name):
            add(name)
    if not files.file:
        raise EnvoyNotFound(f"{binary.path} holds none of Envoy's schemas. Use a release build of Envoy.")
    return files


def _descriptors(data: mmap.mmap) -> Iterator[tuple[str, descriptor_pb2.FileDescriptorProto]]:
    """Yields every file descriptor in the binary. A name that occurs again is the larger one's last."""
    sizes: dict[str, int] = {}
    for match in _START.finditer(data):
        if match[1][0] != len(match[2]):
            continue
        raw = data[match.start() : _end(data, match.start())]
        try:
            file = descriptor_pb2.FileDescriptorProto.FromString(raw)
        except DecodeError:
            continue
        holds = file.message_type or file.enum_type or file.service or file.extension
        if holds and len(raw) > sizes.get(file.name, 0):
            sizes[file.name] = len(raw)
            yield file.name, file


def _end(data: mmap.mmap, position: int) -> int:
    """Where the message that starts at `position` ends: at the first thing that can't be its next field."""
    last = 0
    while True:
        try:
            tag, value = _varint(data, position)
            number, wire_type = tag >> 3, tag & 7
            if number not in _FIELDS or number < last or number == last == 1:
                return position
            if wire_type == _LENGTH_DELIMITED:
                length, start = _varint(data, value)
                if length > _LARGEST or start + length > len(data):
                    return position
                following = start + length
            elif wire_type == _VARINT:
                _, following = _varint(data, value)
            else:
                return position
        except (IndexError, ValueError):
            return position
        last, position = number, following


def _varint(data: mmap.mmap, position: int) -> tuple[int, int]:
    """Reads a variable-length integer; returns it with the position behind it."""
    result = shift = 0
    while True:
        byte = data[position]
        position += 1
        result |= (byte & 127) << shift
        if byte < 128:  # noqa: PLR2004 - the top bit says that more follows
            return result, position
        shift += 7
        if shift > 63:  # noqa: PLR2004 - ten bytes at most
            raise ValueError("not a varint")


def _write(path: Path, content: bytes) -> None:
    """Keeps a file for the next start. A cache that can't be written is not an error."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, content)
