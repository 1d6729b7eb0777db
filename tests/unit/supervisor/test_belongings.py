import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from protomesh.model import Layout
from protomesh.supervisor import AccountUnusable, Owner
from protomesh.supervisor.belongings import own_data, own_sockets

OWNER = Owner(name="somebody", uid=54321, gid=54322, home="/")


@pytest.fixture
def data(layout: Layout) -> Iterator[Path]:
    """The data of a service, as we left it: readable by all, with something in it."""
    assert os.getuid() == 0, "this test needs root: it gives files to another user of the machine"
    directory = Path(layout.data("catalog"))
    (directory / "pictures").mkdir(parents=True)
    (directory / "database").write_text("x")
    (directory / "pictures" / "one").write_text("x")
    directory.chmod(0o755)
    yield directory
    for path in (directory, *directory.rglob("*")):
        os.chown(path, 0, 0, follow_symlinks=False)


def owners(directory: Path) -> set[int]:
    """Whose the directory and everything in it is."""
    return {path.lstat().st_uid for path in (directory, *directory.rglob("*"))}


def test_data_is_given_to_its_owner_with_all_that_is_in_it(layout: Layout, data: Path) -> None:
    """Nobody else may go in; it may go there through directories that stay closed to its eyes."""
    own_data(layout, "catalog", OWNER)
    assert owners(data) == {OWNER.uid}
    assert data.stat().st_gid == OWNER.gid
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in (data.parent, data.parent.parent)} == {0o711}


def test_a_crash_in_between_is_made_good(layout: Layout, data: Path) -> None:
    """What was given already stays; a new owner gets what was the former one's and ours, and nobody else's."""
    os.chown(data / "database", OWNER.uid, OWNER.gid)
    own_data(layout, "catalog", OWNER)
    assert owners(data) == {OWNER.uid}
    (data / "tool").write_text("of ours")
    os.chown(data / "pictures" / "one", 54399, 0)
    own_data(layout, "catalog", Owner(name="next", uid=54323, gid=54323, home="/"))
    assert {path.name: path.lstat().st_uid for path in (data, *data.rglob("*"))} == {
        "catalog": 54323,
        "database": 54323,
        "pictures": 54323,
        "tool": 54323,
        "one": 54399,
    }


def test_what_may_be_somebody_elses_is_not_given(layout: Layout, data: Path, tmp_path: Path) -> None:
    """A link leads nowhere; a file with a second name is an error, and both stay whose they were."""
    other = tmp_path / "other"
    other.write_text("ours")
    (data / "link").symlink_to(other)
    own_data(layout, "catalog", OWNER)
    assert other.stat().st_uid == 0
    os.link(other, data / "hard")
    with pytest.raises(AccountUnusable, match=r"hard in .*catalog has a second name somewhere else"):
        own_data(layout, "catalog", OWNER)
    assert other.stat().st_uid == 0


def test_sockets_lie_where_only_the_owner_may_go(layout: Layout) -> None:
    """The run directory is passed through then; without an owner it stays closed."""
    assert os.getuid() == 0, "this test needs root: it gives a directory to another user of the machine"
    run, sockets = Path(layout.run), Path(layout.worker_sockets("catalog"))
    own_sockets(layout, "catalog", None)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (run, sockets)] == [0o700, 0o700]
    own_sockets(layout, "catalog", OWNER)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (run.parent, run, sockets)] == [0o711, 0o711, 0o700]
    assert (sockets.stat().st_uid, run.stat().st_uid) == (OWNER.uid, 0)
