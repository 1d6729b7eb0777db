"""What a web page can do with the mesh, and what it can read: asked of a real browser, by HTTP/1.1 and by HTTP/2.

A browser shows a page less than a client of ours reads: what is not exposed to it is not there.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import grpc
import pytest
import pytest_asyncio
from google.rpc import error_details_pb2, status_pb2
from playwright.async_api import Page

from protomesh.model import Cors, TcpAddress
from protomesh.targets.envoy.names import typed
from tests.browser import running_browser
from tests.integration.envoy.lab import SERVICE, Item, ItemRequest, Lab, free_port, lab_topology, running_lab
from tests.integration.envoy.test_tokens import ALICE, auth
from tests.integration.envoy.web import Web, decoded, encoded, opened, running_web
from tests.pki import Files, Pki

pytestmark = pytest.mark.asyncio(loop_scope="module")

HTTP = {"HTTP/1.1": "http", "HTTP/2": "https"}  # browsers speak HTTP/2 by TLS only


@dataclass(frozen=True)
class Site:
    """A page of an origin that may call, one of an origin that may not, and the mesh that they call."""

    lab: Lab
    url: str
    http: str
    page: Page
    stranger: Page

    async def rest(self, path: str, *, page: Page | None = None, **options: Any) -> dict[str, Any]:
        """What a page reads of an answer; `options` are those of fetch()."""
        arguments = [f"{self.url}{path}", options]
        answer: dict[str, Any] = await (page or self.page).evaluate("([url, options]) => rest(url, options)", arguments)
        return answer

    async def grpc_web(self, name: str, request: Any = None, **headers: str) -> dict[str, Any]:
        """What the page reads of a call; underscores in `headers` are hyphens."""
        return await self._grpc_web(self.page, name, request, headers)

    async def grpc_web_of_stranger(self, name: str) -> dict[str, Any]:
        """The same of the other page."""
        return await self._grpc_web(self.stranger, name, None, {})

    async def _grpc_web(self, page: Page, name: str, request: Any, headers: dict[str, str]) -> dict[str, Any]:
        options = {
            "message": encoded(request or ItemRequest()),
            "headers": {name.replace("_", "-"): value for name, value in headers.items()},
            "name": name,
        }
        url = f"{self.url}/{SERVICE}/{name}"
        call: dict[str, Any] = await page.evaluate("([url, options]) => grpcWeb(url, options)", [url, options])
        return call


@pytest_asyncio.fixture(scope="module", loop_scope="module", params=HTTP)
async def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Site]:
    """One mesh, one browser, and its two pages."""
    pair = Pki(tmp_path_factory.mktemp("certs")).issue("edge", names=["127.0.0.1"])
    scheme = HTTP[request.param]
    async with AsyncExitStack() as stack:
        web: Web = await stack.enter_async_context(running_web())
        listen = TcpAddress("127.0.0.1", free_port())
        edge = replace(lab_topology().gateways[0], listen=listen, cors=Cors(origins=(web.friend,)))
        adjust = partial(_secured, pair) if scheme == "https" else lambda _: None
        running = running_lab(auth=(auth(ALICE.key_set),), gateways=(edge,), adjust=adjust)
        lab = await stack.enter_async_context(running)
        browser = await stack.enter_async_context(running_browser())
        page, stranger = [
            await stack.enter_async_context(opened(browser, origin)) for origin in (web.friend, web.stranger)
        ]
        yield Site(lab, f"{scheme}://{lab.address}", request.param, page, stranger)


def _secured(pair: Files, bootstrap: dict[str, Any]) -> None:
    (edge,) = (item for item in bootstrap["static_resources"]["listeners"] if item["name"] == "edge")
    names = {"certificate_chain": pair.certificate, "private_key": pair.key}
    certificate = {name: {"filename": str(file)} for name, file in names.items()}
    context = {"tls_certificates": [certificate], "alpn_protocols": ["h2", "http/1.1"]}
    edge["filter_chains"][0]["transport_socket"] = {
        "name": "envoy.transport_sockets.tls",
        "typed_config": typed(
            "envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext", common_tls_context=context
        ),
    }


def bearer(**changes: Any) -> dict[str, str]:
    """The header of a call with a token."""
    return {"authorization": f"Bearer {ALICE.token(**changes)}"}


async def test_a_page_calls_by_grpc_web(site: Site) -> None:
    """After a preflight, with a token and a deadline; it reads the message, the status and the request's ID."""
    call = await site.grpc_web("MyItem", ItemRequest(id="7", note="ä"), grpc_timeout="2S", **bearer())
    (text,) = call["messages"]
    answer = decoded(Item, text)
    assert (answer.id, answer.note) == ("7", "ä")
    assert call["trailers"]["grpc-status"] == "0"
    line = await site.lab.logged(call["headers"]["x-request-id"])
    assert (line["http"], line["protocol"], line["grpc_code"]) == (site.http, "grpc-web", "OK")


async def test_a_page_calls_by_rest(site: Site) -> None:
    """With every verb that a contract has, with and without a token."""
    assert json.loads((await site.rest("/v1/items/7"))["body"])["id"] == "7"
    made = await site.rest("/v1/items", method="POST", body='{"id": "8"}', headers={"content-type": "application/json"})
    assert (made["status"], json.loads(made["body"])["id"]) == (200, "8")
    mine = await site.rest("/v1/mine?id=9", headers=bearer())
    assert json.loads(mine["body"])["id"] == "9"


async def test_a_page_reads_a_stream_as_it_comes(site: Site) -> None:
    """Each message is there before the next is sent, by gRPC-Web, by NDJSON and as server-sent events."""
    more = asyncio.Event()

    async def two(_request: Any, _context: Any) -> AsyncIterator[Any]:
        yield Item(id="1")
        await more.wait()
        yield Item(id="2")

    with site.lab.backend.on("WatchItems", two):  # type: ignore[arg-type]  # here it is a generator
        watching = asyncio.create_task(site.grpc_web("WatchItems"))
        await site.page.wait_for_function("() => calls.WatchItems?.messages.length == 1")
        more.set()
        call = await watching
        assert [decoded(Item, text).id for text in call["messages"]] == ["1", "2"]
        assert call["trailers"]["grpc-status"] == "0"

        more.clear()
        await site.page.evaluate("url => eventSource(url, 'events')", f"{site.url}/v1/items:watch")
        await site.page.wait_for_function("() => calls.events.messages.length == 1")
        more.set()
        await site.page.wait_for_function("() => calls.events.ended")
        events = await site.page.evaluate("calls.events.messages")
        assert [json.loads(event)["id"] for event in events] == ["1", "2"]

        lines = (await site.rest("/v1/items:watch"))["body"].splitlines()
        assert [json.loads(line)["id"] for line in lines] == ["1", "2"]


@pytest.mark.parametrize("headers_first", [False, True])
async def test_a_page_reads_why_a_call_failed(site: Site, headers_first: bool) -> None:  # noqa: FBT001 - a parameter
    """An error that the contract declares: code, message and details, in headers or behind what is sent already."""
    info = error_details_pb2.ErrorInfo(reason="OUT_OF_ITEMS", domain="lab.v1", metadata={"left": "0"})
    status = status_pb2.Status(code=9, message="only 0 left: ä")
    status.details.add().Pack(info)

    async def refuse(_request: Any, context: Any) -> None:
        if headers_first:
            await context.send_initial_metadata(())
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, status.message)

    with site.lab.backend.on("GetItem", refuse):
        call = await site.grpc_web("GetItem")
        told = call["headers"] | call["trailers"]
        assert (told["grpc-status"], told["grpc-message"]) == ("9", "only 0 left: %C3%A4")
        details = told["grpc-status-details-bin"]
        assert status_pb2.Status.FromString(base64.b64decode(details + "=" * (-len(details) % 4))) == status
        answer = await site.rest("/v1/items/7")
        assert answer["status"] == 400
        body = json.loads(answer["body"])
        assert (body["code"], body["message"], body["details"][0]["reason"]) == (9, status.message, "OUT_OF_ITEMS")


@pytest.mark.parametrize(
    ("name", "path", "token", "code", "http"),
    [
        ("MyItem", "/v1/mine", None, 16, 401),
        ("MyItem", "/v1/mine", {"exp": 1}, 16, 401),
        ("MyItem", "/v1/mine", {"aud": "another"}, 7, 403),
        ("EditItem", "/v1/mine:edit", {}, 7, 403),
    ],
    ids=["no token", "expired", "wrong audience", "missing scope"],
)
async def test_a_page_reads_why_it_was_denied(
    site: Site, name: str, path: str, token: dict[str, Any] | None, code: int, http: int
) -> None:
    """What Envoy refuses by itself can be read as what a service refuses."""
    headers = {} if token is None else bearer(**token)
    call = await site.grpc_web(name, **headers)
    told = call["headers"] | call["trailers"]
    assert told["grpc-status"] == str(code)
    assert told["grpc-message"]
    verb: dict[str, Any] = {"method": "POST", "body": "{}"} if name == "EditItem" else {}
    answer = await site.rest(path, headers=headers, **verb)
    body = json.loads(answer["body"])
    assert (answer["status"], body["code"]) == (http, code)
    assert body["message"]


async def test_a_page_reads_when_it_may_call_again(site: Site) -> None:
    """Called too often: the limit, what is left of it, and when to come back."""
    headers = bearer(sub=f"page by {site.http}")
    first = await site.rest("/v1/mine/limited", headers=headers)
    assert (first["status"], first["headers"]["x-ratelimit-remaining"]) == (200, "1")
    call = await site.grpc_web("MyLimitedItem", **headers)
    assert call["trailers"]["grpc-status"] == "0"
    assert call["headers"]["x-ratelimit-limit"] == "2"

    refused = await site.rest("/v1/mine/limited", headers=headers)
    assert (refused["status"], json.loads(refused["body"])["code"]) == (429, 8)
    call = await site.grpc_web("MyLimitedItem", **headers)
    assert call["headers"]["grpc-status"] == "8"
    for told in (refused["headers"], call["headers"]):
        assert told["retry-after"] == "30"
        assert 0 < int(told["x-ratelimit-reset"]) <= 30


@pytest.mark.parametrize(
    ("path", "options", "http", "code"),
    [
        ("/v1/nothing", {}, 404, 5),
        ("/v1/items/7?unknown=1", {}, 400, 3),
        ("/v1/items/a%2Fb", {}, 400, 3),
        (f"/{SERVICE}/GetItem", {"method": "POST", "body": "{}"}, 415, 3),
        ("/v1/small", {"method": "POST", "body": json.dumps({"note": "x" * 1025})}, 413, 8),
        ("/v1/small", {"method": "POST", "body": json.dumps({"note": "x" * 5_000_000})}, 413, 8),
        ("/v1/slow", {}, 504, 4),
    ],
    ids=["no path", "no parameter", "escaped slash", "no gRPC", "too large", "far too large", "too late"],
)
async def test_a_page_reads_what_no_service_has_refused(
    site: Site, path: str, options: dict[str, Any], http: int, code: int
) -> None:
    """Each refusal of Envoy's own, as JSON."""

    async def never(_request: Any, _context: Any) -> None:
        await asyncio.Event().wait()

    with site.lab.backend.on("SlowItem", never):
        answer = await site.rest(path, headers={"content-type": "application/json"} if options else {}, **options)
    assert "blocked" not in answer
    assert (answer["status"], json.loads(answer["body"])["code"]) == (http, code)


@pytest.mark.parametrize(("name", "code"), [("AdminItem", "12"), ("NoItem", "12"), ("SmallItem", "8")])
async def test_a_page_reads_why_grpc_web_was_refused(site: Site, name: str, code: str) -> None:
    """Internal methods, unknown ones, and a message that is too large."""
    call = await site.grpc_web(name, ItemRequest(note="x" * 2000))
    assert call["headers"]["grpc-status"] == code
    assert call["headers"]["grpc-message"]


async def test_a_page_of_another_origin_is_told_nothing(site: Site) -> None:
    """What it asks for with a preflight does not reach the service; the rest the browser keeps from it."""
    backend = site.lab.backend
    before = backend.calls["CreateItem"], backend.calls["GetItem"]
    post = {"method": "POST", "body": "{}", "headers": {"content-type": "application/json"}}
    for path, options in (("/v1/items", post), ("/v1/items/7", {"headers": bearer()})):
        assert "Failed to fetch" in (await site.rest(path, page=site.stranger, **options))["blocked"]
    assert "Failed to fetch" in (await site.grpc_web_of_stranger("GetItem"))["blocked"]
    assert (backend.calls["CreateItem"], backend.calls["GetItem"]) == before
    for path in ("/v1/items/7", "/v1/nothing", f"/{SERVICE}/GetItem", "/v1/mine"):
        assert "Failed to fetch" in (await site.rest(path, page=site.stranger))["blocked"]
