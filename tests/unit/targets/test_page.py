"""Pages that Envoy answers by itself."""

import base64
from typing import Any

from protomesh.targets.envoy.page import Page, largest_page, page_outcome
from protomesh.targets.envoy.routes import either, header


def read(path: str, page: Page) -> Any:
    """What answers who reads a page: a route, or a matcher that finds one."""
    found = page_outcome(path, page)["on_no_match"]
    return found.get("matcher") or found["action"]["typed_config"]


def test_a_page_is_a_direct_response() -> None:
    """With its type and its own headers over those that all have."""
    page = Page(content_type="text/plain", content=b"100 %", headers={"cache-control": "no-store"})
    route = read("/a", page)
    assert route["direct_response"] == {
        "status": 200,
        "body": {"inline_string": "100 %"},
        "body_format": {
            "text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"},
            "content_type": "text/plain",
        },
    }
    headers = {each["header"]["key"]: each["header"]["value"] for each in route["response_headers_to_add"]}
    assert headers == {"cache-control": "no-store", "x-content-type-options": "nosniff"}


def test_who_takes_gzip_gets_it() -> None:
    """Bytes that are no text go as bytes; caches are told what the choice depends on."""
    page = Page(content_type="text/css", content=b"a{}", gzip=b"\x1f\x8b", headers={})
    outcome = read("/a.css", page)
    plain = read("/a.css", Page(content_type="text/css", content=b"a{}", headers={"vary": "accept-encoding"}))
    small = read(
        "/a.css",
        Page(
            content_type="text/css",
            content=b"\x1f\x8b",
            headers={"vary": "accept-encoding", "content-encoding": "gzip"},
        ),
    )
    assert small["direct_response"]["body"] == {"inline_bytes": base64.b64encode(b"\x1f\x8b").decode()}
    assert outcome == either([(header("accept-encoding", contains="gzip"), small)], plain)


def test_the_limit_is_the_largest_page() -> None:
    """In bytes, not in characters."""
    assert largest_page({}) == 0
    assert largest_page({"/": Page(content_type="text/plain", content="ü".encode())}) == 2
