"""What the generated package facades are made of."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from protomesh.runtime.errors import DeclaredError

__all__ = ["load"]


def load(namespace: dict[str, Any], name: str, names: Mapping[str, str], errors: Mapping[str, str]) -> Any:
    """Finds a name of a facade, and keeps it there. The facade's `__getattr__` (PEP 562) calls it.

    `names` and `errors` say which module has a message, enum, stub or servicer, or the message of an error.

    Raises:
        AttributeError: the contract declares no such name.
    """
    package = namespace["__name__"]
    if module := names.get(name):
        value: Any = getattr(import_module(module), name)
    elif module := errors.get(name):
        value = DeclaredError.for_message(getattr(import_module(module), name), package)
    else:
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return namespace.setdefault(name, value)
