"""`protomesh db`: the migrations of a service's database, and the database itself.

The work is done by `python -m protomesh.runtime.store` in a process of its own, in the environment that the service's
workers have: so it is the same database, whatever `env`, `env_file` or the shell say.
"""

import asyncio
import sys
from pathlib import Path

import typer

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.cli.connection import get_status
from protomesh.cli.exits import ExitCode, Failure
from protomesh.cli.project import Project
from protomesh.cli.service_data import ServiceData

__all__ = ["reset", "revision", "upgrade"]

_STORE = "protomesh.runtime.store"


def revision(directory: Path | None, service: str, title: str) -> None:
    """Writes the next migration from what changed in the code's tables. Nothing but a new file is made.

    Raises:
        Failure: the service has no migrations, or they don't run.
    """
    data = ServiceData.of(Project.find(directory), service)
    data.run(_STORE, "revision", data.package, "--message", title, as_owner=False)


def upgrade(directory: Path | None, service: str) -> None:
    """Runs the migrations that the database lacks. Workers may run: they do the same when they start.

    Raises:
        Failure: the service has no migrations, a migration failed, or the database can't be reached.
    """
    data = ServiceData.of(Project.find(directory), service)
    if not data.run(_STORE, "upgrade", data.package):
        print(f"{service}: the database has every migration")


def reset(directory: Path | None, service: str, *, yes: bool) -> None:
    """Removes everything in the database, asking first, and migrates it again: as before the first start.

    Raises:
        Failure: as for `upgrade`; or the service runs, or nobody agreed.
    """
    project = Project.find(directory)
    data = ServiceData.of(project, service)
    _refuse_running(project, service)
    where = _where(data)
    if not yes:
        if not sys.stdin.isatty():
            raise Failure(f"nobody is here to ask; --yes removes everything in {where}", ExitCode.INVALID)
        if not typer.confirm(f"Remove everything in {where}?", err=True):
            raise Failure("nothing was changed")
        _refuse_running(project, service)  # a person may think for long
    data.run(_STORE, "reset", data.package)


def _where(data: ServiceData) -> str:
    """The database, as a person knows it, without a password."""
    try:
        from protomesh.runtime.store.url import NoDatabase, database_url, shown, sqlite_file  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        raise Failure("databases need the extra: pip install 'protomesh[store]'", ExitCode.INVALID) from error
    try:
        url = database_url(data.environment)
    except NoDatabase as error:
        raise Failure(str(error), ExitCode.INVALID) from error
    if url.get_backend_name() == "sqlite":
        return str(data.project.relative(sqlite_file(url)))
    return shown(url)


def _refuse_running(project: Project, service: str) -> None:
    status = asyncio.run(get_status(project.layout))
    rows = status.services if status is not None else ()
    if any(row.name == service and row.state != admin.ServiceStatus.STATE_STOPPED for row in rows):
        raise Failure(f"{service} runs, and would go on without its data. `protomesh down` first.")
