from contextlib import aclosing
from pathlib import Path

from protomesh.model import Layout
from protomesh.supervisor.logs import LogLine, follow, last_lines, log_file, rotate


def test_the_end_of_a_long_file_is_read_from_its_end(tmp_path: Path) -> None:
    """The last lines come oldest first, whatever lies before them."""
    path = tmp_path / "log"
    path.write_text("".join(f"line {number} {'x' * 100}\n" for number in range(5000)))

    assert [line.split(" x")[0] for line in last_lines(path, 3)] == ["line 4997", "line 4998", "line 4999"]
    assert last_lines(path, 0) == []
    assert last_lines(tmp_path / "none", 3) == []


def test_only_what_was_written_since_is_read(tmp_path: Path) -> None:
    """A worker's failure does not show its predecessor's last words."""
    path = tmp_path / "log"
    path.write_text("old\n")
    since = path.stat().st_size
    path.write_text("old\nnew\n")

    assert last_lines(path, 15, since=since) == ["new"]


def test_a_rotated_file_goes_on_for_its_writers(tmp_path: Path) -> None:
    """Writers keep the file open, so its content moves and the file stays."""
    path = tmp_path / "log"
    with path.open("a") as writer:
        for number in range(5):
            writer.write(f"content {number}\n")
            writer.flush()
            assert rotate(path, limit=5, kept=3)
        writer.write("now\n")

    assert path.read_text() == "now\n"
    assert [path.with_name(f"log.{n}").read_text() for n in (1, 2, 3)] == ["content 4\n", "content 3\n", "content 2\n"]
    assert not path.with_name("log.4").exists()
    assert not rotate(path, limit=5, kept=3)


async def test_following_goes_on_over_new_files_and_rotations(layout: Layout) -> None:
    """A reader sees each line once, also of a file that appears or starts again meanwhile."""
    catalog, orders = log_file(layout, "catalog"), log_file(layout, "orders")
    catalog.write_text("a\nb\n")
    async with aclosing(follow(layout, ["catalog", "orders"], backlog=1)) as lines:
        assert await anext(lines) == LogLine("catalog", "b")
        with orders.open("a") as writer:
            writer.write("half")
            writer.flush()
            writer.write(" a line\n")
        assert await anext(lines) == LogLine("orders", "half a line")
        assert rotate(catalog, limit=1)
        catalog.write_text("c\n")
        assert await anext(lines) == LogLine("catalog", "c")
