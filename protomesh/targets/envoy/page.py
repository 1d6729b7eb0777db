"""A page that Envoy answers by itself: what callers read about the mesh, for as long as there is an Envoy."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from protomesh.targets.envoy.names import Body

__all__ = ["Page", "largest_page", "page_route"]

_OK = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What is answered at a path."""

    content_type: str
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)


def page_route(path: str, page: Page) -> Body:
    """The route that answers a page, whatever is sent there."""
    headers = {"cache-control": "no-cache", "x-content-type-options": "nosniff", **page.headers}
    return {
        "name": path,
        "match": {"prefix": "/"},  # the matcher tree has matched the path already
        "direct_response": {
            "status": _OK,
            "body": {"inline_string": page.text},
            "body_format": {
                "text_format_source": {"inline_string": "%LOCAL_REPLY_BODY%"},
                "content_type": page.content_type,
            },
        },
        "response_headers_to_add": [
            {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for key, value in sorted(headers.items())
        ],
    }


def largest_page(pages: Mapping[str, Page]) -> int:
    """How many bytes the largest has. Envoy takes 4,096 if it is not told."""
    return max((len(page.text.encode()) for page in pages.values()), default=0)
