"""A NATS server with JetStream for tests: on a free port of the loopback, with its files in a directory of its own.

`python -m protomesh.testing.nats` prints where its program is, or what to do if there is none.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["NatsNotFound", "NatsServer", "nats_program", "running_nats"]

_START_SECONDS = 30.0
_CONFIGURATION = """
server_name: tests
listen: "127.0.0.1:{port}"
jetstream {{ store_dir: "{directory}", max_memory_store: 64MB, max_file_store: 1GB }}
"""
# Runs a server until nobody holds the other end of stdin: however the session ended.
_TETHERED = r"""
"$@" </dev/null &
server=$!
echo $server
read -r _
{ kill -KILL "$server"; wait "$server"; } 2>/dev/null
"""


class NatsNotFound(RuntimeError):  # noqa: N818 - it says what is wrong
    """There is no NATS server that the tests could run; the text says where one comes from."""


class NatsServer:
    """A server that a test starts, kills, and starts again with what it has kept.

    With a password nobody gets in without it, and the user `mesh`.
    """

    def __init__(self, program: Path, directory: Path, *, password: str = "") -> None:
        self._program = program
        self._directory = directory
        self._password = password
        self._process: subprocess.Popen[str] | None = None
        self._pid = 0
        self.port = _free_port()

    @property
    def url(self) -> str:
        """Where it is, as PROTOMESH_EVENTS_URL says it."""
        account = f"mesh:{self._password}@" if self._password else ""
        return f"nats://{account}127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it, and returns when it answers.

        Raises:
            RuntimeError: It does not; the text has its log.
        """
        configuration = self._directory / "nats.conf"
        text = _CONFIGURATION.format(port=self.port, directory=self._directory / "store")
        if self._password:
            text += f'authorization {{ user: mesh, password: "{self._password}" }}\n'
        configuration.write_text(text)
        log = self._directory / "nats.log"
        self._process = subprocess.Popen(  # noqa: S603 - the program was found above
            ["/bin/sh", "-c", _TETHERED, "sh", self._program, "--config", configuration, "--log", log],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # Ctrl-C is for the tests
        )
        assert self._process.stdout is not None  # a pipe, see above
        self._pid = int(self._process.stdout.readline())
        deadline = time.monotonic() + _START_SECONDS
        while not self.answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                raise RuntimeError(f"NATS does not start:\n{log.read_text(errors='replace') if log.exists() else ''}")
            time.sleep(0.01)

    def kill(self) -> None:
        """SIGKILL, and returns when it has ended."""
        if self._process is not None:
            os.kill(self._pid, signal.SIGKILL)
            self.stop()

    def stop(self) -> None:
        """Ends it, if it runs."""
        if self._process is not None:
            process, self._process = self._process, None
            process.communicate()

    def answers(self) -> bool:
        """Whether something there speaks as NATS does."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                return connection.recv(5) == b"INFO "
        except OSError:
            return False


@contextmanager
def running_nats(directory: Path) -> Generator[NatsServer]:
    """A new server for a block, started, with its files in `directory`.

    Its program is the one that PROTOMESH_NATS_SERVER names, or `nats-server`, as Debian's package brings it.

    Raises:
        NatsNotFound: There is none.
    """
    server = NatsServer(nats_program(), directory)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def nats_program() -> Path:
    """Where the program is.

    Raises:
        NatsNotFound: It is nowhere.
    """
    named = os.environ.get("PROTOMESH_NATS_SERVER")
    # Debian keeps it where an ordinary user's PATH does not look.
    path = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"])
    found = shutil.which(named or "nats-server", path=path)
    if found is None:
        raise NatsNotFound(
            "these tests need a NATS server: `scripts/test-deps`, as root, installs Debian's package `nats-server`; "
            "PROTOMESH_NATS_SERVER names any other one" + (f" (it is {named}, and that is none)" if named else "")
        )
    return Path(found)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def main() -> int:
    """Says which program tests would run."""
    try:
        print(nats_program())  # noqa: T201 - a command's output
    except NatsNotFound as missing:
        print(missing, file=sys.stderr)  # noqa: T201 - likewise
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
