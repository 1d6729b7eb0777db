"""The run directory: private, short, one for each project directory."""

import contextlib
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from protomesh.atomic_file import write_atomically
from protomesh.model import Layout

__all__ = ["MAX_SOCKET_PATH", "RunDirectoryRefused", "check_socket_paths", "claim", "layout_for", "release"]

MAX_SOCKET_PATH = 103  # bytes; sun_path of macOS without its final NUL. Linux has 107.
_ROOM = 48  # bytes that a socket's own file name may need: "out-<service>.sock", "<service>/<generation>-<index>.sock"


class RunDirectoryRefused(Exception):  # noqa: N818 - it says what happened, as InvalidProject does
    """The run directory can't be used; the text says why and what to do."""


def layout_for(root: Path) -> Layout:
    """Where the project at `root` keeps sockets and files while it runs. Nothing is created; see `claim`.

    The run directory follows from the real path of `root`, so that two checkouts run side by side and a command in a
    terminal finds the mesh that another terminal started.
    """
    real = root.resolve()
    digest = hashlib.sha256(os.fsencode(real)).hexdigest()[:12]
    runtime = os.environ.get("XDG_RUNTIME_DIR", "")
    run = Path(runtime) / "protomesh" / digest
    if not runtime.startswith("/") or len(os.fsencode(run)) + 1 + _ROOM > MAX_SOCKET_PATH:
        run = Path("/tmp") / f"protomesh-{os.getuid()}" / digest  # noqa: S108 - short everywhere; claim() makes it private
    return Layout(run=PurePosixPath(run), state=PurePosixPath(real / ".protomesh"))


def claim(layout: Layout) -> None:
    """Creates the run directory and the directory of the logs, both with mode 0700 if they are not there yet.

    Raises:
        RunDirectoryRefused: it, or the directory above it, is a symbolic link, no directory, or belongs to another
            user. Under /tmp anyone could have put it there to look into our sockets.
    """
    run = Path(layout.run)
    for directory in (run.parent, run):
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        except FileExistsError:
            pass  # a file or a link to nowhere: told apart below
        except OSError as error:
            raise RunDirectoryRefused(f"can't create {directory}: {error.strerror}. Set XDG_RUNTIME_DIR.") from error
        found = directory.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise RunDirectoryRefused(f"{directory} is not a directory. Remove it, or set XDG_RUNTIME_DIR.")
        if found.st_uid != os.getuid():
            raise RunDirectoryRefused(f"{directory} belongs to user {found.st_uid}. Set XDG_RUNTIME_DIR.")
        if stat.S_IMODE(found.st_mode) & ~0o711:  # that much is for services of other users, of a mesh that runs
            directory.chmod(0o700)
    Path(layout.logs).mkdir(parents=True, exist_ok=True)
    Path(layout.logs).chmod(0o700)  # what services write is for nobody else; one that was there may be open
    ignore = Path(layout.state) / ".gitignore"
    if not ignore.exists():
        write_atomically(ignore, "*\n")


def release(layout: Layout) -> None:
    """Removes the run directory with what is in it, and the user's directory above once it is empty."""
    run = Path(layout.run)
    shutil.rmtree(run, ignore_errors=True)
    with contextlib.suppress(OSError):  # another project runs
        run.parent.rmdir()


def check_socket_paths(layout: Layout, services: Iterable[str]) -> None:
    """Refuses names of services that would make a socket's path longer than a unix socket can have.

    Raises:
        RunDirectoryRefused: names the service and how many bytes are too many.
    """
    for service in services:
        longest = max(layout.egress_socket(service), layout.worker_socket(service, 99999, 99), key=len)
        excess = len(os.fsencode(longest)) - MAX_SOCKET_PATH
        if excess > 0:
            raise RunDirectoryRefused(
                f"the name of service {service} makes its socket {longest} {excess} bytes too long for a unix socket. "
                "Give it a shorter name in mesh.yaml."
            )
