"""`protomesh db`: the migrations of a service's database, and the database itself.

The work is done by `python -m protomesh.runtime.store` in a process of its own, in the environment that the service's
workers have: so it is the same database, whatever `env`, `env_file` or the shell say.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import typer

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.cli.connection import get_status
from protomesh.cli.exits import ExitCode, Failure
from protomesh.cli.project import Project
from protomesh.model import PythonApp
from protomesh.runtime.launch import environment
from protomesh.supervisor.environment import InvalidEnvironmentFile, worker_environment

__all__ = ["reset", "revision", "upgrade"]

_STORE = "protomesh.runtime.store"
_STUBS = Path("generated/python")  # as a worker has them


def revision(directory: Path | None, service: str, title: str) -> None:
    """Writes the next migration from what changed in the code's tables. Nothing but a new file is made.

    Raises:
        Failure: the service has no migrations, or they don't run.
    """
    migrations = _Migrations.of(Project.find(directory), service)
    migrations.run("revision", migrations.package, "--message", title)


def upgrade(directory: Path | None, service: str) -> None:
    """Runs the migrations that the database lacks. Workers may run: they do the same when they start.

    Raises:
        Failure: the service has no migrations, a migration failed, or the database can't be reached.
    """
    migrations = _Migrations.of(Project.find(directory), service)
    if not migrations.run("upgrade", migrations.package):
        print(f"{service}: the database has every migration")


def reset(directory: Path | None, service: str, *, yes: bool) -> None:
    """Removes everything in the database, asking first, and migrates it again: as before the first start.

    Raises:
        Failure: as for `upgrade`; or the service runs, or nobody agreed.
    """
    project = Project.find(directory)
    migrations = _Migrations.of(project, service)
    _refuse_running(project, service)
    where = migrations.where()
    if not yes:
        if not sys.stdin.isatty():
            raise Failure(f"nobody is here to ask; --yes removes everything in {where}", ExitCode.INVALID)
        if not typer.confirm(f"Remove everything in {where}?", err=True):
            raise Failure("nothing was changed")
        _refuse_running(project, service)  # a person may think for long
    migrations.run("reset", migrations.package)


@dataclass(frozen=True, slots=True)
class _Migrations:
    """Those of one service, and where they run."""

    project: Project
    service: str
    package: str
    environment: Mapping[str, str]

    @classmethod
    def of(cls, project: Project, name: str) -> "_Migrations":
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

    def where(self) -> str:
        """The database, as a person knows it, without a password."""
        try:
            from protomesh.runtime.store.url import NoDatabase, database_url, sqlite_file  # noqa: PLC0415 - an extra
        except ModuleNotFoundError as error:
            raise Failure("databases need the extra: pip install 'protomesh[store]'", ExitCode.INVALID) from error
        try:
            url = database_url(self.environment)
        except NoDatabase as error:
            raise Failure(str(error), ExitCode.INVALID) from error
        if url.get_backend_name() == "sqlite":
            return str(self.project.relative(sqlite_file(url)))
        return url.set(drivername=url.get_backend_name()).render_as_string()

    def run(self, *arguments: str) -> bool:
        """Does it, and returns whether it had something to say."""
        done = subprocess.run(  # noqa: S603 - this very Python
            [sys.executable, "-m", _STORE, *arguments],
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


def _refuse_running(project: Project, service: str) -> None:
    status = asyncio.run(get_status(project.layout))
    rows = status.services if status is not None else ()
    if any(row.name == service and row.state != admin.ServiceStatus.STATE_STOPPED for row in rows):
        raise Failure(f"{service} runs, and would go on without its data. `protomesh down` first.")
