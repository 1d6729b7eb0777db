"""Writes a topology for people: complete, but for the descriptors and what is empty."""

import dataclasses
import enum
import io
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from ruamel.yaml import YAML

from protomesh.contract import Compilation
from protomesh.contract.durations import format_duration
from protomesh.model import Command, External, Origin, PythonApp, TcpAddress, UnixAddress

__all__ = ["model_yaml"]

_TOLD_EVEN_IF_EMPTY = {"timeout", "retry", "reflection", "enabled", "after_response"}
_KINDS = (Command, External, PythonApp)  # one field holds either: its kind is told


def model_yaml(compilation: Compilation) -> str:
    """The topology as YAML, in the model's own words."""
    data = _plain(dataclasses.replace(compilation.topology, descriptors=b""))
    if compilation.silenced:
        data["silenced"] = compilation.silenced
    yaml = YAML()
    yaml.width = 120
    text = io.StringIO()
    yaml.dump(data, text)
    return text.getvalue()


def _plain(value: Any) -> Any:
    if isinstance(value, Origin | TcpAddress | UnixAddress):
        return str(value)
    if isinstance(value, timedelta):
        return format_duration(value)
    if isinstance(value, enum.Enum):
        return value.value
    if dataclasses.is_dataclass(value):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
        plain = {name: _plain(inner) for name, inner in fields.items() if _told(name, inner)}
        return {type(value).__name__: plain} if isinstance(value, _KINDS) else plain
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, tuple) else value


def _told(name: str, value: Any) -> bool:
    return name in _TOLD_EVEN_IF_EMPTY or value not in (None, False, "", b"", (), {})
