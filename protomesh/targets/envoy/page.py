"""A page that Envoy answers by itself: what callers read about the mesh, for as long as there is an Envoy."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field

from protomesh.targets.envoy.names import Body
from protomesh.targets.envoy.route import refusal
from protomesh.targets.envoy.routes import either, header

__all__ = ["Page", "Pages", "largest_page", "page_outcome"]

_OK, _METHOD_NOT_ALLOWED = 200, 405
_READS: Body = {"google_re2": {}, "regex": "GET|HEAD"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What is answered at a path."""

    content_type: str
    content: bytes
    gzip: bytes | None = None  # the same, compressed, for those who take it so
    headers: Mapping[str, str] = field(default_factory=dict)
    takes_query: bool = False  # whether it is answered also where a query follows the path


Pages = Mapping[str, Mapping[str, Page]]
"""What each gateway answers, by its name and by the path."""


def page_outcome(path: str, page: Page) -> Body:
    """A matcher that finds the route by which a page is answered: to who reads, and compressed to who takes gzip."""
    headers = {"cache-control": "no-cache", "x-content-type-options": "nosniff", **page.headers}
    if page.gzip is None:
        return _read_only(_route(path, page.content_type, page.content, headers))
    headers["vary"] = "accept-encoding"
    plain = _route(path, page.content_type, page.content, headers)
    small = _route(path, page.content_type, page.gzip, headers | {"content-encoding": "gzip"})
    return _read_only(either([(header("accept-encoding", contains="gzip"), small)], plain))


def _read_only(answer: Body) -> Body:
    refused = refusal("not a method of a page", _METHOD_NOT_ALLOWED, "this is a page: GET it")
    refused |= {"response_headers_to_add": [{"header": {"key": "allow", "value": "GET, HEAD"}}]}  # RFC 9110, 15.5.6
    return either([({"not_matcher": header(":method", safe_regex=_READS)}, refused)], answer)


def _route(path: str, content_type: str, content: bytes, headers: Mapping[str, str]) -> Body:
    return {
        "name": path,
        "match": {"prefix": "/"},  # the matcher tree has matched the path already
        "direct_response": {
            "status": _OK,
            "body": _data(content),
            "body_format": {
                "text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"},
                "content_type": content_type,
            },
        },
        "response_headers_to_add": [
            {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for key, value in sorted(headers.items())
        ],
    }


def _data(content: bytes) -> Body:
    try:
        return {"inline_string": content.decode()}
    except UnicodeDecodeError:
        return {"inline_bytes": base64.b64encode(content).decode()}


def largest_page(pages: Mapping[str, Page]) -> int:
    """How many bytes the largest has. Envoy takes 4,096 if it is not told."""
    return max((len(page.content) for page in pages.values()), default=0)
