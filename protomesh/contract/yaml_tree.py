"""YAML with the place of every value: what mesh.yaml and its overlays are read as."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from protomesh.contract.report import Report, Rule
from protomesh.model import Origin

__all__ = ["RULES", "Tree", "read_tree"]

SYNTAX = Rule(id="YAML_SYNTAX", means="The file is not YAML, or says a key twice.")
UNSET_VARIABLE = Rule(id="UNSET_VARIABLE", means="${VAR} names an environment variable that is not set.")
RULES = (SYNTAX, UNSET_VARIABLE)

Path = tuple[str | int, ...]
_VARIABLE = re.compile(r"\$\$|\$\{([A-Za-z_][A-Za-z0-9_]*)(?:(:-)([^}]*))?\}|\$\{")
_TAGS: dict[str, Callable[[str], Any]] = {
    "int": int,
    "float": float,
    "null": lambda _: None,
    "bool": lambda text: text.lower() == "true",
}


@dataclass(slots=True, kw_only=True)
class Tree:
    """Plain values (dict, list, str, int, float, bool, None) and where each was written."""

    data: Any
    file: str
    keys: dict[Path, Origin] = field(default_factory=dict)  # where a mapping's key stands
    values: dict[Path, Origin] = field(default_factory=dict)
    literals: set[Path] = field(default_factory=set)  # strings that hold text of the file's own, defaults included

    def origin(self, path: Path) -> Origin:
        """Where the value at `path` is: at its key if it has one. An absent value is at what encloses it."""
        path = self._written(path)
        while path:
            if found := self.keys.get(path) or self.values.get(path):
                return found
            path = path[:-1]
        return Origin(file=self.file)

    def value_origin(self, path: Path) -> Origin:
        """Where the value itself begins."""
        return self.values.get(self._written(path)) or self.origin(path)

    def _written(self, path: Path) -> Path:
        """Where `path` leads in the file itself: what may be a list can be its only item, without the list."""
        inner, found = self.data, []
        for part in path:
            if isinstance(inner, dict) and isinstance(part, int):
                continue
            found.append(part)
            known = isinstance(inner, dict) or (isinstance(inner, list) and part in range(len(inner)))
            inner = (inner.get(part) if isinstance(inner, dict) else inner[part]) if known else None
        return tuple(found)

    def merged(self, overlay: "Tree") -> "Tree":
        """This tree with another over it: mappings merge key by key, all else is replaced, and null takes away."""
        result = Tree(
            data=self.data, file=self.file, keys={**self.keys}, values={**self.values}, literals={*self.literals}
        )
        result.data = result._merge(self.data, overlay.data, overlay, ())
        return result

    def _merge(self, below: Any, above: Any, overlay: "Tree", path: Path) -> Any:
        if isinstance(below, dict) and isinstance(above, dict):
            data = dict(below)
            for key, value in above.items():
                inner = (*path, key)
                if value is None:
                    data.pop(key, None)
                    continue
                data[key] = self._merge(data.get(key), value, overlay, inner)
                if inner in overlay.keys and not (isinstance(value, dict) and isinstance(below.get(key), dict)):
                    self.keys[inner] = overlay.keys[inner]
            return data
        for places, theirs in ((self.keys, overlay.keys), (self.values, overlay.values)):
            for old in [known for known in places if known[: len(path)] == path and known != path]:
                del places[old]
            places.update({known: at for known, at in theirs.items() if known[: len(path)] == path})
        self.literals = {known for known in self.literals if known[: len(path)] != path}
        self.literals |= {known for known in overlay.literals if known[: len(path)] == path}
        return above


def read_tree(text: str, file: str, variables: Mapping[str, str], report: Report) -> Tree | None:
    """Reads one YAML 1.2 document and expands ${VAR} and ${VAR:-default} in its values; $$ is a dollar sign.

    A value that holds a variable is typed after it is expanded, quotes or not: `"${N:-2}"` is a number. Returns None
    after reporting that the text is not YAML. An empty document is an empty mapping.
    """
    try:
        node = YAML(typ="safe", pure=True).compose(text)
    except MarkedYAMLError as refused:
        mark = refused.problem_mark or refused.context_mark
        origin = Origin(file=file, line=mark.line + 1, column=mark.column + 1) if mark else Origin(file=file)
        report.add(SYNTAX, origin, refused.problem or refused.context or "not YAML", "Correct the YAML.")
        return None
    except YAMLError as refused:
        report.add(SYNTAX, Origin(file=file), str(refused).partition("\n")[0], "Correct the YAML.")
        return None
    tree = Tree(data={}, file=file)
    if node is not None:
        tree.data = _Reader(tree, variables, report).read(node, ())
    return tree


class _Reader:
    def __init__(self, tree: Tree, variables: Mapping[str, str], report: Report) -> None:
        self._tree = tree
        self._variables = variables
        self._report = report
        self._resolver = YAML(typ="safe", pure=True).resolver
        self._open: set[int] = set()  # the nodes around the one that is read

    def read(self, node: Node, path: Path) -> Any:
        self._tree.values[path] = self._origin(node)
        if id(node) in self._open:
            self._report.add(SYNTAX, self._origin(node), "an alias stands inside what it names", "Write it out.")
            return None
        self._open.add(id(node))
        try:
            return self._read(node, path)
        finally:
            self._open.remove(id(node))

    def _read(self, node: Node, path: Path) -> Any:
        if isinstance(node, MappingNode):
            data: dict[str, Any] = {}
            for key, value in node.value:
                inner = (*path, str(key.value))
                if inner[-1] in data:
                    message = f"the key {inner[-1]!r} is there twice"
                    self._report.add(SYNTAX, self._origin(key), message, "Remove one of them.")
                self._tree.keys[inner] = self._origin(key)
                data[str(key.value)] = self.read(value, inner)
            return data
        if isinstance(node, SequenceNode):
            return [self.read(value, (*path, index)) for index, value in enumerate(node.value)]
        return self._scalar(node, path)

    def _scalar(self, node: Node, path: Path) -> Any:
        text, tag = node.value, node.tag
        own = _VARIABLE.sub(lambda match: match[3] or "", text)
        if "$" in text:
            expanded = self._expand(text, path)
            if expanded != text:
                text = expanded
                tag = self._resolver.resolve(ScalarNode, text, (True, False)) if text else "str"
        value = _TAGS.get(str(tag).rpartition(":")[2], str)
        try:
            result = value(text)
        except ValueError:  # a number in a form that only YAML knows, as 0o17
            result = text
        if own.strip():
            self._tree.literals.add(path)
        return result

    def _expand(self, text: str, path: Path) -> str:
        def replace(match: re.Match[str]) -> str:
            if match[0] == "$$":
                return "$"
            name, default = match[1], match[3] if match[2] else None
            if name is None:
                message = f"{text!r} is not how a variable is written"
                self._report.add(SYNTAX, self._tree.values[path], message, "Write ${NAME} or ${NAME:-default}.")
                return ""
            found = self._variables.get(name)
            if found or (found is not None and default is None):
                return found
            if default is None:
                hint = f"Set it, or give a default: ${{{name}:-value}}."
                message = f"the environment variable {name} is not set"
                self._report.add(UNSET_VARIABLE, self._tree.values[path], message, hint)
            return default or ""

        return _VARIABLE.sub(replace, text)

    def _origin(self, node: Node) -> Origin:
        mark = node.start_mark
        return Origin(file=self._tree.file, line=mark.line + 1, column=mark.column + 1)
