"""The types of a package's facade: the text of `__init__.pyi`."""

import keyword

from google.protobuf.descriptor_pb2 import DescriptorProto, MethodDescriptorProto, ServiceDescriptorProto
from grpc.aio import AioRpcError

from protomesh.contract.python_plugin.docstring import quoted
from protomesh.contract.python_plugin.field_type import field_type
from protomesh.contract.python_plugin.imports import Imports
from protomesh.contract.python_plugin.package import Declared, Package

__all__ = ["types"]

# What every exception of grpc.aio has already: such a field is read from the error's `detail`.
_TAKEN = frozenset(
    {*dir(AioRpcError), "detail", "for_message", "from_call", "from_detail", "message_type", "received", "status"}
)


def types(package: Package) -> str:
    """The text of `__init__.pyi`.

    Servicers are abstract, so that a forgotten method is an error of the type checker; at run time they are those
    that grpc generates.
    """
    imports = Imports()
    body: list[str] = []
    for service in package.services:
        body += ["", *_stub(service, package, imports), "", *_servicer(service, package, imports)]
    for error in package.errors:
        body += ["", *_error(error, package, imports)]
    reexports = [
        f"from {declared.module} import {declared.name} as {declared.name}"
        for declared in sorted(package.data, key=lambda d: (d.module, d.name))
    ]
    title = f"Generated from the contracts of {package.name}. DO NOT EDIT."
    lines = [
        quoted(f"{title}\n\n{package.comment}" if package.comment else title),
        "",
        *imports.lines(),
        *reexports,
        "",
        "__all__ = [",
        *(f'    "{name}",' for name in package.exported()),
        "]",
        *body,
    ]
    return "\n".join(lines) + "\n"


def _stub(service: Declared[ServiceDescriptorProto], package: Package, imports: Imports) -> list[str]:
    aio = imports.module("grpc.aio")
    lines = [f"class {service.name}Stub:"]
    if service.comment:
        lines.append(f"    {quoted(service.comment, '    ')}")
    lines.append(f"    def __init__(self, channel: {aio}.Channel) -> None: ...")
    for method in _methods(service):
        request, response = _messages(method, package, imports)
        kind = ("Stream" if method.client_streaming else "Unary") + ("Stream" if method.server_streaming else "Unary")
        lines.append(f"    {method.name}: {aio}.{kind}MultiCallable[{request}, {response}]")
        if comment := service.comments[method.name]:
            lines.append(f"    {quoted(comment, '    ')}")
    return lines


def _servicer(service: Declared[ServiceDescriptorProto], package: Package, imports: Imports) -> list[str]:
    abc = imports.module("abc")
    context = f"{imports.module('protomesh.runtime.context')}.Context"
    lines = [f"class {service.name}Servicer({abc}.ABC):"]
    if service.comment:
        lines.append(f"    {quoted(service.comment, '    ')}")
    elif not service.proto.method:
        lines.append("    ...")
    for method in _methods(service):
        request, response = _messages(method, package, imports)
        if method.client_streaming or method.server_streaming:
            iterator = f"{imports.module('collections.abc')}.AsyncIterator"
            request = f"{iterator}[{request}]" if method.client_streaming else request
            response = f"{iterator}[{response}]" if method.server_streaming else response
        # An async generator is declared without `async`: calling it gives the iterator at once.
        function = "def" if method.server_streaming else "async def"
        lines.append(f"    @{abc}.abstractmethod")
        signature = f"    {function} {method.name}(self, request: {request}, context: {context}, /) -> {response}:"
        comment = service.comments[method.name]
        lines += [signature, f"        {quoted(comment, '        ')}"] if comment else [f"{signature} ..."]
    return lines


def _error(error: Declared[DescriptorProto], package: Package, imports: Imports) -> list[str]:
    lines = [f"class {error.name}({imports.module('protomesh.runtime.errors')}.DeclaredError):"]
    if error.comment:
        lines.append(f"    {quoted(error.comment, '    ')}")
    path = f"{imports.module(error.module)}.{error.name}"
    messages = [inner.name for inner in error.proto.nested_type if not inner.options.map_entry]
    nested = (*messages, *(inner.name for inner in error.proto.enum_type))
    lines.extend(f"    {name}: {imports.module('typing')}.TypeAlias = {path}.{name}" for name in nested)
    parameters: list[str] = []
    attributes: list[str] = []
    for field in error.proto.field:
        if keyword.iskeyword(field.name) or field.name == "self":
            continue  # reached by the error's detail only
        both = field_type(field, package, imports, explicit=error.explicit)
        parameters.append(f"{field.name}: {both.given} = ...")
        if field.name in _TAKEN:
            continue
        attributes += ["    @_builtins.property", f"    def {field.name}(self) -> {both.read}:"]
        if comment := error.comments[field.name]:
            attributes.append(f"        {quoted(comment, '        ')}")
        else:
            attributes[-1] += " ..."
    keywords = f", *, {', '.join(parameters)}" if parameters else ""
    lines.append(f"    def __init__(self{keywords}) -> None: ...")
    lines += ["    @_builtins.property", f"    def detail(self) -> {path}: ..."]
    return lines + attributes


def _methods(service: Declared[ServiceDescriptorProto]) -> list[MethodDescriptorProto]:
    """The methods that Python can name: `rpc import(...)` is reached with getattr only."""
    return [method for method in service.proto.method if not keyword.iskeyword(method.name)]


def _messages(method: MethodDescriptorProto, package: Package, imports: Imports) -> tuple[str, str]:
    request, response = package.names[method.input_type], package.names[method.output_type]
    return f"{imports.module(request.module)}.{request.name}", f"{imports.module(response.module)}.{response.name}"
