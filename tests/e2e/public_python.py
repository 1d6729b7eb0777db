"""A Python that every user of the machine can run: ours, or its like where ours lies in somebody's home."""

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from protomesh.supervisor import Owner
from protomesh.supervisor.account import become

NOBODY = Owner(name="nobody", uid=65534, gid=65534, home="/")
CAN_RUN = "import grpc, protomesh.runtime"


def public_python(directory: Path) -> Path:
    """Its executable. What has to be made is made in `directory`, of hard links where that can be.

    Raises:
        AssertionError: others can't read the packages that it needs, or this checkout.
    """
    ours = Path(sys.executable)
    if runs(ours):
        return ours
    base, version = Path(sys.base_prefix), f"python{sysconfig.get_python_version()}"
    copy = directory / "python"
    for part in ("bin", "lib"):
        skipped = shutil.ignore_patterns("site-packages", "test", "tests", "__pycache__", "idlelib", "config-*")
        shutil.copytree(base / part, copy / part, symlinks=True, ignore=skipped, copy_function=link)
    packages = copy / "lib" / version / "site-packages"
    packages.mkdir()
    added = "".join(f"import site; site.addsitedir({path!r})\n" for path in sys.path if path.endswith("site-packages"))
    (packages / "ours.pth").write_text(added)
    found = copy / "bin" / Path(os.path.realpath(sys.executable)).name
    assert runs(found), f"other users can't read {Path(__file__).parents[2]} or the packages in {sys.prefix}"
    return found


def library_path(python: Path) -> dict[str, str]:
    """What it needs in its environment: a shared library of its own may be beside it."""
    beside = python.parent.parent / "lib"
    return {"LD_LIBRARY_PATH": str(beside)} if any(beside.glob("libpython*.so*")) else {}


def runs(python: Path) -> bool:
    """Whether a stranger can run it and has what a worker imports."""
    try:
        with become(
            NOBODY, [str(python), "-c", CAN_RUN], {"PATH": os.environ["PATH"], **library_path(python)}
        ) as start:
            done = subprocess.run(
                start.argv, env=start.env, pass_fds=start.descriptors, cwd="/", capture_output=True, check=False
            )
    except OSError:
        return False
    return done.returncode == 0


def link(source: str, target: str) -> str:
    """The same file under another name; a copy on another file system."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target
