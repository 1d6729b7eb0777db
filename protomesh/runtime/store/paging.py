"""Pages that stay put while rows come and go: https://google.aip.dev/158.

A page token says after which key to go on, not how many rows to skip: rows added or removed meanwhile neither
repeat nor hide others.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, Self, TypeVar

from google.protobuf.message import Message

from protomesh.runtime.errors import StatusError
from protomesh.runtime.store.opaque import from_text, to_text

__all__ = ["Page", "PagedRequest"]

DEFAULT_SIZE = 20
LARGEST_SIZE = 100
_DIGEST_BYTES = 12

RowT = TypeVar("RowT")


class PagedRequest(Protocol):
    """A request message with `page_size` and `page_token`."""

    @property
    def page_size(self) -> int:
        """How many the caller wants at most; 0 leaves it to the service."""
        ...

    @property
    def page_token(self) -> str:
        """Where to go on; empty for the first page."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Which rows a request asks for.

    Order the rows by a unique key, read `limit` of them that come after `after`, and `cut` them:

        page = Page.of(request)
        rows = await products(tx, after=page.after, limit=page.limit)
        rows, token = page.cut(rows, key=lambda row: (row.product_id,))
    """

    size: int  # rows on the page
    after: tuple[str, ...] | None  # the key of the last row before; None for the first page
    scope: bytes  # what the token is good for: the method and everything else that was asked

    @classmethod
    def of(
        cls, request: PagedRequest, *, keys: int = 1, default: int = DEFAULT_SIZE, largest: int = LARGEST_SIZE
    ) -> Self:
        """Reads the page that `request` asks for. `keys` is how many values the key has.

        Raises:
            StatusError: The page size is negative, or the token is not one that this method gave out for the same
                request (INVALID_ARGUMENT).
        """
        if request.page_size < 0:
            raise StatusError.invalid("page_size", "must not be negative")
        scope = _scope(request)
        after = _read(request.page_token, scope) if request.page_token else None
        if after is not None and len(after) != keys:
            raise _not_ours()
        return cls(size=min(request.page_size or default, largest), after=after, scope=scope)

    @property
    def limit(self) -> int:
        """How many rows to read: one more than the page has, to know whether it is the last."""
        return self.size + 1

    def cut(self, rows: Sequence[RowT], *, key: Callable[[RowT], tuple[str, ...]]) -> tuple[Sequence[RowT], str]:
        """The rows of the page, and the token of the next one: empty if there is none."""
        if len(rows) <= self.size:
            return rows, ""
        shown = rows[: self.size]
        return shown, _write(key(shown[-1]), self.scope)


def _scope(request: PagedRequest) -> bytes:
    assert isinstance(request, Message)
    rest = type(request)()
    rest.CopyFrom(request)
    rest.ClearField("page_size")  # may change from page to page
    rest.ClearField("page_token")
    return request.DESCRIPTOR.full_name.encode() + b"\0" + rest.SerializeToString(deterministic=True)


def _write(key: tuple[str, ...], scope: bytes) -> str:
    payload = json.dumps(key, ensure_ascii=False, separators=(",", ":")).encode()
    return to_text(_digest(payload, scope) + payload)


def _read(token: str, scope: bytes) -> tuple[str, ...]:
    try:
        raw = from_text(token)
    except ValueError:
        raise _not_ours() from None
    digest, payload = raw[:_DIGEST_BYTES], raw[_DIGEST_BYTES:]
    if not hmac.compare_digest(digest, _digest(payload, scope)):
        raise _not_ours()
    return tuple(json.loads(payload))


def _digest(payload: bytes, scope: bytes) -> bytes:
    # Finds mistakes, and tokens of another query. It has no secret and needs none: a token says where to begin and
    # grants nothing, since every page is read with the rights of the call that asks for it.
    return hashlib.sha256(len(payload).to_bytes(4) + payload + scope).digest()[:_DIGEST_BYTES]


def _not_ours() -> StatusError:
    return StatusError.invalid("page_token", "is not a next_page_token of this method for the same request")
