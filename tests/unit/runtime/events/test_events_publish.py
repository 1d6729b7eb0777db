import uuid
from typing import Any

import pytest
from probe.v1 import AnswerRequest, Baked, Cooled, Rung
from sqlalchemy import select

from protomesh.runtime.current import Metadatum, Scope, current
from protomesh.runtime.events import NotPublishable, publish
from protomesh.runtime.events.publish import MAX_EVENT_BYTES, PUBLISHABLE
from protomesh.runtime.events.tables import OUTBOX
from protomesh.runtime.store import Database


async def rows(db: Database) -> list[Any]:
    """The outbox."""
    async with db.read() as tx:
        return list(await tx.execute(select(OUTBOX).order_by(OUTBOX.c.sequence)))


async def test_an_event_is_kept_with_what_it_tells_of(publisher: Database) -> None:
    """Type, key, bytes, and an id of its own."""
    event = Baked(oven="left", number=3)
    async with publisher.begin() as tx:
        event_id = await publish(tx, event)
    (row,) = await rows(publisher)
    assert (row.event_id, row.event_type, row.key) == (event_id, "probe.v1.Baked", "left")
    assert Baked.FromString(row.content) == event
    assert uuid.UUID(event_id)


async def test_an_event_is_undone_with_its_transaction(publisher: Database) -> None:
    """Nobody learns of what has not happened."""

    async def fail() -> None:
        async with publisher.begin() as tx:
            await publish(tx, Baked(oven="left"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await rows(publisher) == []


async def test_a_key_is_its_fields_value_as_text(publisher: Database) -> None:
    """Events of different types about one thing are in order too; an event without a key is alone with its id."""
    async with publisher.begin() as tx:
        await publish(tx, Baked(oven="7"))
        await publish(tx, Cooled(oven=7))
        ring = await publish(tx, Rung(who="me"))
        nameless = await publish(tx, Baked())
    assert [row.key for row in await rows(publisher)] == ["7", "7", ring, nameless]


async def test_what_travels_is_kept_with_the_event(publisher: Database) -> None:
    """Trace, request and user, and nothing else of the call: neither their token nor what else it said."""

    class Call(Scope):
        @property
        def forwarded(self) -> tuple[Metadatum, ...]:
            return (
                ("x-request-id", "r1"),
                ("x-protomesh-subject", "alice"),
                ("x-protomesh-claims", "e30"),
                ("x-protomesh-token", "Bearer t"),
                ("x-secret", "s"),
            )

    token = current.set(Call("probe.v1.LeafService/Answer", None))
    async with publisher.begin() as tx:
        await publish(tx, Rung(who="me"))
    current.reset(token)
    (row,) = await rows(publisher)
    assert row.metadata == '{"x-request-id": "r1", "x-protomesh-subject": "alice"}'


async def test_what_is_no_event_is_refused(publisher: Database) -> None:
    """A message without the option, one that is too large, a key that is too long; and the text says what to do."""
    async with publisher.begin() as tx:
        with pytest.raises(NotPublishable, match=r"give the message the option \(protomesh.v1.event\)"):
            await publish(tx, AnswerRequest(text="no"))
        with pytest.raises(NotPublishable, match="at most 1048576"):
            await publish(tx, Baked(crumbs=b"x" * MAX_EVENT_BYTES))
        with pytest.raises(NotPublishable, match=r"the key of probe.v1.Baked has 256 characters"):
            await publish(tx, Baked(oven="x" * 256))
    assert await rows(publisher) == []


async def test_a_service_publishes_its_own_events_only(publisher: Database) -> None:
    """Nobody would be told of another's: it is refused where it is written, and the text says what to do."""
    publisher.info[PUBLISHABLE] = frozenset({"probe.v1.Rung"})
    async with publisher.begin() as tx:
        await publish(tx, Rung(who="me"))
        with pytest.raises(NotPublishable, match=r"probe.v1.Baked is not this service's to publish"):
            await publish(tx, Baked(oven="left"))
    assert len(await rows(publisher)) == 1


async def test_a_sequence_is_never_used_twice(publisher: Database) -> None:
    """Not even when the outbox was empty in between: cursors would be ahead of what comes."""
    async with publisher.begin() as tx:
        await publish(tx, Baked(oven="left"))
        await tx.execute(OUTBOX.delete())
        await publish(tx, Baked(oven="left"))
    (row,) = await rows(publisher)
    assert row.sequence == 2
