"""Settings of a service: a frozen dataclass, filled from environment variables."""

import dataclasses
import enum
import types
import typing
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

from protomesh.runtime.cannot_start import CannotStart
from protomesh.runtime.durations import parse_duration

__all__ = ["InvalidSettings", "Secret", "read_settings"]

SettingsT = TypeVar("SettingsT")
_TRUE, _FALSE = frozenset({"1", "true", "yes", "on"}), frozenset({"0", "false", "no", "off"})


class InvalidSettings(CannotStart):
    """Settings are missing or have values that they can't have. Names every one of them, and no value."""


class Secret:
    """A value that must not be printed: text and representation hide it, `reveal` gives it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The value. Call it where it is used, and keep the result nowhere."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(***)"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


def read_settings(cls: type[SettingsT], environ: Mapping[str, str]) -> SettingsT:
    """Makes a dataclass from the environment: the field `provider_url` from the variable `PROVIDER_URL`.

    A field is a str, int, float, bool, timedelta ("500ms", "2s"), Path, Secret, an enum (by its value), or a tuple of
    one of these (with commas); `T | None` is None when the variable is not set. A variable that is set and empty
    counts as not set.

    Raises:
        InvalidSettings: at least one is missing or wrong.
        TypeError: `cls` is not a dataclass, or has a field of another type.
    """
    if not dataclasses.is_dataclass(cls):
        raise TypeError(f"{cls.__name__} is not a dataclass; settings are declared as one, with frozen=True")
    hints = typing.get_type_hints(cls)
    values: dict[str, Any] = {}
    wrong: list[str] = []
    for field in dataclasses.fields(cls):
        if not field.init:
            continue
        parse, wanted, optional = _parser(hints[field.name], f"{cls.__name__}.{field.name}")
        variable = field.name.upper()
        text = environ.get(variable)
        if text:
            try:
                values[field.name] = parse(text)
            except ValueError:
                wrong.append(f"{variable} has to be {wanted}")  # the value stays out of it: it may be a secret
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            if optional:
                values[field.name] = None
            else:
                wrong.append(f"{variable} is not set; it has to be {wanted}")
    if wrong:
        raise InvalidSettings("; ".join(wrong))
    return cls(**values)


def _parser(hint: Any, name: str) -> tuple[Callable[[str], Any], str, bool]:
    """How a type is read, how it is called, and whether None is one of its values."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in {typing.Union, types.UnionType}:
        others = [argument for argument in arguments if argument is not types.NoneType]
        if len(others) == 1 and len(arguments) > 1:
            parse, wanted, _ = _parser(others[0], name)
            return parse, wanted, True
    elif origin is tuple and len(arguments) == 2 and arguments[1] is ...:  # noqa: PLR2004 - tuple[T, ...]
        parse, wanted, _ = _parser(arguments[0], name)
        return lambda text: tuple(parse(part.strip()) for part in text.split(",")), f"{wanted}, with commas", False
    elif isinstance(hint, type) and issubclass(hint, enum.Enum):
        return _enum(hint), "one of " + ", ".join(str(member.value) for member in hint), False
    elif hint in _READERS:
        parse, wanted = _READERS[hint]
        return parse, wanted, False
    raise TypeError(f"{name}: settings can't have the type {hint}")


def _enum(cls: type[enum.Enum]) -> Callable[[str], enum.Enum]:
    members = {str(member.value): member for member in cls}

    def parse(text: str) -> enum.Enum:
        if text not in members:
            raise ValueError(text)
        return members[text]

    return parse


def _bool(text: str) -> bool:
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ValueError(text)


_READERS: dict[type, tuple[Callable[[str], Any], str]] = {
    str: (str, "text"),
    int: (int, "a whole number"),
    float: (float, "a number"),
    bool: (_bool, "true or false"),
    timedelta: (parse_duration, "a duration such as 500ms or 2s"),
    Path: (Path, "a path"),
    Secret: (Secret, "text"),
}
