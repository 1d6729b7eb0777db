"""What a verb does to a service's database, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from protomesh.cli.exits import ExitCode, Failure
from protomesh.cli.project import Project
from protomesh.model import PythonApp
from protomesh.runtime.launch import environment
from protomesh.supervisor.environment import InvalidEnvironmentFile, worker_environment

__all__ = ["ServiceData"]

_STUBS = Path("generated/python")  # as a worker has them


@dataclass(frozen=True, slots=True)
class ServiceData:
    """The data of one service, in the environment that its workers have: so it is the same database as theirs."""

    project: Project
    service: str
    package: str  # of its code: services.catalog
    environment: Mapping[str, str]

    @classmethod
    def of(cls, project: Project, name: str) -> "ServiceData":
        """The data of a service, by its name in mesh.yaml.

        Raises:
            Failure: there is no such service, it is no Python app, or its env_file can't be read.
        """
        topology = project.compile().topology
        service = topology.services.get(name)
        if service is None:
            known = ", ".join(sorted(topology.services))
            raise Failure(f"mesh.yaml has no service {name!r}. It has: {known}.", ExitCode.INVALID)
        if not isinstance(service.runs, PythonApp):
            raise Failure(f"{name} is no Python app of this project: its data is its own affair.", ExitCode.INVALID)
        try:
            told = worker_environment(service, "unix:none", project.layout, project.root, environment)
        except InvalidEnvironmentFile as error:
            raise Failure(str(error), ExitCode.INVALID) from error
        module = service.runs.target.partition(":")[0]
        return cls(project, name, module.rpartition(".")[0] or module, {**os.environ, **told})

    def run(self, module: str, *arguments: str) -> bool:
        """Runs `python -m module`, prints what it says, and returns whether that was anything.

        Raises:
            Failure: it failed.
        """
        done = subprocess.run(  # noqa: S603 - this very Python
            [sys.executable, "-m", module, *arguments],
            env={**self.environment, "PYTHONPATH": self._path()},
            cwd=self.project.root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        print(done.stdout, end="")
        if done.returncode:
            invalid = done.returncode == ExitCode.INVALID
            raise Failure(done.stderr.rstrip(), ExitCode.INVALID if invalid else ExitCode.FAILED)
        return bool(done.stdout)

    def _path(self) -> str:
        given = self.environment.get("PYTHONPATH")
        return os.pathsep.join([str(self.project.root / _STUBS), *([given] if given else [])])
