import uuid
from datetime import datetime, timedelta, timezone

import grpc
import pytest
from google.rpc import error_details_pb2

from protomesh.runtime.store import Database, RequestIdReused, forget, remember, replayed
from shop.inventory.v1 import ReleaseRequest, ReleaseResponse, Reservation, ReserveRequest, ReserveResponse

ID = str(uuid.UUID(int=7))
REQUEST = ReserveRequest(request_id=ID, product_id="tea", quantity=2)
RESPONSE = ReserveResponse(reservation=Reservation(reservation_id="r", product_id="tea", quantity=2))


async def test_a_new_request_has_no_answer(db: Database) -> None:
    """The handler does its work."""
    async with db.begin() as tx:
        assert await replayed(tx, REQUEST, ReserveResponse) is None


async def test_a_repeat_gets_the_first_answer(db: Database) -> None:
    """Whole, and as a message of its own type."""
    async with db.begin() as tx:
        assert await remember(tx, REQUEST, RESPONSE) is RESPONSE
    async with db.read() as tx:
        assert await replayed(tx, REQUEST, ReserveResponse) == RESPONSE


async def test_an_empty_answer_is_an_answer(db: Database) -> None:
    """A message without fields has no bytes, and is true all the same."""
    request = ReleaseRequest(request_id=ID, reservation_id="r")
    async with db.begin() as tx:
        await remember(tx, request, ReleaseResponse())
    async with db.read() as tx:
        done = await replayed(tx, request, ReleaseResponse)
    assert done == ReleaseResponse()
    assert done, "a handler asks `if done := ...`"


async def test_the_same_id_with_another_request_is_refused(db: Database) -> None:
    """ALREADY_EXISTS with a reason: the caller has mixed something up, and neither answer would be right."""
    async with db.begin() as tx:
        await remember(tx, REQUEST, RESPONSE)
    other = ReserveRequest(request_id=ID, product_id="tea", quantity=3)
    async with db.read() as tx:
        with pytest.raises(RequestIdReused, match=ID) as reused:
            await replayed(tx, other, ReserveResponse)
    assert reused.value.code is grpc.StatusCode.ALREADY_EXISTS
    info = error_details_pb2.ErrorInfo()
    assert reused.value.status().details[0].Unpack(info)
    assert info.reason == "REQUEST_ID_REUSED"


async def test_the_same_id_of_another_method_is_another_request(db: Database) -> None:
    """A request message belongs to one method, and an id is unique within it."""
    async with db.begin() as tx:
        await remember(tx, REQUEST, RESPONSE)
        assert await replayed(tx, ReleaseRequest(request_id=ID, reservation_id="r"), ReleaseResponse) is None


async def test_an_answer_goes_with_the_work_it_belongs_to(db: Database) -> None:
    """Undone together: the repeat does the work again."""

    async def fail() -> None:
        async with db.begin() as tx:
            await remember(tx, REQUEST, RESPONSE)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    async with db.read() as tx:
        assert await replayed(tx, REQUEST, ReserveResponse) is None


async def test_old_answers_are_forgotten(db: Database) -> None:
    """By the moment they were given at, in any time zone."""
    async with db.begin() as tx:
        await remember(tx, REQUEST, RESPONSE)
    now = datetime.now(timezone(timedelta(hours=10)))
    assert await forget(db, before=now - timedelta(hours=1)) == 0
    assert await forget(db, before=now + timedelta(hours=1)) == 1
    async with db.read() as tx:
        assert await replayed(tx, REQUEST, ReserveResponse) is None
