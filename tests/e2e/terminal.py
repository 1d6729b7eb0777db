"""A terminal that a test types into."""

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

# Makes stdin the controlling terminal, so that Ctrl-C becomes SIGINT, and becomes the command. With `preexec_fn`
# subprocess would fork, and gRPC's fork handlers crash children of a process that is busy with calls.
_OWN_TERMINAL = """
import fcntl, os, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execvp(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """A command with a terminal of its own: a TTY on stdin and stdout, and Ctrl-C for its foreground."""

    def __init__(self, argv: Sequence[str | Path], *, cwd: Path, env: Mapping[str, str]) -> None:
        self._master, slave = pty.openpty()
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _OWN_TERMINAL, *argv],
            cwd=cwd,
            env={**env, "TERM": "dumb", "NO_COLOR": "1"},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.seen = ""

    def read_until(self, text: str, limit: float = 30) -> str:
        """Reads until `text` has appeared since the last call; returns what came up to there.

        Raises:
            AssertionError: it did not within `limit` seconds.
        """
        deadline = time.monotonic() + limit
        while text not in self.seen:
            assert time.monotonic() < deadline, f"no {text!r} in:\n{self.seen}"
            self._read()
        before, _, self.seen = self.seen.partition(text)
        return before + text

    def type(self, text: str) -> None:
        """Types; a line needs its newline, and Ctrl-C is the character 3."""
        os.write(self._master, text.encode())

    def wait(self, limit: float = 40) -> int:
        """Waits for the end of the command; returns its exit code."""
        deadline = time.monotonic() + limit
        while self.process.poll() is None:
            assert time.monotonic() < deadline, f"it does not end:\n{self.seen}"
            self._read()
        return self.process.returncode

    def close(self) -> None:
        """Takes the terminal away."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        os.close(self._master)

    def _read(self) -> None:
        ready, _, _ = select.select([self._master], [], [], 0.1)
        if ready:
            try:
                self.seen += os.read(self._master, 65536).decode(errors="replace").replace("\r\n", "\n")
            except OSError:  # nobody has the other end any more
                time.sleep(0.05)
