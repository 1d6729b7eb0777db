"""The user of the machine that a service runs as: who it is, and how a program becomes it."""

import json
import os
import pwd
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from protomesh.model import Service

__all__ = ["AccountUnusable", "Owner", "Start", "become", "own_environment"]

_BECOME = Path(__file__).with_name("become.py")


class AccountUnusable(Exception):  # noqa: N818 - it says what was found
    """What `user` of mesh.yaml says can't be done: `what` is wrong, and what to do is the `hint`."""

    def __init__(self, what: str, hint: str) -> None:
        self.what = what
        self.hint = hint
        super().__init__(f"{what}. {hint}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Another user than ours, as the machine knows it."""

    name: str
    uid: int
    gid: int
    home: str

    @classmethod
    def of(cls, service: Service) -> Self | None:
        """Whom a service's processes and files belong to. None if that is who we are: then nothing is special.

        Raises:
            AccountUnusable: there is no such user, it is root, or we are not root on Linux and can't become it.
        """
        if service.account is None:
            return None
        name = service.account.name
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            hint = f"Make it (`useradd --system {name}`), or name another."
            raise AccountUnusable(f"{service.name} runs as {name}, and this machine has no such user", hint) from None
        if found.pw_uid == 0:
            hint = "Name a user of its own, or remove user."
            raise AccountUnusable(f"{service.name} runs as {name}, who may do everything", hint)
        if found.pw_uid == os.geteuid():
            return None
        if os.geteuid() != 0:
            hint = f"Start the mesh as root, or as {name}, or remove user."
            raise AccountUnusable(f"{service.name} runs as {name}, and only root can start it so", hint)
        if not hasattr(os, "memfd_create"):
            raise AccountUnusable(f"{service.name} runs as {name}, which is for Linux only", "Remove user.")
        return cls(name=name, uid=found.pw_uid, gid=found.pw_gid, home=found.pw_dir)


def own_environment(owner: Owner | None) -> dict[str, str]:
    """Our environment, as far as it is the owner's, too."""
    if owner is None:
        return dict(os.environ)
    return {**os.environ, "HOME": owner.home, "USER": owner.name, "LOGNAME": owner.name}


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What to start, and the descriptors to leave open for it."""

    argv: Sequence[str]
    env: Mapping[str, str]
    descriptors: tuple[int, ...] = ()


@contextmanager
def become(
    owner: Owner | None, argv: Sequence[str], env: Mapping[str, str], enters: Iterable[str] = ()
) -> Iterator[Start]:
    """How to start a program so that it belongs to its owner; for as long as it takes to start it.

    The process is first root's and our own Python, which says on standard error what the owner may not: to go into
    `enters` or the working directory, or to execute the program. It ends with 126 then, or 127 if there is no such
    program.
    """
    if owner is None:
        yield Start(argv=argv, env=env)
        return
    order = {
        "user": owner.name,
        "uid": owner.uid,
        "gid": owner.gid,
        "argv": list(argv),
        "environment": dict(env),
        "enters": (enters := list(enters)),
    }
    descriptor = os.memfd_create("protomesh")  # others can read neither it nor, as they could, a command line
    try:
        os.write(descriptor, json.dumps(order).encode())
        os.lseek(descriptor, 0, os.SEEK_SET)
        # The paths again, so that whoever looks for what a dead supervisor has started finds it meanwhile.
        becoming = (sys.executable, "-I", "-S", str(_BECOME), str(descriptor), *enters)
        yield Start(argv=becoming, env=dict(os.environ), descriptors=(descriptor,))
    finally:
        os.close(descriptor)
