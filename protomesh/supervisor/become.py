"""Becomes a user of the machine, and then the program: started as root, as a file, by an isolated Python (-I -S).

It imports nothing of Protomesh, and sees nothing of the service's environment before it is the service: that comes
through a file descriptor. `subprocess` has a `user` too, and runs Python between fork and exec for it, where gRPC's
threads are gone and its locks are not.
"""

import contextlib
import grp
import json
import os
import pwd
import stat
import sys
from pathlib import Path

NOT_EXECUTABLE, NOT_FOUND = 126, 127  # as a shell has them


def main() -> None:
    """Does it; what can't be done is said on standard error."""
    with os.fdopen(int(sys.argv[1])) as told:
        order = json.load(told)
    name, argv, environment = order["user"], order["argv"], order["environment"]
    try:
        os.initgroups(name, order["gid"])
        os.setresgid(order["gid"], order["gid"], order["gid"])
        os.setresuid(order["uid"], order["uid"], order["uid"])
    except OSError as error:
        sys.exit(f"can't become {name}: {error.strerror}. A container that takes CAP_SETUID from root is one reason.")
    os.umask(0o077)
    for path in (os.getcwd(), *order["enters"]):  # noqa: PTH109 - nothing is imported that need not be
        closed = first_closed(Path(path))
        if closed is not None:
            sys.exit(f"{name} may not enter {described(closed)}, and needs {path}. Let it, or move what it needs.")
    try:
        os.execvpe(argv[0], argv, environment)  # noqa: S606 - mesh.yaml names the program
    except OSError as error:
        sys.stderr.write(f"{name} can't execute {argv[0]}: {error.strerror}. {why_not(name, argv[0], environment)}\n")
        sys.exit(NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE)


def first_closed(directory: Path) -> Path | None:
    """The uppermost directory on the way to one, itself included, that we may not go through."""
    for part in (*reversed(directory.parents), directory):
        if not os.access(part, os.X_OK):
            return part
    return None


def why_not(name: str, program: str, environment: "dict[str, str]") -> str:
    """What keeps us from a program, for people."""
    for path in [program] if "/" in program else [f"{d}/{program}" for d in environment.get("PATH", "").split(":")]:
        where = Path(path)
        for _ in range(40):  # the interpreter of a virtual environment is a link to one that may be in another's home
            closed = first_closed(where.parent.absolute())
            if closed is not None:
                return f"It may not enter {described(closed)}. Have it where {name} may read it."
            if not where.is_symlink():
                break
            where = where.parent / os.readlink(where)  # noqa: PTH115 - as it is written
        if where.exists() and not os.access(where, os.X_OK):
            return f"It may not execute {described(where)}."
    return "There is no such program for it."


def described(path: Path) -> str:
    """A path with its mode and owner."""
    with contextlib.suppress(OSError):
        found = path.stat()
        owner, group = str(found.st_uid), str(found.st_gid)
        with contextlib.suppress(KeyError):
            owner = pwd.getpwuid(found.st_uid).pw_name
        with contextlib.suppress(KeyError):
            group = grp.getgrgid(found.st_gid).gr_name
        return f"{os.path.normpath(path)} ({stat.filemode(found.st_mode)} {owner} {group})"
    return os.path.normpath(path)


if __name__ == "__main__":
    main()
