"""Which files of a folder are answered, and what must not be in it."""

from pathlib import Path

from protomesh.contract.web_files import LARGEST, find_files
from protomesh.model import FilesRoute, Gateway, Origin, TcpAddress

ORIGIN = Origin(file="mesh.yaml", line=4, column=9)
GATEWAY = Gateway(
    name="edge",
    listen=TcpAddress("127.0.0.1", 8080),
    files=(FilesRoute(prefix="/", folder="web", origin=ORIGIN),),
    origin=ORIGIN,
)


def test_paths_are_as_browsers_ask_for_them(tmp_path: Path) -> None:
    """An index also by its folder; what is hidden not at all; an empty folder is as one that is not there."""
    (tmp_path / "web").mkdir()
    assert find_files(tmp_path, GATEWAY, ()).missing == GATEWAY.files
    for name in ("index.html", "a b.txt", "é.txt", "help/index.html", ".git/config", "help/.env"):
        file = tmp_path / "web" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("")
    found = find_files(tmp_path, GATEWAY, ())
    assert sorted(found.files) == ["/", "/%C3%A9.txt", "/a%20b.txt", "/help/", "/help/index.html", "/index.html"]
    assert (found.missing, found.problems) == ((), ())


def test_a_link_out_of_the_folder_is_not_followed(tmp_path: Path) -> None:
    """Neither one to a file, nor to a folder, nor to nothing; one within the folder is."""
    (tmp_path / "web").mkdir()
    (tmp_path / "secret").write_text("")
    (tmp_path / "secrets").mkdir()
    (tmp_path / "web/fine.txt").write_text("")
    for name, target in (("a", "../secret"), ("b", "../secrets"), ("c", "nowhere"), ("d", "fine.txt")):
        (tmp_path / "web" / name).symlink_to(target)
    found = find_files(tmp_path, GATEWAY, ())
    assert sorted(found.files) == ["/d", "/fine.txt"]
    assert [(rule.id, str(diagnostic.origin), diagnostic.message[:5]) for rule, diagnostic in found.problems] == [
        ("FILES_REFUSED", "mesh.yaml:4:9", f"web/{name}") for name in "abc"
    ]


def test_more_than_a_configuration_carries_is_refused(tmp_path: Path) -> None:
    """With the largest file and the limit; one byte less is fine."""
    (tmp_path / "web").mkdir()
    (tmp_path / "web/small.txt").write_bytes(b"0")
    (tmp_path / "web/large.bin").write_bytes(b"0" * LARGEST)
    ((rule, diagnostic),) = find_files(tmp_path, GATEWAY, ()).problems
    assert rule.id == "FILES_REFUSED"
    assert diagnostic.message == (
        "the files have 4,194,305 bytes and may have 4,194,304; the largest is web/large.bin with 4,194,304"
    )
    (tmp_path / "web/small.txt").unlink()
    assert not find_files(tmp_path, GATEWAY, ()).problems
