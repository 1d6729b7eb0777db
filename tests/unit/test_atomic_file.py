import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from protomesh.atomic_file import write_atomically


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    """A file that does not exist yet. The umask is the usual one."""
    umask = os.umask(0o022)
    yield tmp_path / "file"
    os.umask(umask)


def mode(path: Path) -> int:
    """Who may do what with a file."""
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize(("content", "written"), [("tea, 3 €", b"tea, 3 \xe2\x82\xac"), (b"\x00\xff", b"\x00\xff")])
def test_what_is_written_is_there_and_nothing_else(path: Path, content: str | bytes, written: bytes) -> None:
    """Also where something was before. Text is UTF-8 on every machine."""
    path.write_text("old, and longer than the new one")

    write_atomically(path, content)

    assert path.read_bytes() == written
    assert list(path.parent.iterdir()) == [path]


def test_a_reader_goes_on_with_what_it_has_opened(path: Path) -> None:
    """The file is another one; nobody reads the beginning of one and the end of the other."""
    path.write_text("old")

    with path.open() as reader:
        write_atomically(path, "new")
        assert reader.read() == "old"

    assert path.read_text() == "new"


def test_a_private_file_is_its_owners_from_the_first_moment(path: Path) -> None:
    """Whatever it was before, and whatever the umask says; others are as the umask says."""
    path.write_text("for everybody")
    os.umask(0)

    write_atomically(path, "secret", private=True)
    assert mode(path) == 0o600

    os.umask(0o022)
    write_atomically(path, "for everybody again")
    assert mode(path) == 0o644


def test_a_failure_leaves_the_old_file_and_nothing_beside_it(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, seen at the last moment."""
    path.write_text("old")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_atomically(path, "new")

    assert path.read_text() == "old"
    assert list(path.parent.iterdir()) == [path]


def test_a_folder_that_is_not_there_is_an_error(path: Path) -> None:
    """Nobody's typing error makes one."""
    with pytest.raises(FileNotFoundError):
        write_atomically(path / "below", "x")
