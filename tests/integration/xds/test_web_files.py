"""Files of a folder, answered by a real Envoy: as browsers need them, never in a method's place, new ones at once."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from protomesh.contract import compile_project
from protomesh.control import followed_files
from protomesh.control.controller import Controller
from protomesh.control.followed_files import FollowedFiles
from protomesh.diagnostics import InvalidProject
from protomesh.model import Topology
from protomesh.proxy import Schemas
from tests.integration.envoy.lab import free_port
from tests.integration.xds.plane import plane

PROTO = """\
syntax = "proto3";
package stock.v1;
import "google/api/annotations.proto";
import "protomesh/v1/options.proto";

service StockService {
  option (protomesh.v1.service) = {timeout: "2s"};
  rpc GetStock(GetStockRequest) returns (GetStockResponse) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (google.api.http) = {get: "/v1/stock/{sku}"};
    option (protomesh.v1.method) = {audience: AUDIENCE_PUBLIC};
  }
}
message GetStockRequest { string sku = 1; }
message GetStockResponse { int32 count = 1; }
"""
MESH = """\
name: shop
gateways:
  - listen: "127.0.0.1:{port}"
    routes: [{{prefix: /, files: web/dist}}, {{prefix: /old/, service: old}}]
services:
  stock: {{run: "services.stock.app:app", serves: [stock.v1.StockService]}}
  old: {{address: "127.0.0.1:1", protocol: http1}}
"""
HTML = "<!doctype html><title>Ümlaut 100 % %REQ(:path)%</title>" + "<p>text</p>" * 100
PICTURE = bytes(range(256)) * 8  # no UTF-8, and every byte there is


@dataclass
class Site:
    """A project whose gateway answers `web/dist`, an Envoy that does it, and a browser's way to ask."""

    root: Path
    topology: Topology
    controller: Controller
    http: httpx.AsyncClient

    @property
    def folder(self) -> Path:
        return self.root / "web" / "dist"

    def write(self, name: str, content: str | bytes) -> None:
        file = self.folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content.encode() if isinstance(content, str) else content)

    async def answers(self, path: str, text: str) -> None:
        """Waits until the path is answered with that text in it."""
        async with asyncio.timeout(10):
            while text not in (await self.http.get(path)).text:
                await asyncio.sleep(0.02)


@pytest.fixture
async def site(run_directory: Path, schemas: Schemas) -> AsyncIterator[Site]:
    """Nothing is built yet."""
    (run_directory / "protos/stock/v1").mkdir(parents=True)
    (run_directory / "protos/stock/v1/stock.proto").write_text(PROTO)
    port = free_port()
    (run_directory / "mesh.yaml").write_text(MESH.format(port=port))
    (run_directory / "web").mkdir()
    (run_directory / "web/package.json").write_text("{}")
    topology = compile_project(run_directory, variables={}).topology
    async with plane(run_directory, schemas) as control:
        await control.controller.apply(topology)
        async with control.envoy(topology), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            await control.controller.wait_acknowledged()
            yield Site(run_directory, topology, control.controller, http)


async def test_files_come_as_a_browser_needs_them(site: Site) -> None:
    """Until there are any, a page says how they are made. Then each has its type and how long it may be kept.

    Text is compressed for who takes it so, and every byte is the file's own.
    """
    nothing = await site.http.get("/")
    assert nothing.status_code == 200
    assert "cd web &amp;&amp; npm ci &amp;&amp; npm run build" in nothing.text

    for name, content in (
        ("index.html", HTML),
        ("assets/index-Ab3_x-9Z.js", "export const a = 1;\n" * 100),
        ("picture one.png", PICTURE),
        ("docs.txt", "%LOCAL_REPLY_BODY%"),
        (".env", "SECRET=1"),
    ):
        site.write(name, content)
    await site.controller.read_files()
    await site.answers("/", "Ümlaut")

    page = await site.http.get("/?utm_source=letter", headers={"accept-encoding": "gzip, br"})
    assert page.text == HTML
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert page.headers["content-encoding"] == "gzip"
    assert page.num_bytes_downloaded < len(HTML) / 2
    assert page.headers["vary"] == "accept-encoding"
    assert page.headers["cache-control"] == "no-cache"
    assert page.headers["x-content-type-options"] == "nosniff"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "script-src 'self'" in page.headers["content-security-policy"]
    assert (await site.http.get("/index.html", headers={"accept-encoding": "identity"})).content == HTML.encode()

    script = await site.http.get("/assets/index-Ab3_x-9Z.js")
    assert script.headers["content-type"] == "text/javascript; charset=utf-8"
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    picture = await site.http.get("/picture%20one.png")
    assert (picture.content, picture.headers["content-type"]) == (PICTURE, "image/png")
    assert (await site.http.get("/docs.txt")).text == "%LOCAL_REPLY_BODY%"

    for path in ("/", "/?a=b", "/docs.txt"):
        read = await site.http.head(path)
        assert (read.status_code, read.content) == (200, b"")
        refused = await site.http.post(path, json={})
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    head = await site.http.head("/docs.txt")
    assert (head.status_code, head.content, head.headers["content-length"]) == (200, b"", "18")

    assert (await site.http.get("/.env")).status_code == 404
    assert (await site.http.get("/none")).status_code == 404
    assert (await site.http.get("/healthz")).status_code != 404
    assert "/v1/stock/{sku}" in (await site.http.get("/docs/openapi.json")).text
    assert (await site.http.get("/v1/stock/1")).status_code == 503  # the method's, which nobody serves here
    assert (await site.http.get("/old/")).status_code == 503


async def test_a_new_build_is_shown_once_it_is_whole(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a restart; and a build that can't be shown changes nothing."""
    monkeypatch.setattr(followed_files, "_LOOKS", 0.05)
    followed = FollowedFiles(site.root)
    followed.look(site.topology.gateways)
    told: asyncio.Queue[Exception | None] = asyncio.Queue()

    async def show() -> None:
        try:
            await site.controller.read_files()
        except InvalidProject as error:
            told.put_nowait(error)
            raise
        told.put_nowait(None)

    following = asyncio.create_task(followed.follow(show))
    try:
        site.write("index.html", "first")
        await site.answers("/", "first")
        assert await told.get() is None

        site.write("index.html", "second")
        site.write("v1/stock/7", "not the stock")
        site.write("old/page.html", "not the old one's")
        site.write("large.bin", b"0" * (4 * 1024 * 1024))
        refused = str(await asyncio.wait_for(told.get(), 10))
        assert "mesh.yaml:4:14: FILES_CLASH web/dist/v1/stock/7 would be answered at /v1/stock/7" in refused
        assert "that is GET /v1/stock/{sku} of stock.v1.StockService/GetStock" in refused
        assert "/old/page.html, and that is below the route to old" in refused
        assert "the largest is web/dist/large.bin with 4,194,304" in refused
        assert (await site.http.get("/")).text == "first"

        for name in ("v1/stock/7", "old/page.html", "large.bin"):
            (site.folder / name).unlink()
        await site.answers("/", "second")
    finally:
        following.cancel()


async def test_as_much_as_is_allowed_is_taken(site: Site) -> None:
    """Four megabytes, through ADS and the dry run, and out again whole."""
    content = bytes(range(256)) * (4 * 4096)
    site.write("all.bin", content)
    await site.controller.read_files()
    await site.controller.wait_acknowledged()
    assert (await site.http.get("/all.bin")).content == content
