from pathlib import Path

from protomesh.file_tree import replace_tree


def fill(folder: Path, **files: str) -> Path:
    """Makes a folder of these files; `__` stands for a slash."""
    for name, text in files.items():
        path = folder / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def test_what_is_not_made_any_more_is_removed(tmp_path: Path) -> None:
    """Folders that are empty then, too; what is as it should be is not touched."""
    target = fill(tmp_path / "target", same="1", changed="1", old__gone="1")
    before = (target / "same").stat().st_mtime_ns

    changed = replace_tree(fill(tmp_path / "fresh", same="1", changed="2", new="1"), target)

    assert changed == [target / "changed", target / "new", target / "old/gone"]
    assert {path.name: path.read_text() for path in target.iterdir()} == {"same": "1", "changed": "2", "new": "1"}
    assert (target / "same").stat().st_mtime_ns == before


def test_what_is_built_there_stays(tmp_path: Path) -> None:
    """By the names that the caller gives."""
    target = fill(tmp_path / "target", target__debug__app="1", gone="1")

    replace_tree(fill(tmp_path / "fresh", new="1"), target, kept=("target",))

    assert sorted(path.name for path in target.iterdir()) == ["new", "target"]
    assert (target / "target/debug/app").exists()
