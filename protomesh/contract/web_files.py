"""The files that a gateway answers: which are at which path, and what must not be among them.

The folder is what a build makes, so it is looked at twice: by the rules, and again by whoever reads the files.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from protomesh.contract.httprule import Template, parse_template
from protomesh.contract.report import Rule
from protomesh.diagnostics import Diagnostic
from protomesh.model import FilesRoute, Gateway, Method

__all__ = ["FILES_REFUSED", "LARGEST", "RULES", "Found", "find_files"]

FILES_CLASH = Rule(
    id="FILES_CLASH", means="A file to be answered has the path of a method, of another route or of the edge's own."
)
FILES_REFUSED = Rule(
    id="FILES_REFUSED",
    means="Files to be answered can't be read, are links that lead out of the folder, or are more than a gateway's "
    "configuration may carry: 4 MiB in all.",
)
RULES = (FILES_CLASH, FILES_REFUSED)

LARGEST = 4 * 1024 * 1024
"""Bytes of all files of a gateway: Envoy holds them in memory, and each change of a contract sends them again."""

_INDEX = "index.html"
_WITHOUT_ESCAPE = "/!$&'()*+,;=:@~"  # pchar of RFC 3986, as browsers leave it


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one gateway answers from its folders."""

    files: Mapping[str, Path]  # by the path that is asked for; an index.html also by its folder's
    missing: tuple[FilesRoute, ...]  # those whose folder is not there, or empty
    problems: tuple[tuple[Rule, Diagnostic], ...]


def find_files(root: Path, gateway: Gateway, exposed: Iterable[Method]) -> Found:
    """Looks what is in the folders now. Names that begin with a dot are left out.

    Args:
        root: The project.
        gateway: Whose routes are meant; a longer prefix comes first.
        exposed: The methods that exist at the edge: no file takes the place of one.
    """
    problems: list[tuple[Rule, Diagnostic]] = []
    files: dict[str, Path] = {}
    missing: list[FilesRoute] = []
    taken = _Taken(gateway, exposed)

    def refuse(rule: Rule, route: FilesRoute, message: str, hint: str) -> None:
        problems.append((rule, Diagnostic(origin=route.origin, rule=rule.id, message=message, hint=hint)))

    for route in gateway.files:
        folder = root / route.folder
        found = sorted(_visible(folder))
        if not found:
            missing.append(route)
        for file in found:
            shown = f"{route.folder}/{file.relative_to(folder).as_posix()}"
            if not file.is_file() or not file.resolve().is_relative_to(folder.resolve()):
                hint = "Put the file itself there."
                refuse(FILES_REFUSED, route, f"{shown} is a link that leads out of the folder, or to nothing", hint)
                continue
            for path in _paths(route.prefix, file.relative_to(folder).as_posix()):
                if whose := taken.by(path, route):
                    message = f"{shown} would be answered at {path}, and that is {whose}"
                    refuse(FILES_CLASH, route, message, "Rename the file, or choose another prefix.")
                elif path in files:
                    message = f"two files would be answered at {path}, {shown} one of them"
                    refuse(FILES_CLASH, route, message, "Rename one, or choose another prefix.")
                files.setdefault(path, file)
    sizes = sorted((_size(file), file.relative_to(root).as_posix()) for file in set(files.values()))
    if (total := sum(size for size, _ in sizes)) > LARGEST:
        size, name = sizes[-1]
        message = f"the files have {total:,} bytes and may have {LARGEST:,}; the largest is {name} with {size:,}"
        hint = "Make them smaller, or serve them from elsewhere: Envoy keeps these in memory."
        refuse(FILES_REFUSED, gateway.files[0], message, hint)
    return Found(files=files, missing=tuple(missing), problems=tuple(problems))


def _visible(folder: Path) -> Iterator[Path]:
    with suppress(OSError):  # a folder that a build takes away under our eyes: what comes then is looked at again
        for path in folder.rglob("*"):
            hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
            if not hidden and not (path.is_dir() and not path.is_symlink()):
                yield path


def _size(file: Path) -> int:
    """Nothing for a file that has gone since it was found: who reads it says so."""
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _paths(prefix: str, name: str) -> Iterator[str]:
    yield prefix + quote(name, safe=_WITHOUT_ESCAPE)
    if name == _INDEX or name.endswith(f"/{_INDEX}"):
        yield prefix + quote(name.removesuffix(_INDEX), safe=_WITHOUT_ESCAPE)


class _Taken:
    """Whose a path is already."""

    def __init__(self, gateway: Gateway, exposed: Iterable[Method]) -> None:
        methods = list(exposed)
        self._templates = [
            (_matches(parse_template(binding.template)), f"{binding.verb} {binding.template} of {method.full_name}")
            for method in methods
            for binding in method.rest
        ]
        self._exact = {"/healthz": "the edge's own"}
        if gateway.reflection:
            self._exact |= {"/docs": "the edge's own", "/docs/openapi.json": "the edge's own"}
        self._services = {f"/{method.full_name.partition('/')[0]}/" for method in methods}
        self._routes = gateway.routes

    def by(self, path: str, route: FilesRoute) -> str | None:
        if path in self._exact:
            return self._exact[path]
        for pattern, whose in self._templates:
            if pattern.fullmatch(path):
                return whose
        if any(path.startswith(prefix) for prefix in self._services):
            return "where gRPC methods are"
        longer = (other for other in self._routes if len(other.prefix) > len(route.prefix))
        return next((f"below the route to {other.service}" for other in longer if path.startswith(other.prefix)), None)


def _matches(template: Template) -> re.Pattern[str]:
    """What the transcoder takes for a call: `*` is one segment and `**` any number."""
    wildcards = {"*": "[^/]+", "**": ".*"}
    segments = (wildcards.get(segment, re.escape(segment)) for segment in template.segments)
    return re.compile("/" + "/".join(segments) + (re.escape(f":{template.verb}") if template.verb else ""))
