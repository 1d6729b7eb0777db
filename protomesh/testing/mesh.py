"""The whole mesh of a project, for tests: its services behind a real Envoy, on a free port, with data of its own."""

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from grpc import aio, ssl_channel_credentials

from protomesh.contract import compile_project
from protomesh.control.channel import unix_channel
from protomesh.control.tether import hold
from protomesh.model import Tls
from protomesh.supervisor.layout import layout_for

__all__ = ["MeshFailed", "RunningMesh", "started"]

_COMMAND = (sys.executable, "-c", "from protomesh.cli.main import main; main()")
_LIMIT_SECONDS = 120  # for one verb; a first start runs every service's migrations
_NOT_COPIED = frozenset({".git", ".protomesh", "__pycache__", "build", "dist", "node_modules"})


class MeshFailed(Exception):  # noqa: N818 - it says what happened
    """The mesh did not start. The text is what the command printed."""


class RunningMesh:
    """A mesh that is up, as its callers and its operator see it.

    `root` is a copy of the project: what services store there is gone after the tests, and a mesh that runs in the
    project itself is not disturbed. `gateway` is `host:port` of its first gateway.
    """

    def __init__(self, root: Path, gateway: str, tls: Tls | None = None) -> None:
        self.root = root
        self.gateway = gateway
        self._tls = tls

    def channel(self) -> aio.Channel:
        """A channel to the gateway: what callers from outside may do. Made inside the running loop; close it."""
        if self._tls is None:
            return aio.insecure_channel(self.gateway)
        authority = Path(layout_for(self.root).development_ca).read_bytes() if self._tls.development else None
        return aio.secure_channel(self.gateway, ssl_channel_credentials(authority))

    def operator(self) -> aio.Channel:
        """A channel to every method, INTERNAL ones included. Made inside the running loop; close it."""
        return unix_channel(layout_for(self.root).operator_socket)


@contextmanager
def started(project: Path, directory: Path) -> Generator[RunningMesh]:
    """Runs a copy of `project`, made in `directory`, until the block or this process ends, however it does.

    A gateway that listens on `${PORT:-8080}` gets a free port; one with a fixed port needs that port. Stubs are taken
    as they are: run `protomesh proto` first.

    Raises:
        MeshFailed: it did not start; nothing of it is left.
    """
    root = directory / project.resolve().name
    shutil.copytree(project, root, symlinks=True, ignore=_left_out)
    environment = {**os.environ, "PORT": str(_free_port())}

    def protomesh(*arguments: str, tether: tuple[int, ...] = ()) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(  # noqa: S603 - our own command
            [*_COMMAND, *arguments],
            cwd=root,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_LIMIT_SECONDS,
            check=False,
            pass_fds=tether,
        )

    with hold() as tether:  # the mesh ends with this process, also if that is killed
        try:
            done = protomesh("up", "--tether", str(tether), tether=(tether,))
            if done.returncode != 0:
                raise MeshFailed(f"protomesh up ended with {done.returncode}:\n{done.stdout}{done.stderr}")
            gateway = compile_project(root, variables=environment).topology.gateways[0]
            yield RunningMesh(root, json.loads(protomesh("status", "--json").stdout)["gateways"][0], gateway.tls)
        finally:
            protomesh("down")


def _left_out(directory: str, names: list[str]) -> set[str]:
    """What a copy does not need: derived files, and environments wherever they are called what."""
    environments = {name for name in names if Path(directory, name, "pyvenv.cfg").is_file()}
    return environments | _NOT_COPIED.intersection(names)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
