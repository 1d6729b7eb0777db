"""What becomes of a reservation: confirmed, released, or expired."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from grpc.aio import AioRpcError
from sqlalchemy import text

from protomesh.runtime import InvalidSettings
from protomesh.runtime.store import Database, Transaction, forget
from protomesh.testing.database import Databases
from protomesh.testing.fake import Fake
from protomesh.testing.serving import serving
from services.inventory.app import InventorySettings
from services.inventory.expiry import expire_reservations
from services.inventory.forgetting import forget_reservations
from services.inventory.service import Inventory
from shop.catalog.v1 import CatalogServiceStub
from shop.inventory.v1 import (
    ConfirmReservationRequest,
    InventoryServiceStub,
    ReservationClosed,
    ReservationNotFound,
    WatchStockRequest,
)
from tests.services.clock import Clock
from tests.services.inventory.warehouse import KETTLES, confirm, new_id, release, reserve, stock

Fields = Callable[[AioRpcError], list[str]]
LIFETIME, KEPT = timedelta(minutes=15), timedelta(days=90)
SOON = timedelta(seconds=20).total_seconds()


class Ended(Exception):  # noqa: N818 - it is what happens
    """The process ends here."""


class EndingDatabase(Database):
    """A database whose process ends when it begins to write for the third time."""

    times = 0

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[Transaction]:
        self.times += 1
        if self.times > 2:
            raise Ended
        async with super().begin() as tx:
            yield tx


async def counted(inventory: InventoryServiceStub, product_id: str = "gooseneck-kettle") -> tuple[int, int]:
    """Pieces on hand, and of those reserved."""
    found = await stock(inventory, product_id)
    return found.on_hand, found.reserved


async def held(inventory: InventoryServiceStub, quantity: int, product_id: str = "gooseneck-kettle") -> str:
    """The id of a new reservation."""
    return (await inventory.Reserve(reserve(quantity, product_id))).reservation.reservation_id


class TestConfirmReservation:
    """ConfirmReservation, and the release of what is confirmed."""

    async def test_what_is_confirmed_has_left(self, inventory: InventoryServiceStub) -> None:
        """It is neither on hand nor reserved, and nothing more is available than before."""
        made = (await inventory.Reserve(reserve(2))).reservation
        confirmed = (await inventory.ConfirmReservation(confirm(made.reservation_id))).reservation
        assert not confirmed.HasField("expire_time")
        made.ClearField("expire_time")
        assert confirmed == made
        assert await counted(inventory) == (KETTLES - 2, 0)

    async def test_another_request_confirms_nothing_more(self, inventory: InventoryServiceStub) -> None:
        """What it wants is so already."""
        made = await held(inventory, 2)
        first = await inventory.ConfirmReservation(confirm(made))
        assert await inventory.ConfirmReservation(confirm(made)) == first
        assert await counted(inventory) == (KETTLES - 2, 0)

    async def test_what_was_confirmed_comes_back_by_its_release(self, inventory: InventoryServiceStub) -> None:
        """Once: a paid order was cancelled."""
        made = await held(inventory, 2)
        await inventory.ConfirmReservation(confirm(made))
        cancel = release(made)
        assert await inventory.Release(cancel) == await inventory.Release(cancel)
        assert await counted(inventory) == (KETTLES, 0)
        with pytest.raises(ReservationNotFound):
            await inventory.Release(release(made))

    async def test_what_was_released_can_not_be_confirmed(self, inventory: InventoryServiceStub) -> None:
        """The declared error, and its stock stays."""
        made = await held(inventory, 2)
        await inventory.Release(release(made))
        with pytest.raises(ReservationNotFound) as missing:
            await inventory.ConfirmReservation(confirm(made))
        assert missing.value.reservation_id == made
        assert await counted(inventory) == (KETTLES, 0)

    async def test_the_repeat_of_a_confirmation_is_answered_although_it_was_cancelled(
        self, inventory: InventoryServiceStub
    ) -> None:
        """And takes nothing again: it comes late, and means what it meant."""
        made = await held(inventory, 2)
        request = confirm(made)
        first = await inventory.ConfirmReservation(request)
        await inventory.Release(release(made))
        assert await inventory.ConfirmReservation(request) == first
        assert await counted(inventory) == (KETTLES, 0)

    async def test_of_a_confirmation_and_a_release_at_once_the_stock_adds_up(
        self, inventory: InventoryServiceStub
    ) -> None:
        """Whichever comes first, the release has the last word."""
        made = await held(inventory, 2)
        confirmed, released = await asyncio.gather(
            inventory.ConfirmReservation(confirm(made)), inventory.Release(release(made)), return_exceptions=True
        )
        assert not isinstance(released, BaseException)
        assert not isinstance(confirmed, BaseException) or isinstance(confirmed, ReservationNotFound)
        assert await counted(inventory) == (KETTLES, 0)

    @pytest.mark.parametrize(
        ("request_", "field"),
        [
            (ConfirmReservationRequest(reservation_id="some"), "request_id"),
            (ConfirmReservationRequest(request_id=new_id()), "reservation_id"),
            (ConfirmReservationRequest(request_id=new_id(), reservation_id="x" * 65), "reservation_id"),
        ],
    )
    async def test_a_request_that_breaks_a_rule_names_the_field(
        self, inventory: InventoryServiceStub, fields: Fields, request_: ConfirmReservationRequest, field: str
    ) -> None:
        """Before the handler."""
        with pytest.raises(AioRpcError) as refused:
            await inventory.ConfirmReservation(request_)
        assert set(fields(refused.value)) == {field}


class TestExpiry:
    """Reservations that nobody confirmed."""

    async def test_whoever_reserves_is_told_for_how_long(self, inventory: InventoryServiceStub, clock: Clock) -> None:
        """A quarter of an hour, unless the settings say otherwise."""
        made = (await inventory.Reserve(reserve(2))).reservation
        assert made.create_time.ToDatetime(clock.time.tzinfo) == clock.time
        assert made.expire_time.ToDatetime(clock.time.tzinfo) == clock.time + LIFETIME

    async def test_what_nobody_confirmed_is_available_again(
        self, inventory: InventoryServiceStub, db: Database, clock: Clock
    ) -> None:
        """When its time is over, and not before."""
        made = await held(inventory, 2)
        clock.advance(LIFETIME - timedelta(microseconds=1))
        await expire_reservations(db, clock)
        assert await counted(inventory) == (KETTLES, 2)
        clock.advance(timedelta(microseconds=1))
        await expire_reservations(db, clock)
        assert await counted(inventory) == (KETTLES, 0)
        with pytest.raises(ReservationNotFound):
            await inventory.ConfirmReservation(confirm(made))
        with pytest.raises(ReservationNotFound):
            await inventory.Release(release(made))

    async def test_what_is_confirmed_does_not_expire(
        self, inventory: InventoryServiceStub, db: Database, clock: Clock
    ) -> None:
        """However long ago that was; and it can still be cancelled."""
        made = await held(inventory, 2)
        await inventory.ConfirmReservation(confirm(made))
        clock.advance(LIFETIME * 1000)
        await expire_reservations(db, clock)
        assert await counted(inventory) == (KETTLES - 2, 0)
        await inventory.Release(release(made))
        assert await counted(inventory) == (KETTLES, 0)

    async def test_it_is_not_too_late_while_the_stock_is_still_held(
        self, inventory: InventoryServiceStub, db: Database, clock: Clock
    ) -> None:
        """An order that is paid in the last moment is not refused for nothing."""
        made = await held(inventory, 2)
        clock.advance(LIFETIME)
        await inventory.ConfirmReservation(confirm(made))
        await expire_reservations(db, clock)
        assert await counted(inventory) == (KETTLES - 2, 0)

    async def test_the_repeat_of_a_reservation_that_has_expired_holds_nothing(
        self, inventory: InventoryServiceStub, db: Database, clock: Clock
    ) -> None:
        """It gets the first answer, which says when it expired."""
        request = reserve(2)
        first = await inventory.Reserve(request)
        clock.advance(LIFETIME)
        await expire_reservations(db, clock)
        assert await inventory.Reserve(request) == first
        assert await counted(inventory) == (KETTLES, 0)

    async def test_every_batch_is_a_transaction_of_its_own(
        self, inventory: InventoryServiceStub, db: Database, clock: Clock
    ) -> None:
        """All that is due expires, the rest stays, and others may write in between."""
        for number in range(10):
            await held(inventory, 1 + number % 2, ("honey-spoon", "assam-tea")[number % 2])
        clock.advance(LIFETIME)
        later = await held(inventory, 7, "honey-spoon")
        before = await stock(inventory, "honey-spoon")

        async with EndingDatabase(db.url) as ending:
            with pytest.raises(Ended):
                await expire_reservations(ending, clock, batch=3)
        async with db.read() as tx:
            left = await tx.scalar(text("SELECT count(*) FROM reservations"))
        assert left == 10 - 2 * 3 + 1
        on_hand, reserved = await counted(inventory, "honey-spoon")
        assert before.reserved > reserved > 7
        assert on_hand == before.on_hand

        await expire_reservations(db, clock, batch=3)
        assert await counted(inventory, "honey-spoon") == (before.on_hand, 7)
        assert (await counted(inventory, "assam-tea"))[1] == 0
        await inventory.ConfirmReservation(confirm(later))

    async def test_two_who_expire_at_once_give_back_once(
        self, inventory: InventoryServiceStub, db: Database, database: Databases, clock: Clock
    ) -> None:
        """Two machines have a worker each that may."""
        for _ in range(4):
            await held(inventory, 1)
        clock.advance(LIFETIME)
        other = await database.open(db.url)
        await asyncio.gather(*(expire_reservations(each, clock, batch=1) for each in (db, other) * 2))
        assert await counted(inventory) == (KETTLES, 0)

    async def test_of_a_confirmation_and_the_expiry_at_once_one_happens(
        self, inventory: InventoryServiceStub, db: Database, clock: Clock
    ) -> None:
        """An order that was told that its stock has left can rely on it."""
        kettles = KETTLES
        for _ in range(KETTLES):
            made = await held(inventory, 1)
            clock.advance(LIFETIME)
            confirmed, _ = await asyncio.gather(
                inventory.ConfirmReservation(confirm(made)), expire_reservations(db, clock), return_exceptions=True
            )
            kettles -= not isinstance(confirmed, ReservationNotFound)
            assert await counted(inventory) == (kettles, 0)

    async def test_an_expiry_is_told_to_watchers(
        self, inventory: InventoryServiceStub, db: Database, clock: Clock
    ) -> None:
        """It is a change like any other."""
        await held(inventory, 2)
        watching = inventory.WatchStock(WatchStockRequest(product_id="gooseneck-kettle"))
        async with asyncio.timeout(SOON):
            responses = aiter(watching)
            assert (await anext(responses)).stock.reserved == 2
            clock.advance(LIFETIME)
            await expire_reservations(db, clock)
            assert (await anext(responses)).stock.available == KETTLES
        watching.cancel()

    async def test_an_id_whose_answer_is_forgotten_holds_nothing_again(
        self, inventory: InventoryServiceStub, db: Database
    ) -> None:
        """The reservation is still there, since it was confirmed."""
        request = reserve(2)
        made = (await inventory.Reserve(request)).reservation
        await inventory.ConfirmReservation(confirm(made.reservation_id))
        await forget(db, before=datetime.now(UTC) + timedelta(days=1))
        with pytest.raises(AioRpcError) as reused:
            await inventory.Reserve(request)
        assert reused.value.code() is grpc.StatusCode.ALREADY_EXISTS
        assert await counted(inventory) == (KETTLES - 2, 0)

    async def test_what_was_held_before_reservations_expired_stays_held(
        self, inventory: InventoryServiceStub, db: Database, clock: Clock
    ) -> None:
        """As a worker of that release keeps it, until it is confirmed or released."""
        async with db.begin() as tx:
            for reservation_id in ("sold", "given-up"):
                await tx.execute(
                    text(
                        "INSERT INTO reservations (reservation_id, product_id, quantity, create_time)"
                        f" VALUES ('{reservation_id}', 'gooseneck-kettle', 1, '2026-01-05 08:00:00')"
                    )
                )
            await tx.execute(text("UPDATE stock SET reserved = 2 WHERE product_id = 'gooseneck-kettle'"))
        clock.advance(LIFETIME * 1000)
        await expire_reservations(db, clock)
        assert await counted(inventory) == (KETTLES, 2)
        await inventory.ConfirmReservation(confirm("sold"))
        await inventory.Release(release("given-up"))
        assert await counted(inventory) == (KETTLES - 1, 0)


class TestForgetting:
    """What the inventory need not know any more."""

    async def test_what_left_long_ago_can_not_come_back(
        self, inventory: InventoryServiceStub, db: Database, clock: Clock
    ) -> None:
        """Until then it can; what is not confirmed is not forgotten, however old."""
        old = [await held(inventory, 1) for _ in range(3)]
        for made in old:
            await inventory.ConfirmReservation(confirm(made))
        kept = await held(inventory, 1)
        clock.advance(KEPT)
        await forget_reservations(db, clock, KEPT)
        await inventory.Release(release(old.pop()))
        clock.advance(timedelta(seconds=1))
        young = await held(inventory, 1)
        await inventory.ConfirmReservation(confirm(young))
        await forget_reservations(db, clock, KEPT, batch=1)
        for made in old:
            with pytest.raises(ReservationNotFound):
                await inventory.Release(release(made))
        await inventory.Release(release(young))
        assert await counted(inventory) == (KETTLES - 2, 1)
        await inventory.Release(release(kept))

    async def test_what_was_given_up_before_it_was_there_is_known_for_a_week(
        self, inventory: InventoryServiceStub, db: Database, clock: Clock
    ) -> None:
        """A call that takes longer than that there is not."""
        late = [reserve(1) for _ in range(3)]
        for request in late:
            with pytest.raises(ReservationNotFound):
                await inventory.Release(release(request.request_id))
        clock.advance(timedelta(days=7))
        await forget_reservations(db, clock, KEPT, batch=2)
        with pytest.raises(ReservationClosed):
            await inventory.Reserve(late[0])
        clock.advance(timedelta(seconds=1))
        await forget_reservations(db, clock, KEPT, batch=2)
        async with db.read() as tx:
            assert await tx.scalar(text("SELECT count(*) FROM closed_reservations")) == 0


async def test_the_settings_say_how_long_stock_is_held(
    db: Database, catalog: Fake[CatalogServiceStub], clock: Clock
) -> None:
    """And a time in which no order could be paid is refused."""
    lifetime = InventorySettings(reservation_lifetime=timedelta(minutes=2)).reservation_lifetime
    async with serving(Inventory(db, catalog.stub, clock, lifetime), InventoryServiceStub) as inventory:
        made = (await inventory.Reserve(reserve(1))).reservation
    assert made.expire_time.ToDatetime(clock.time.tzinfo) == clock.time + timedelta(minutes=2)
    with pytest.raises(InvalidSettings, match="CONFIRMED_KEPT"):
        InventorySettings(confirmed_kept=timedelta(minutes=59))
    with pytest.raises(InvalidSettings, match="RESERVATION_LIFETIME"):
        InventorySettings(reservation_lifetime=timedelta(0))
