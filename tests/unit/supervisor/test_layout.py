import os
from pathlib import Path

import pytest

from protomesh.model import Layout
from protomesh.supervisor import RunDirectoryRefused, claim, layout_for, release
from protomesh.supervisor.layout import MAX_SOCKET_PATH, check_socket_paths


def test_two_checkouts_have_two_run_directories(root: Path) -> None:
    """The directory follows from the project's real path, and from nothing else."""
    other = root.parent / "other"
    other.mkdir()
    link = root.parent / "link"
    link.symlink_to(root)

    assert layout_for(root).run != layout_for(other).run
    assert layout_for(root) == layout_for(link)


def test_the_run_directory_is_private(layout: Layout) -> None:
    """Nobody else can open a socket in it."""
    assert Path(layout.run).stat().st_mode & 0o777 == 0o700
    assert Path(layout.run).parent.stat().st_mode & 0o777 == 0o700


def test_a_link_in_the_place_of_the_run_directory_is_refused(root: Path, tmp_path: Path) -> None:
    """In /tmp anybody could have put it there."""
    layout = layout_for(root)
    Path(layout.run).parent.mkdir(parents=True)
    Path(layout.run).symlink_to(tmp_path)

    with pytest.raises(RunDirectoryRefused, match="is not a directory"):
        claim(layout)


def test_a_run_directory_of_another_user_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another user could read what goes through its sockets."""
    monkeypatch.setattr(os, "getuid", lambda: 4242)

    with pytest.raises(RunDirectoryRefused, match=f"belongs to user {os.geteuid()}"):
        claim(layout_for(root))


def test_a_long_runtime_directory_is_not_used(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sockets must stay below the shortest limit there is, so /tmp takes its place."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", "/" + "x" * 60)

    assert str(layout_for(root).run).startswith(f"/tmp/protomesh-{os.getuid()}/")


def test_a_service_name_that_is_too_long_for_a_socket_is_refused(layout: Layout) -> None:
    """The message names the service and not a failing bind()."""
    check_socket_paths(layout, ["catalog"])

    with pytest.raises(RunDirectoryRefused, match=r"the name of service y+ makes its socket"):
        check_socket_paths(layout, ["y" * MAX_SOCKET_PATH])


def test_release_leaves_nothing(layout: Layout) -> None:
    """Neither the directory nor the empty one above it stays."""
    Path(layout.admin_socket).touch()

    release(layout)

    assert not Path(layout.run).parent.exists()
