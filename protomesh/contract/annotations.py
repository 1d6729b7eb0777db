"""What the contracts declare: services, methods, errors and events with their options, as written.

Nothing is resolved here: a method without a timeout of its own has none. `policies` does that, with mesh.yaml.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from google.api import annotations_pb2
from google.protobuf.descriptor_pb2 import (
    FileDescriptorProto,
    FileDescriptorSet,
    MethodDescriptorProto,
    MethodOptions,
    ServiceDescriptorProto,
)

from protomesh.contract.httprule import Pattern, patterns
from protomesh.contract.messages import Message, read_messages
from protomesh.contract.origins import Locations
from protomesh.model import Origin, Safety
from protomesh.v1 import options_pb2

__all__ = ["Contract", "DeclaredMessage", "MethodDeclaration", "ServiceDeclaration", "read_contract"]

_PACKAGE, _SERVICE, _METHOD = 2, 6, 2  # fields of FileDescriptorProto and ServiceDescriptorProto
_SERVICE_OPTIONS, _METHOD_OPTIONS, _MESSAGE_OPTIONS = 3, 4, 7
_POLICY, _EVENT, _HTTP, _IDEMPOTENCY = 51423, 51424, 72295728, 34  # numbers of the options
_CODE = 1  # of DeclaredError
_SAFETY = {
    MethodOptions.IDEMPOTENCY_UNKNOWN: Safety.UNSAFE,
    MethodOptions.NO_SIDE_EFFECTS: Safety.NO_SIDE_EFFECTS,
    MethodOptions.IDEMPOTENT: Safety.IDEMPOTENT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodDeclaration:
    """One RPC as its contract writes it."""

    full_name: str  # shop.catalog.v1.CatalogService/GetProduct
    request: Message
    response: Message
    client_streaming: bool
    server_streaming: bool
    deprecated: bool
    safety: Safety
    policy: options_pb2.MethodPolicy
    bindings: tuple[tuple[Pattern, Origin], ...]  # of google.api.http
    origin: Origin
    origins: Mapping[str, Origin]  # of each option that is set: fields of MethodPolicy, "safety"

    @property
    def name(self) -> str:
        """The method's own name."""
        return self.full_name.rpartition("/")[2]

    @property
    def streaming(self) -> bool:
        """Whether either side sends more than one message."""
        return self.client_streaming or self.server_streaming


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceDeclaration:
    """An RPC service as its contract writes it."""

    full_name: str
    package: str
    policy: options_pb2.ServicePolicy
    methods: tuple[MethodDeclaration, ...]
    origin: Origin
    origins: Mapping[str, Origin]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredMessage:
    """A message with the option error or event."""

    message: Message
    package: str
    error: options_pb2.DeclaredError | None
    event: options_pb2.DeclaredEvent | None
    origins: Mapping[str, Origin]  # "code", "message", "key"


@dataclass(slots=True, kw_only=True)
class Contract:
    """All contracts of a project together. Everything is by full name, sorted by file."""

    packages: dict[str, str] = field(default_factory=dict)  # file as Origin names it -> package
    package_origins: dict[str, Origin] = field(default_factory=dict)  # package -> its first declaration
    services: dict[str, ServiceDeclaration] = field(default_factory=dict)
    messages: dict[str, Message] = field(default_factory=dict)  # imported ones included
    errors: dict[str, DeclaredMessage] = field(default_factory=dict)
    events: dict[str, DeclaredMessage] = field(default_factory=dict)

    def methods(self) -> Iterator[tuple[ServiceDeclaration, MethodDeclaration]]:
        """Yields every method with its service."""
        return ((service, method) for service in self.services.values() for method in service.methods)

    def find_error(self, name: str, package: str) -> str | None:
        """The full name of a declared error as it is seen from a package, innermost scope first."""
        scopes = package.split(".")
        candidates = (".".join((*scopes[:depth], name)) for depth in range(len(scopes), -1, -1))
        return next((candidate for candidate in candidates if candidate in self.errors), None)

    def find_method(self, full_name: str) -> MethodDeclaration | None:
        """The method of that full name."""
        service = self.services.get(full_name.partition("/")[0])
        return next((m for m in service.methods if m.full_name == full_name), None) if service else None


def read_contract(root: Path, files: FileDescriptorSet, own: list[str]) -> Contract:
    """Reads the declarations in the `own` files of a compiled set; of the others only their messages.

    The mesh's own API (protomesh.*) is not the user's contract and is left out.
    """
    contract = Contract()
    declaring = {name for name in own if not name.startswith("protomesh/")}
    located: list[tuple[FileDescriptorProto, Locations]] = []
    for file in sorted(files.file, key=lambda file: file.name):
        mine = file.name in declaring
        text = (root / "protos" / file.name).read_text(encoding="utf-8", errors="replace") if mine else ""
        locations = Locations(file, text)
        contract.messages.update((m.full_name, m) for m in read_messages(file, locations))
        if mine:
            located.append((file, locations))
    for file, locations in located:
        contract.packages[f"protos/{file.name}"] = file.package
        contract.package_origins.setdefault(file.package, locations.origin((_PACKAGE,)))
        for index, service in enumerate(file.service):
            read = _service(contract, file.package, service, (_SERVICE, index), locations)
            contract.services[read.full_name] = read
        for message in read_messages(file, locations):
            _declared(contract, file.package, message, locations)
    return contract


def _service(
    contract: Contract, package: str, service: ServiceDescriptorProto, path: tuple[int, ...], locations: Locations
) -> ServiceDeclaration:
    full_name = f"{package}.{service.name}" if package else service.name
    policy = service.options.Extensions[options_pb2.service]
    return ServiceDeclaration(
        full_name=full_name,
        package=package,
        policy=policy,
        methods=tuple(
            _method(contract, full_name, method, (*path, _METHOD, index), locations)
            for index, method in enumerate(service.method)
        ),
        origin=locations.origin(path),
        origins=locations.option_fields(path, _SERVICE_OPTIONS, _POLICY, _set_fields(policy)),
    )


def _method(
    contract: Contract, service: str, method: MethodDescriptorProto, path: tuple[int, ...], locations: Locations
) -> MethodDeclaration:
    policy = method.options.Extensions[options_pb2.method]
    origins = locations.option_fields(path, _METHOD_OPTIONS, _POLICY, _set_fields(policy))
    if origin := locations.option(path, _METHOD_OPTIONS, _IDEMPOTENCY):
        origins["safety"] = origin
    http = method.options.HasExtension(annotations_pb2.http) and method.options.Extensions[annotations_pb2.http]
    return MethodDeclaration(
        full_name=f"{service}/{method.name}",
        request=contract.messages[method.input_type.removeprefix(".")],
        response=contract.messages[method.output_type.removeprefix(".")],
        client_streaming=method.client_streaming,
        server_streaming=method.server_streaming,
        deprecated=method.options.deprecated,
        safety=_SAFETY[method.options.idempotency_level],
        policy=policy,
        bindings=tuple(
            (pattern, locations.quoted(path, _METHOD_OPTIONS, _HTTP, pattern.template))
            for pattern in (patterns(http) if http else ())
        ),
        origin=locations.origin(path),
        origins=origins,
    )


def _declared(contract: Contract, package: str, message: Message, locations: Locations) -> None:
    options = message.descriptor.options
    is_error, is_event = options.HasExtension(options_pb2.error), options.HasExtension(options_pb2.event)
    if not (is_error or is_event):
        return
    error = options.Extensions[options_pb2.error] if is_error else None
    event = options.Extensions[options_pb2.event] if is_event else None
    origins: dict[str, Origin] = {}
    if error is not None:
        fields = [("code", _CODE), *_set_fields(error)]  # the rule about a code that is not there needs its place too
        origins |= locations.option_fields(message.path, _MESSAGE_OPTIONS, _POLICY, fields)
    if event is not None:
        origins |= locations.option_fields(message.path, _MESSAGE_OPTIONS, _EVENT, _set_fields(event))
    declared = DeclaredMessage(message=message, package=package, error=error, event=event, origins=origins)
    if is_error:
        contract.errors[message.full_name] = declared
    if is_event:
        contract.events[message.full_name] = declared


def _set_fields(
    policy: options_pb2.MethodPolicy
    | options_pb2.ServicePolicy
    | options_pb2.DeclaredError
    | options_pb2.DeclaredEvent,
) -> list[tuple[str, int]]:
    return [(descriptor.name, descriptor.number) for descriptor, _ in policy.ListFields()]
