"""The imports of a generated file: each module once, under a name that no contract can have."""

__all__ = ["Imports"]


class Imports:
    """Collects modules while a file is written.

    Every alias begins with an underscore and spells the whole path, so that a message named Context, or two files of
    one name in different packages, clash with nothing.
    """

    def __init__(self) -> None:
        self._modules: dict[str, str] = {"builtins": "_builtins"}

    def module(self, name: str) -> str:
        """The name under which the file sees a module."""
        return self._modules.setdefault(name, "_" + name.replace("_", "__").replace(".", "_"))

    def lines(self) -> list[str]:
        """The import statements, sorted."""
        return [f"import {name} as {alias}" for name, alias in sorted(self._modules.items())]
