import base64
import random
from dataclasses import dataclass

import grpc
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import URL, Column, MetaData, String, Table, delete, insert, select

from protomesh.runtime.errors import StatusError
from protomesh.runtime.store import Database, Page
from protomesh.runtime.store.dialect import dialect_of
from shop.catalog.v1 import ListProductsRequest, SearchProductsRequest


@dataclass(frozen=True)
class Row:
    """A row with a unique key."""

    name: str


def rows(page: Page, names: list[str]) -> list[Row]:
    """What a database would read for a page."""
    after = page.after[0] if page.after else ""
    return [Row(name) for name in sorted(names) if name > after][: page.limit]


def key(row: Row) -> tuple[str]:
    """What rows are ordered by."""
    return (row.name,)


def test_pages_follow_each_other_to_the_end() -> None:
    """Each row once, in order; the last page has no token."""
    names = [f"{number:02}" for number in range(7)]
    seen: list[str] = []
    token = ""
    for _ in range(3):
        page = Page.of(ListProductsRequest(page_size=3, page_token=token))
        shown, token = page.cut(rows(page, names), key=key)
        seen += [row.name for row in shown]
    assert seen == names
    assert token == ""


def test_a_full_last_page_has_no_token() -> None:
    """Nobody is sent to fetch an empty page."""
    page = Page.of(ListProductsRequest(page_size=2))
    assert page.cut(rows(page, ["a", "b"]), key=key)[1] == ""


def test_rows_inserted_meanwhile_neither_repeat_nor_hide_others() -> None:
    """The token names a key, not a number of rows."""
    page = Page.of(ListProductsRequest(page_size=2))
    shown, token = page.cut(rows(page, ["b", "d", "f"]), key=key)
    page = Page.of(ListProductsRequest(page_size=2, page_token=token))
    more, _ = page.cut(rows(page, ["a", "b", "c", "d", "e", "f"]), key=key)
    assert [row.name for row in shown] == ["b", "d"]
    assert [row.name for row in more] == ["e", "f"]


@pytest.mark.parametrize("seed", range(5))
async def test_a_database_that_changes_between_pages_gives_every_row_once(db: Database, url: URL, seed: int) -> None:
    """Whatever comes and goes: what is there all the time is on one page, in whatever order the database has."""
    names = Table("names", MetaData(), Column("name", String(40), primary_key=True))
    dialect_of(url).migrate(url, names.create)
    moments = random.Random(seed)
    letters = "abcXYZ019-_ .äßé日\U0001f375"
    stays, goes, comes = (
        {f"{kind}{''.join(moments.choices(letters, k=moments.randint(0, 8)))}" for _ in range(40)} for kind in "gsc"
    )
    async with db.begin() as tx:
        await tx.execute(insert(names), [{"name": name} for name in stays | goes])
    seen: list[str] = []
    token = ""
    for _ in range(200):
        page = Page.of(ListProductsRequest(page_size=moments.randint(1, 9), page_token=token))
        query = select(names.c.name).order_by(names.c.name).limit(page.limit)
        if page.after is not None:
            query = query.where(names.c.name > page.after[0])
        async with db.read() as tx:
            shown, token = page.cut((await tx.scalars(query)).all(), key=lambda name: (name,))
        seen += shown
        if not token:
            break
        async with db.begin() as tx:
            if goes:
                await tx.execute(delete(names).where(names.c.name == goes.pop()))
            if comes:
                await tx.execute(insert(names).values(name=comes.pop()))
    assert token == ""
    assert len(seen) == len(set(seen))
    assert stays <= set(seen)


@pytest.mark.parametrize(("asked", "given_"), [(0, 20), (1, 1), (100, 100), (101, 100), (2**31 - 1, 100)])
def test_the_size_has_a_default_and_a_limit(asked: int, given_: int) -> None:
    """AIP-158: too large is not an error."""
    assert Page.of(ListProductsRequest(page_size=asked)).size == given_


def test_the_size_may_change_from_page_to_page() -> None:
    """AIP-158."""
    page = Page.of(ListProductsRequest(page_size=1))
    _, token = page.cut(rows(page, ["a", "b"]), key=key)
    assert Page.of(ListProductsRequest(page_size=50, page_token=token)).after == ("a",)


def test_a_negative_size_names_its_field() -> None:
    """INVALID_ARGUMENT, also where no rule of the contract caught it."""
    with pytest.raises(StatusError, match="page_size") as invalid:
        Page.of(ListProductsRequest(page_size=-1))
    assert invalid.value.code is grpc.StatusCode.INVALID_ARGUMENT


def test_a_token_of_another_query_is_refused() -> None:
    """Its place in the one says nothing about the other."""
    page = Page.of(SearchProductsRequest(query="tea", page_size=1))
    _, token = page.cut(rows(page, ["a", "b"]), key=key)
    assert Page.of(SearchProductsRequest(query="tea", page_token=token)).after == ("a",)
    with pytest.raises(StatusError, match="page_token"):
        Page.of(SearchProductsRequest(query="coffee", page_token=token))
    with pytest.raises(StatusError, match="page_token"):
        Page.of(ListProductsRequest(page_token=token))


def test_a_token_with_any_character_changed_is_refused() -> None:
    """INVALID_ARGUMENT that names the field, never a crash or a wrong page."""
    page = Page.of(ListProductsRequest(page_size=1))
    _, token = page.cut(rows(page, ["assam", "b"]), key=key)
    for place, character in enumerate(token):
        changed = token[:place] + ("A" if character != "A" else "B") + token[place + 1 :]
        if _bytes(changed) == _bytes(token):
            continue  # the unused bits of the last character
        with pytest.raises(StatusError, match="page_token") as invalid:
            Page.of(ListProductsRequest(page_token=changed))
        assert invalid.value.code is grpc.StatusCode.INVALID_ARGUMENT


@given(st.text(min_size=1, max_size=200))
def test_no_text_crashes_it(token: str) -> None:
    """Whatever a caller sends in the place of a token."""
    with pytest.raises(StatusError, match="page_token"):
        Page.of(ListProductsRequest(page_token=token))


def test_the_key_does_not_show() -> None:
    """Opaque: nobody builds on what is in it."""
    page = Page.of(ListProductsRequest(page_size=1))
    _, token = page.cut(rows(page, ["assam", "b"]), key=key)
    assert "assam" not in token


def _bytes(token: str) -> bytes:
    return base64.urlsafe_b64decode(token + "=" * (-len(token) % 4))
