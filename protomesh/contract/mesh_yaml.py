"""mesh.yaml and its overlays: read, merged, checked for shape, every value with its place."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from protomesh.contract.mesh_schema import USERS_ELSEWHERE, Contracts, MeshFile, Override, ServiceFile
from protomesh.contract.report import Report, Rule, did_you_mean
from protomesh.contract.yaml_tree import Tree, read_tree
from protomesh.model import Origin, TcpAddress, UnixAddress

__all__ = ["RULES", "Layer", "Mesh", "mesh_files", "read_mesh"]

NO_MESH_YAML = Rule(id="NO_MESH_YAML", means="mesh.yaml, or the overlay of the environment asked for, is not there.")
UNKNOWN_KEY = Rule(id="UNKNOWN_KEY", means="mesh.yaml has a key that means nothing.")
MISSING_KEY = Rule(id="MISSING_KEY", means="mesh.yaml lacks a key that must be there.")
INVALID_VALUE = Rule(id="INVALID_VALUE", means="A value in mesh.yaml is not of the kind its key holds.")
LITERAL_SECRET = Rule(
    id="LITERAL_SECRET", means="A password, token or key stands in mesh.yaml, which is not kept secret.", required=False
)
RULES = (NO_MESH_YAML, UNKNOWN_KEY, MISSING_KEY, INVALID_VALUE, LITERAL_SECRET)

_SECRET_KEY = re.compile(r"(?i)(^|_)(passwords?|passwd|secrets?|tokens?|keys?|credentials?|apikey)$")
_SECRET_URL = re.compile(r"://[^/@:\s]*:[^/@\s]+@")
_WHAT_RUNS = ("run", "command", "address")
_HINTS = {"retry": "A retry is a promise of the contract: set (protomesh.v1.method).retry there."}
_ENVIRONMENT = re.compile(r"[a-z][a-z0-9-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """What one file says about policies: mesh.yaml first, its overlay after it."""

    contracts: Mapping[str, Contracts]  # those of the files before it included
    overrides: Mapping[str, Override]  # its own
    tree: Tree  # its own places; of `contracts` those of all files so far
    contracts_tree: Tree


@dataclass(frozen=True, slots=True, kw_only=True)
class Mesh:
    """mesh.yaml with its overlay merged in."""

    file: MeshFile
    tree: Tree
    layers: tuple[Layer, ...]
    complete: bool = True  # False if it has errors: it then says what it can about contracts, and has no services

    def origin(self, *path: str | int) -> Origin:
        """Where the key or value at `path` stands."""
        return self.tree.origin(path)


def mesh_files(root: Path, environment: str) -> list[Path]:
    """The files that make up the configuration of an environment, the weakest first."""
    return [root / "mesh.yaml", *([root / f"mesh.{environment}.yaml"] if environment != "base" else [])]


def read_mesh(root: Path, environment: str, variables: Mapping[str, str], report: Report) -> Mesh | None:
    """Reads mesh.yaml and, for any environment but "base", mesh.<environment>.yaml over it.

    Reports what is wrong. Then the result is not complete, or None if not even that could be read.
    """
    trees: list[Tree] = []
    if not _ENVIRONMENT.fullmatch(environment):
        hint = "Use lower-case letters, digits and '-'."
        report.add(NO_MESH_YAML, Origin(file="mesh.yaml"), f"{environment!r} is not the name of an environment", hint)
        return None
    for path in mesh_files(root, environment):
        tree = _read_file(path, variables, report)
        if tree is None:
            return None
        trees.append(tree)
    base, *overlays = trees
    file = _validate(base, report)
    if file is None or report.failed:
        return _incomplete(base)
    layers = [Layer(contracts=file.contracts, overrides=file.overrides, tree=base, contracts_tree=base)]
    merged = base
    for overlay in overlays:
        merged = merged.merged(overlay)
        file = _validate(merged, report)
        if file is None:
            return _incomplete(merged)
        layers.append(
            Layer(
                contracts=file.contracts,
                overrides=_own_overrides(overlay, report),
                tree=overlay,
                contracts_tree=merged,
            )
        )
    _check_services(file, merged, report)
    _check_events(file, merged, report)
    return _incomplete(merged) if report.failed else Mesh(file=file, tree=merged, layers=tuple(layers))


def _incomplete(tree: Tree) -> Mesh | None:
    """What a file with errors says about contracts, so that these can be checked all the same."""
    sections = {name: tree.data[name] for name in ("contracts", "overrides") if name in tree.data}
    try:
        file = MeshFile.model_validate({"name": "incomplete", **sections})
    except ValidationError:
        return None
    layer = Layer(contracts=file.contracts, overrides=file.overrides, tree=tree, contracts_tree=tree)
    return Mesh(file=file, tree=tree, layers=(layer,), complete=False)


def _read_file(path: Path, variables: Mapping[str, str], report: Report) -> Tree | None:
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors begin a file with a mark
    except FileNotFoundError:
        hint = (
            f"Create {path.name}; `protomesh init` shows one." if path.name == "mesh.yaml" else f"Create {path.name}."
        )
        report.add(NO_MESH_YAML, Origin(file=path.name), f"there is no {path.name}", hint)
        return None
    except UnicodeDecodeError:
        report.add(NO_MESH_YAML, Origin(file=path.name), f"{path.name} is not text in UTF-8", "Save it as UTF-8.")
        return None
    except OSError as failed:
        message = f"{path.name} can't be read: {failed.strerror}"
        report.add(NO_MESH_YAML, Origin(file=path.name), message, "Make it a file that you may read.")
        return None
    tree = read_tree(text, path.name, variables, report)
    if tree is not None and not isinstance(tree.data, dict):
        hint = "Write key: value pairs, `name: shop` first."
        report.add(INVALID_VALUE, Origin(file=path.name), f"{path.name} is not a mapping", hint)
        return None
    return tree


def _own_overrides(overlay: Tree, report: Report) -> dict[str, Override]:
    """The overrides of an overlay by itself. Their shape is right: merged with those below they were validated."""
    written = overlay.data.get("overrides") or {}
    for path in [(key,) for key in written] + [(key, name) for key, value in written.items() for name in value or ()]:
        value = written[path[0]] if len(path) == 1 else written[path[0]][path[1]]
        if value is None:
            hint = "Set a lower value, or change the override in mesh.yaml."
            origin = overlay.origin(("overrides", *path))
            report.add(INVALID_VALUE, origin, f"{path[-1]!r} is null, and an overlay can't take an override away", hint)
    present = {key: value for key, value in written.items() if value is not None}
    return TypeAdapter(dict[str, Override]).validate_python(present)


def _validate(tree: Tree, report: Report) -> MeshFile | None:
    try:
        return MeshFile.model_validate(tree.data)
    except ValidationError as refused:
        for error in refused.errors(include_url=False):
            _report_error(error, tree, report)
        return None


def _report_error(error: ErrorDetails, tree: Tree, report: Report) -> None:
    path = tuple(part for part in error["loc"] if part != "[key]")
    origin, key = tree.origin(path), str(path[-1]) if path else ""
    if error["type"] == "extra_forbidden":
        known = _keys_at(path[:-1])
        hint = _HINTS.get(key) or did_you_mean(key, known, f"Known here: {', '.join(known)}.")
        report.add(UNKNOWN_KEY, origin, f"unknown key {key!r}", hint)
    elif error["type"] == "missing":
        report.add(MISSING_KEY, tree.origin(path[:-1]), f"the key {key!r} is missing", f"Add {key!r}.")
    elif error["type"] == "invalid":
        report.add(INVALID_VALUE, tree.value_origin(path), error["msg"], error.get("ctx", {})["hint"])
    else:
        name = ".".join(map(str, path))
        message = f"{name}: {error['msg'][:1].lower()}{error['msg'][1:]}".rstrip(".")
        report.add(INVALID_VALUE, tree.value_origin(path), message, f"Change {name}.")


def _keys_at(path: tuple[str | int, ...]) -> list[str]:
    """Keys that the section at `path` may have."""
    current: Any = MeshFile
    for part in path:
        if _is_section(current):
            current = _plain(current.model_fields[part].annotation)
        else:  # a list or dict of sections, and `part` is the index or the key in it
            current = _plain(get_args(current)[-1])
    return sorted(current.model_fields) if _is_section(current) else []


def _plain(annotation: Any) -> Any:
    """The type inside `Type | None` and Annotated[Type, ...]."""
    if get_origin(annotation) is Annotated:
        return _plain(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        return _plain(next(argument for argument in get_args(annotation) if argument is not type(None)))
    return annotation


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _check_services(file: MeshFile, tree: Tree, report: Report) -> None:
    for name, service in file.services.items():
        path = ("services", name)
        runs = [key for key in _WHAT_RUNS if getattr(service, key) is not None]
        if not runs:
            hint = "Add run: (a Python module:function), command: (any program) or address: (what already runs)."
            report.add(MISSING_KEY, tree.origin(path), f"{name} does not say what runs", hint)
        for key in runs[1:]:
            message = f"{name} has both {runs[0]} and {key}"
            report.add(INVALID_VALUE, tree.origin((*path, key)), message, "Keep one of them.")
        for key, why in _without_effect(service):
            report.add(INVALID_VALUE, tree.origin((*path, key)), f"{name} has {key}, and {why}", f"Remove {key}.")
        _check_elsewhere(name, service, tree, report)
        for key, value in service.env.items():
            inner = (*path, "env", key)
            secret = value and inner in tree.literals and (_SECRET_KEY.search(key) or _SECRET_URL.search(value))
            if secret:
                hint = f"Write ${{{key}}} and set it in the environment, or put it in a file and name that in env_file."
                report.add(LITERAL_SECRET, tree.value_origin(inner), f"{key} is a secret that stands in the file", hint)


def _check_elsewhere(name: str, service: ServiceFile, tree: Tree, report: Report) -> None:
    """What leaves this machine must say nothing that only this machine has a reason to believe, and no secret."""
    path, where = ("services", name), service.address
    if not isinstance(where, TcpAddress) or where.loopback:
        return
    if service.user == "token" and service.tls is None:
        hint = "Add tls: {ca: FILE} with the CA of its certificate."
        report.add(INVALID_VALUE, tree.origin((*path, "user")), f"tokens would go to {name} in plain text", hint)
    if service.subscribes:
        message = f"{name} is not on this machine, and events say by name alone on whose behalf they are published"
        report.add(INVALID_VALUE, tree.origin((*path, "subscribes")), message, "Let a service here tell it by a call.")


def _check_events(file: MeshFile, tree: Tree, report: Report) -> None:
    events, path = file.events, ("events", "url")
    if events.transport == "nats" and not events.url:
        hint = 'Add url: "nats://host:4222"; ${NATS_URL} if it has a password in it.'
        report.add(MISSING_KEY, tree.origin(("events",)), "events go by NATS, and nothing says where it is", hint)
    if events.transport == "mesh" and events.url:
        message = "events has a url, and the mesh itself carries them"
        report.add(INVALID_VALUE, tree.origin(path), message, "Remove url, or write transport: nats.")
    if "@" in events.url and path in tree.literals:
        hint = "Write url: ${NATS_URL} and set it in the environment."
        report.add(LITERAL_SECRET, tree.value_origin(path), "events.url has a secret that stands in the file", hint)


def _without_effect(service: ServiceFile) -> Iterator[tuple[str, str]]:
    """Keys that contradict what the service is, each with the reason."""
    if service.address is None:
        for key in ("protocol", "tls", "user"):
            value = getattr(service, key)
            if value is not None and (key != "user" or value in USERS_ELSEWHERE):
                said = f"user: {value}" if key == "user" else key
                yield key, f"the mesh starts it: {said} is for what has an address"
    else:
        yield from _without_effect_elsewhere(service)


def _without_effect_elsewhere(service: ServiceFile) -> Iterator[tuple[str, str]]:
    if service.user is not None and service.user not in USERS_ELSEWHERE:
        yield "user", "the mesh does not start what has an address: that has `user: token` or `user: none`"
    elif service.protocol == "http1" and service.user is not None:
        yield "user", "what speaks HTTP/1.1 is called on nobody's behalf"
    if service.tls is not None and isinstance(service.address, UnixAddress):
        yield "tls", "a unix socket is on this machine"
    if service.protocol == "http1" and service.serves:
        yield "serves", "what speaks HTTP/1.1 can't serve gRPC"
    for key in ("workers", "env", "env_file"):
        if key in service.model_fields_set:
            yield key, "the mesh does not start what has an address"
