"""Keys from a file or a URL."""

import asyncio
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from protomesh.control import key_source
from protomesh.control.key_source import FollowedKeys
from protomesh.model import KeySource
from protomesh.proxy import ConfigurationRefused


def key_set(kid: str) -> str:
    """One with a public key of this name."""
    return json.dumps({"keys": [{"kty": "EC", "crv": "P-256", "kid": kid, "x": "eA", "y": "eQ"}]})


class Told:
    """What Envoy is told, and says to it."""

    def __init__(self) -> None:
        self.sets: list[str] = []
        self.refuses = False

    async def __call__(self, found: str) -> None:
        if self.refuses:
            raise ConfigurationRefused("no such curve", resource="the key set")
        self.sets.append(found)


class Site(HTTPServer):
    """Answers every path with what a test says."""

    status = 200
    content = ""
    location = ""


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        site = self.server
        assert isinstance(site, Site)
        self.send_response(site.status)
        if site.location:
            self.send_header("location", site.location)
        self.end_headers()
        self.wfile.write(site.content.encode())

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def site() -> Iterator[Site]:
    """A web server on loopback."""
    with Site(("127.0.0.1", 0), _Answer) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def at(site: Site) -> KeySource:
    """Keys of this server."""
    return KeySource(url=f"http://127.0.0.1:{site.server_port}/jwks.json")


async def test_a_file_is_told_once_and_again_when_it_is_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Relative to the project."""
    monkeypatch.setattr(key_source, "_FILE_SECONDS", 0.01)
    (tmp_path / "keys.json").write_text(key_set("one"))
    told = Told()
    keys = FollowedKeys(tmp_path, KeySource(file="keys.json"), told)
    await keys.look()
    await keys.look()
    assert told.sets == [key_set("one")]
    following = asyncio.create_task(keys.follow())
    (tmp_path / "keys.json").write_text(key_set("two"))
    async with asyncio.timeout(10):
        while len(told.sets) < 2:
            await asyncio.sleep(0.01)
    following.cancel()
    assert told.sets[1] == key_set("two")


async def test_what_is_no_key_set_is_said_once_and_changes_nothing(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Missing, rubbish, a private key, one that Envoy refuses: told each time that it is something else."""
    told, file = Told(), tmp_path / "keys.json"
    keys = FollowedKeys(tmp_path, KeySource(file="keys.json"), told)
    await keys.look()
    await keys.look()
    for content in ("rubbish", key_set("one").replace('"x"', '"d"'), '{"keys": []}'):
        file.write_text(content)
        await keys.look()
    assert [record.levelname for record in caplog.records] == ["ERROR"] * 4
    told.refuses = True
    file.write_text(key_set("one"))
    await keys.look()
    assert told.sets == []
    told.refuses = False
    await keys.look()
    assert told.sets == [key_set("one")]


async def test_a_url_is_asked_and_nobody_else(site: Site, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A redirect to another place is no answer, an error neither, and nobody reads for ever."""
    told = Told()
    keys = FollowedKeys(tmp_path, at(site), told)
    site.content = key_set("one")
    await keys.look()
    assert told.sets == [key_set("one")]
    site.status, site.location = 302, f"http://localhost:{site.server_port}/elsewhere"
    site.content = key_set("two")
    await keys.look()
    site.status, site.location = 500, ""
    await keys.look()
    site.status, site.content = 200, " " * 1_000_000
    await keys.look()
    assert told.sets == [key_set("one")]
    assert [record.why for record in caplog.records if record.levelname == "ERROR"] == [  # type: ignore[attr-defined]  # an extra of the record
        "HTTP Error 302: Found",
        "HTTP Error 500: Internal Server Error",
        "it has more than 65536 bytes",
    ]
