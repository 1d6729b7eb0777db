"""What a verb does to a service's database, in a process of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from protomesh.cli.exits import ExitCode, Failure
from protomesh.cli.project import Project
from protomesh.control.accounts import check_accounts
from protomesh.diagnostics import InvalidProject
from protomesh.model import PythonApp, Service
from protomesh.runtime.launch import environment
from protomesh.supervisor import AccountUnusable, Owner
from protomesh.supervisor.account import become, own_environment
from protomesh.supervisor.belongings import own_data
from protomesh.supervisor.environment import InvalidEnvironmentFile, worker_environment

__all__ = ["ServiceData", "owner_of"]

_STUBS = Path("generated/python")  # as a worker has them


def owner_of(service: Service) -> Owner | None:
    """Who its workers run as; None if that is who we are.

    Raises:
        Failure: it can't be had here; with the line that wants it.
    """
    try:
        check_accounts([service])
    except InvalidProject as invalid:
        raise Failure("\n".join(map(str, invalid.problems)), ExitCode.INVALID) from invalid
    return Owner.of(service)


@dataclass(frozen=True, slots=True)
class ServiceData:
    """The data of one service, in the environment that its workers have: so it is the same database as theirs."""

    project: Project
    service: str
    package: str  # of its code: services.catalog
    environment: Mapping[str, str]
    owner: Owner | None  # who the workers run as; we if None

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
        owner = owner_of(service)
        return cls(project, name, module.rpartition(".")[0] or module, {**own_environment(owner), **told}, owner)

    def run(self, module: str, *arguments: str, as_owner: bool = True) -> bool:
        """Runs `python -m module`, prints what it says, and returns whether that was anything.

        As the user whom the data belongs to, or as who we are: to write into the project.

        Raises:
            Failure: it failed.
        """
        owner = self.owner if as_owner else None
        layout, argv = self.project.layout, [sys.executable, "-m", module, *arguments]
        if owner is not None:
            self._give(owner)
        with become(
            owner, argv, {**self.environment, "PYTHONPATH": self._path()}, [str(layout.data(self.service))]
        ) as start:
            done = subprocess.run(  # noqa: S603 - this very Python
                start.argv,
                env=start.env,
                cwd=self.project.root,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                check=False,
                pass_fds=start.descriptors,
            )
        print(done.stdout, end="")
        if done.returncode:
            invalid = done.returncode == ExitCode.INVALID
            raise Failure(done.stderr.rstrip(), ExitCode.INVALID if invalid else ExitCode.FAILED)
        return bool(done.stdout)

    def _give(self, owner: Owner) -> None:
        try:
            own_data(self.project.layout, self.service, owner)
        except (AccountUnusable, OSError) as error:
            raise Failure(str(error), ExitCode.FAILED) from error

    def _path(self) -> str:
        given = self.environment.get("PYTHONPATH")
        return os.pathsep.join([str(self.project.root / _STUBS), *([given] if given else [])])
