"""What belongs to a service's user: the directory of its sockets, and that of its data."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from protomesh.model import Layout
from protomesh.supervisor.account import AccountUnusable, Owner

__all__ = ["own_data", "own_sockets"]

_PASSED_THROUGH = 0o711  # by those who know what is in it


def own_sockets(layout: Layout, service: str, owner: Owner | None) -> None:
    """Makes the directory of a service's sockets, which is its owner's only.

    Raises:
        OSError: it can't be made.
    """
    directory = Path(layout.worker_sockets(service))
    directory.mkdir(mode=0o700, exist_ok=True)
    if owner is not None:
        os.chown(directory, owner.uid, owner.gid)
        for parent in (Path(layout.run).parent, Path(layout.run)):
            parent.chmod(_PASSED_THROUGH)


def own_data(layout: Layout, service: str, owner: Owner | None) -> None:
    """Makes the directory of a service's data, and gives it to its owner with all that is in it.

    What is in it may have belonged to us or to whom the directory belonged. The directory itself is given last, so
    that after a crash in between the next start goes on. Nobody of the service runs meanwhile.

    Raises:
        AccountUnusable: a file has another name somewhere (a hard link), and may be somebody else's.
        OSError: something can't be made or given.
    """
    directory = Path(layout.data(service))
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if owner is None:
        return
    for parent in (Path(layout.state), directory.parent):
        parent.chmod(_PASSED_THROUGH)
    former = directory.stat().st_uid
    directory.chmod(0o700)
    for descriptor in _opened(directory, {former, os.geteuid()} - {owner.uid}):
        os.fchown(descriptor, owner.uid, owner.gid)
    os.chown(directory, owner.uid, owner.gid)


def _opened(directory: Path, owners: set[int]) -> Iterator[int]:
    """Opens what is below a directory and belongs to one of these, links not followed: who writes there may race us."""
    for _, folders, files, parent in os.fwalk(directory):
        for name in (*folders, *files):
            found = os.stat(name, dir_fd=parent, follow_symlinks=False)
            if found.st_uid not in owners or not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
                continue
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=parent)
            try:
                opened = os.fstat(descriptor)
                if opened.st_uid in owners and stat.S_ISREG(opened.st_mode) and opened.st_nlink > 1:
                    hint = "Remove the other one, or give it away yourself."
                    raise AccountUnusable(f"{name} in {directory} has a second name somewhere else", hint)
                if opened.st_uid in owners:
                    yield descriptor
            finally:
                os.close(descriptor)
