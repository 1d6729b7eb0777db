"""The facade of a package: a table of names, each loaded from its `_pb2` module when it is first asked for."""

from protomesh.contract.python_plugin.docstring import quoted
from protomesh.contract.python_plugin.package import Package

__all__ = ["facade"]


def facade(package: Package) -> str:
    """The text of `__init__.py`.

    Names are loaded late because packages, other than files, may import each other in a circle.
    """
    names = {declared.name: declared.module for declared in package.data}
    for service in package.services:
        names |= {f"{service.name}{kind}": f"{service.module}_grpc" for kind in ("Servicer", "Stub")}
    errors = {error.name: error.module for error in package.errors}
    title = f"Generated from the contracts of {package.name}. DO NOT EDIT."
    text = quoted(f"{title}\n\n{package.comment}" if package.comment else title)
    lines = [
        text,
        "",
        "from protomesh.runtime.facade import load",
        "",
        *_mapping("_NAMES", names),
        *_mapping("_ERRORS", errors),
        "",
        "__all__ = [",
        *(f'    "{name}",' for name in package.exported()),
        "]",
        "",
        "",
        "def __getattr__(name):",
        "    return load(globals(), name, _NAMES, _ERRORS)",
        "",
        "",
        "def __dir__():",
        "    return __all__",
    ]
    return "\n".join(lines) + "\n"


def _mapping(variable: str, entries: dict[str, str]) -> list[str]:
    if not entries:
        return [f"{variable} = {{}}"]
    return [f"{variable} = {{", *(f'    "{name}": "{module}",' for name, module in sorted(entries.items())), "}"]
