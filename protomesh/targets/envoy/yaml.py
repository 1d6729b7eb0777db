"""YAML in and out: hand-written facts with their line numbers, and text that is made for reading."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

from protomesh.diagnostics import Problems
from protomesh.model import Origin

__all__ = ["dump", "line_of", "read", "read_overlay"]


def read(path: Path, file: str, problems: Problems) -> Mapping[str, Any] | None:
    """The mapping in a YAML file; None if it is empty or has a problem, which is then among `problems`."""
    hint = "Correct the file, or remove it if it is not needed."
    try:
        content = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        origin = Origin(file=file, line=mark.line + 1, column=mark.column + 1) if mark else Origin(file=file)
        problems.error(origin, "ENVOY_YAML", error.problem or "is not YAML", hint)
        return None
    except (OSError, UnicodeDecodeError, YAMLError) as error:
        problems.error(Origin(file=file), "ENVOY_YAML", f"cannot be read: {error}", hint)
        return None
    if content is None:
        return None
    if not isinstance(content, Mapping):
        problems.error(Origin(file=file), "ENVOY_YAML", "holds no mapping", hint)
        return None
    return content


def line_of(mapping: Mapping[str, Any], key: Any, file: str) -> Origin:
    """Where a key of a mapping that `read` gave was written."""
    line, column = mapping.lc.key(key)  # type: ignore[attr-defined]  # ruamel's mappings know their lines
    return Origin(file=file, line=line + 1, column=column + 1)


def read_overlay(root: Path) -> dict[str, Any]:
    """Reads `envoy/bootstrap.yaml` of a project, what is laid over the bootstrap; empty if there is none.

    Raises:
        InvalidProject: it is no YAML mapping.
    """
    path = root / "envoy" / "bootstrap.yaml"
    if not path.is_file():
        return {}
    problems = Problems()
    content = read(path, "envoy/bootstrap.yaml", problems)
    problems.raise_if_any()
    return {key: _plain(value) for key, value in (content or {}).items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value


class _Representer(SafeRepresenter):
    """Writes text of several lines, as a filter's code, line by line."""

    def represent_str(self, data: str) -> ScalarNode:
        style = "|" if "\n" in data else None
        node: ScalarNode = self.represent_scalar("tag:yaml.org,2002:str", data, style=style)
        return node


_Representer.add_representer(str, _Representer.represent_str)


def dump(value: Any) -> str:
    """Block-style YAML with sorted keys: equal values give equal text."""
    writer = YAML(typ="safe", pure=True)
    writer.Representer = _Representer
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = True  # type: ignore[assignment]  # the stub says None
    writer.width = 4096  # a line is never folded, so that a diff shows what changed
    writer.representer.ignore_aliases = lambda _: True
    text = io.StringIO()
    writer.dump(value, text)
    return text.getvalue()
