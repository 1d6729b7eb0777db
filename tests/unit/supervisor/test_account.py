import os
import pwd
import subprocess
from pathlib import Path

import pytest

from protomesh.model import Account, Origin, PythonApp, Service
from protomesh.supervisor import AccountUnusable, Owner
from protomesh.supervisor.account import become, own_environment

SHOW = "id -u; id -G; umask; ls /proc/self/fd | wc -l; echo $SECRET; echo $PYTHONPATH"


def service(user: str | None) -> Service:
    """One that runs as that user."""
    here = Origin(file="mesh.yaml")
    account = Account(name=user, origin=here) if user is not None else None
    return Service(name="catalog", runs=PythonApp(target="a:b"), serves=(), account=account, origin=here)


def test_who_we_are_is_nobody_special(monkeypatch: pytest.MonkeyPatch) -> None:
    """A service without a user, or with ours, starts as it always did, and root is not needed for it."""
    assert Owner.of(service(None)) is None
    assert own_environment(None) == dict(os.environ)
    monkeypatch.setattr(os, "geteuid", lambda: pwd.getpwnam("daemon").pw_uid)
    assert Owner.of(service("daemon")) is None


@pytest.mark.parametrize(
    ("user", "we", "what", "hint"),
    [
        ("no-such-user", 0, "catalog runs as no-such-user, and this machine has no such user", "useradd --system"),
        ("root", 1000, "catalog runs as root, who may do everything", "Name a user of its own"),
        (
            "daemon",
            1000,
            "catalog runs as daemon, and only root can start it so",
            "Start the mesh as root, or as daemon",
        ),
    ],
)
def test_a_user_that_can_not_be_had_is_said(
    monkeypatch: pytest.MonkeyPatch, user: str, we: int, what: str, hint: str
) -> None:
    """With what to do."""
    monkeypatch.setattr(os, "geteuid", lambda: we)
    with pytest.raises(AccountUnusable) as refused:
        Owner.of(service(user))
    assert refused.value.what == what
    assert hint in refused.value.hint


@pytest.fixture
def nobody() -> Owner:
    """Another user, who need have no account."""
    assert os.getuid() == 0, "this test needs root: it starts programs of another user of the machine"
    return Owner(name="nobody", uid=65534, gid=65534, home="/")


def started(owner: Owner, argv: list[str], enters: list[str], cwd: str = "/") -> tuple[int, str]:
    """How it ends and what it says."""
    env = {"PATH": "/usr/bin:/bin", "SECRET": "s3cret", "PYTHONPATH": "/nowhere"}
    with become(owner, argv, env, enters) as start:
        assert "s3cret" not in " ".join([*start.argv, *start.env.values()])
        done = subprocess.run(
            start.argv,
            env=start.env,
            cwd=cwd,
            pass_fds=start.descriptors,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
    return done.returncode, done.stdout.decode()


def test_a_program_is_its_owners_and_nobody_elses(nobody: Owner) -> None:
    """User, groups, what others may do with its files; it has its own environment, and no file that it should not."""
    code, said = started(nobody, ["sh", "-c", SHOW], ["/tmp"])
    assert code == 0, said
    assert said.split() == ["65534", "65534", "0077", "4", "s3cret", "/nowhere"]


def test_what_the_owner_may_not_do_is_said(nobody: Owner, tmp_path: Path) -> None:
    """Which directory keeps it out, and whose that is; what is missing."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for directory in (tmp_path, *tmp_path.parents):
        if len(directory.parts) > 2:
            directory.chmod(0o755)
    kept_out = f"nobody may not enter {closed} (drwx------ root root)"
    assert started(nobody, ["true"], [str(closed / "sockets")])[1].startswith(kept_out)
    assert started(nobody, ["true"], [], str(closed))[1].startswith(kept_out)

    program = closed / "program"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    link = tmp_path / "link"
    link.symlink_to(program)
    for name in (program, link):
        code, said = started(nobody, [str(name)], [])
        assert code == 126
        assert f"nobody can't execute {name}: Permission denied. It may not enter {closed} (drwx" in said, said
    link.unlink()
    private = tmp_path / "private"
    private.write_text("#!/bin/sh\n")
    private.chmod(0o700)
    assert "It may not execute" in started(nobody, [str(private)], [])[1]
    code, said = started(nobody, ["no-such-program"], [])
    assert (code, "There is no such program for it" in said) == (127, True)
