"""The escape hatch: fields of Envoy's own resources, set by hand in envoy/overrides/*.yaml.

A file holds resources by kind and name, and of each only what is to be different:

    cluster:
      catalog:
        connect_timeout: 3s

They are laid over what was rendered, last of all: fields of messages are merged, a list replaces a list, null removes.
"""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from protomesh.diagnostics import Problems
from protomesh.model import Origin
from protomesh.targets.envoy.configuration import Configuration
from protomesh.targets.envoy.merge import merge
from protomesh.targets.envoy.names import CLUSTER, EXTENSION, LISTENER, ROUTES, Body
from protomesh.targets.envoy.yaml import line_of, read

__all__ = ["KINDS", "Override", "apply", "load"]

KINDS: Mapping[str, str] = {
    "cluster": CLUSTER,
    "filter": EXTENSION,
    "listener": LISTENER,
    "route_configuration": ROUTES,
}
"""Type URLs by the kinds that a file may name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What is to be different in one resource."""

    kind: str  # a key of KINDS
    name: str
    body: Body
    origin: Origin


def load(root: Path) -> tuple[Override, ...]:
    """Reads `envoy/overrides/*.yaml` of a project, in the order of the files' names. None is no error.

    Raises:
        InvalidProject: a file is no YAML, names a kind that does not exist, or is built differently.
    """
    problems = Problems()
    found = [
        override
        for path in sorted((root / "envoy" / "overrides").glob("*.yaml"))
        for override in _overrides(path, path.relative_to(root).as_posix(), problems)
    ]
    problems.raise_if_any()
    return tuple(found)


def apply(configuration: Configuration, overrides: Iterable[Override]) -> Configuration:
    """The configuration with the overrides laid over it, in their order.

    Raises:
        InvalidProject: an override names a resource that there is not.
    """
    problems = Problems()
    resources = {(resource.type_url, resource.name): resource for resource in configuration.resources()}
    for override in overrides:
        key = (KINDS[override.kind], override.name)
        if key not in resources:
            names = [name for type_url, name in resources if type_url == key[0]]
            problems.error(
                override.origin,
                "OVERRIDE_OF_NOTHING",
                f"there is no {override.kind} {override.name!r}",
                _did_you_mean(override.name, names) or f"There are: {', '.join(sorted(names))}.",
            )
            continue
        rendered = resources[key]
        resources[key] = replace(
            rendered,
            body=merge(rendered.body, override.body),
            origins={**rendered.origins, override.name: override.origin},
        )
    problems.raise_if_any()
    return Configuration(resources.values())


def _overrides(path: Path, file: str, problems: Problems) -> Iterator[Override]:
    content = read(path, file, problems)
    if content is None:
        return
    for kind, resources in content.items():
        if kind not in KINDS:
            hint = _did_you_mean(str(kind), KINDS) or f"Kinds are: {', '.join(KINDS)}."
            problems.error(line_of(content, kind, file), "OVERRIDE_KIND", f"{kind!r} is no kind of resource", hint)
        elif not isinstance(resources, Mapping):
            hint = f"Write the {kind}'s name and, below it, what is to be different."
            problems.error(line_of(content, kind, file), "OVERRIDE_SHAPE", f"{kind} holds no names", hint)
        else:
            for name, body in resources.items():
                origin = line_of(resources, name, file)
                if isinstance(body, Mapping):
                    yield Override(kind=kind, name=str(name), body=dict(body), origin=origin)
                else:
                    hint = "Write fields of the resource and their values."
                    problems.error(origin, "OVERRIDE_SHAPE", f"{kind} {name!r} holds no fields", hint)


def _did_you_mean(name: str, known: Iterable[Any]) -> str:
    close = difflib.get_close_matches(name, list(map(str, known)), n=1)
    return f"Did you mean {close[0]}?" if close else ""
