import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta

import grpc
import pytest
from grpc.aio import AioRpcError
from sqlalchemy import text

from protomesh.runtime import StatusError
from protomesh.runtime.store import Database
from protomesh.testing.database import Databases
from protomesh.testing.fake import Fake
from protomesh.testing.serving import serving
from services.inventory.domain import MOST
from services.inventory.service import Inventory
from shop.catalog.v1 import CatalogServiceStub, GetProductResponse, Product, ProductNotFound
from shop.inventory.v1 import (
    AdjustStockRequest,
    AdjustStockResponse,
    InventoryServiceStub,
    NotForSale,
    OutOfStock,
    ReleaseRequest,
    ReservationClosed,
    ReservationNotFound,
    ReserveRequest,
    StockNotFound,
    WatchStockRequest,
    WatchStockResponse,
)
from tests.services.following import Following, following
from tests.services.inventory.warehouse import KETTLES, adjust, confirm, new_id, release, reserve, scan, stock

Fields = Callable[[AioRpcError], list[str]]
SOON = timedelta(seconds=20).total_seconds()


def watching(
    inventory: InventoryServiceStub, *, resume_token: str = "", product_id: str = "gooseneck-kettle"
) -> Following[WatchStockResponse]:
    """A stream of stock."""
    return following(inventory.WatchStock(WatchStockRequest(product_id=product_id, resume_token=resume_token)))


class TestGetStock:
    """GetStock."""

    async def test_it_tells_what_is_there(self, inventory: InventoryServiceStub) -> None:
        """As the warehouse opens."""
        found = await stock(inventory)
        assert (found.available, found.on_hand, found.reserved) == (KETTLES, KETTLES, 0)

    async def test_a_product_that_was_never_stocked_is_named(self, inventory: InventoryServiceStub) -> None:
        """The declared error, caught by its type."""
        with pytest.raises(StockNotFound) as missing:
            await stock(inventory, "unobtainium")
        assert missing.value.product_id == "unobtainium"


class TestReserve:
    """Reserve and Release."""

    async def test_what_is_held_is_not_available(self, inventory: InventoryServiceStub) -> None:
        """It is still on hand, and the reservation is named by the request that made it."""
        request = reserve(2)
        reservation = (await inventory.Reserve(request)).reservation
        assert (reservation.reservation_id, reservation.quantity) == (request.request_id, 2)
        found = await stock(inventory)
        assert (found.available, found.on_hand, found.reserved) == (KETTLES - 2, KETTLES, 2)

    async def test_a_repeat_is_answered_alike_and_holds_nothing_more(self, inventory: InventoryServiceStub) -> None:
        """IDEMPOTENT in the contract: Envoy may send it again."""
        request = reserve(2)
        first = await inventory.Reserve(request)
        assert await inventory.Reserve(request) == first
        assert (await stock(inventory)).reserved == 2

    async def test_repeats_that_come_at_once_hold_once(
        self,
        inventory: InventoryServiceStub,
        db: Database,
        database: Databases,
        catalog: Fake[CatalogServiceStub],
        now: Callable[[], datetime],
    ) -> None:
        """At two workers."""
        request = reserve(2)
        async with serving(Inventory(await database.open(db.url), catalog.stub, now), InventoryServiceStub) as other:
            answers = await asyncio.gather(*(worker.Reserve(request) for worker in (inventory, other) * 5))
        assert {answer.SerializeToString() for answer in answers} == {answers[0].SerializeToString()}
        assert (await stock(inventory)).reserved == 2

    async def test_a_repeat_is_answered_although_the_product_is_not_sold_any_more(
        self, inventory: InventoryServiceStub, catalog: Fake[CatalogServiceStub]
    ) -> None:
        """What was promised stays promised."""
        request = reserve(2)
        first = await inventory.Reserve(request)
        catalog.on(catalog.stub.GetProduct).returns(GetProductResponse(product=Product(sellable=False)))
        assert await inventory.Reserve(request) == first

    async def test_a_repeat_is_answered_without_the_catalog(
        self, inventory: InventoryServiceStub, catalog: Fake[CatalogServiceStub]
    ) -> None:
        """It is away, and not needed any more."""
        request = reserve(2)
        first = await inventory.Reserve(request)
        catalog.on(catalog.stub.GetProduct).raises(StatusError(grpc.StatusCode.UNAVAILABLE, "away"))
        assert await inventory.Reserve(request) == first

    async def test_what_was_released_before_it_came_is_not_held(self, inventory: InventoryServiceStub) -> None:
        """Its caller gave it up without an answer, while it was still under way."""
        request = reserve(2)
        for _ in range(2):
            with pytest.raises(ReservationNotFound):
                await inventory.Release(release(request.request_id))
        with pytest.raises(ReservationClosed) as closed:
            await inventory.Reserve(request)
        assert closed.value.reservation_id == request.request_id
        assert (await stock(inventory)).reserved == 0

    async def test_the_same_id_for_another_quantity_is_refused(self, inventory: InventoryServiceStub) -> None:
        """ALREADY_EXISTS: neither answer would be right."""
        request = reserve(2)
        await inventory.Reserve(request)
        request.quantity = 3
        with pytest.raises(AioRpcError) as reused:
            await inventory.Reserve(request)
        assert reused.value.code() is grpc.StatusCode.ALREADY_EXISTS
        assert (await stock(inventory)).reserved == 2

    async def test_more_than_is_available_is_refused(self, inventory: InventoryServiceStub) -> None:
        """And the error says how many there are."""
        await inventory.Reserve(reserve(KETTLES - 1))
        with pytest.raises(OutOfStock) as short:
            await inventory.Reserve(reserve(2))
        assert (short.value.product_id, short.value.available) == ("gooseneck-kettle", 1)
        assert str(short.value) == "only 1 of gooseneck-kettle left"
        await inventory.Reserve(reserve(1))

    async def test_the_last_piece_is_sold_once(self, inventory: InventoryServiceStub) -> None:
        """To whichever of many comes first."""
        outcomes = await asyncio.gather(
            *(inventory.Reserve(reserve(1)) for _ in range(KETTLES + 3)), return_exceptions=True
        )
        refused = [type(outcome) for outcome in outcomes if isinstance(outcome, BaseException)]
        assert refused == [OutOfStock] * 3
        assert (await stock(inventory)).available == 0

    @pytest.mark.parametrize(
        "answer", [GetProductResponse(product=Product(sellable=False)), ProductNotFound(product_id="gooseneck-kettle")]
    )
    async def test_what_the_catalog_does_not_sell_is_not_held(
        self,
        inventory: InventoryServiceStub,
        catalog: Fake[CatalogServiceStub],
        answer: GetProductResponse | ProductNotFound,
    ) -> None:
        """Whether it is there and not sold, or unknown: the catalog's error is not passed on."""
        catalog.on(catalog.stub.GetProduct).returns(answer)
        with pytest.raises(NotForSale):
            await inventory.Reserve(reserve(1))
        assert (await stock(inventory)).reserved == 0

    async def test_without_the_catalog_nothing_is_held(
        self, inventory: InventoryServiceStub, catalog: Fake[CatalogServiceStub]
    ) -> None:
        """UNAVAILABLE keeps its code, so that a caller knows to try again."""
        catalog.on(catalog.stub.GetProduct).raises(StatusError(grpc.StatusCode.UNAVAILABLE, "away"))
        with pytest.raises(AioRpcError) as away:
            await inventory.Reserve(reserve(1))
        assert away.value.code() is grpc.StatusCode.UNAVAILABLE
        assert (await stock(inventory)).reserved == 0

    @pytest.mark.parametrize(
        ("request_", "field"),
        [
            (ReserveRequest(product_id="matcha", quantity=1), "request_id"),
            (ReserveRequest(request_id="again", product_id="matcha", quantity=1), "request_id"),
            (ReserveRequest(request_id=str(uuid.uuid4()), quantity=1), "product_id"),
            (ReserveRequest(request_id=str(uuid.uuid4()), product_id="matcha"), "quantity"),
            (ReserveRequest(request_id=str(uuid.uuid4()), product_id="matcha", quantity=-1), "quantity"),
            (ReserveRequest(request_id=str(uuid.uuid4()), product_id="matcha", quantity=1001), "quantity"),
        ],
    )
    async def test_a_request_that_breaks_a_rule_names_the_field(
        self, inventory: InventoryServiceStub, fields: Fields, request_: ReserveRequest, field: str
    ) -> None:
        """Before the handler, so that nothing is asked or held."""
        with pytest.raises(AioRpcError) as refused:
            await inventory.Reserve(request_)
        assert set(fields(refused.value)) == {field}

    async def test_what_is_released_is_available_again(self, inventory: InventoryServiceStub) -> None:
        """And a repeat of the release is answered alike."""
        reservation = (await inventory.Reserve(reserve(2))).reservation
        release = ReleaseRequest(request_id=new_id(), reservation_id=reservation.reservation_id)
        first = await inventory.Release(release)
        assert await inventory.Release(release) == first
        assert (await stock(inventory)).available == KETTLES

    async def test_nothing_is_released_twice(self, inventory: InventoryServiceStub) -> None:
        """Another request finds nothing, and frees nothing."""
        reservation = (await inventory.Reserve(reserve(2))).reservation
        await inventory.Release(ReleaseRequest(request_id=new_id(), reservation_id=reservation.reservation_id))
        with pytest.raises(ReservationNotFound) as missing:
            await inventory.Release(ReleaseRequest(request_id=new_id(), reservation_id=reservation.reservation_id))
        assert missing.value.reservation_id == reservation.reservation_id
        assert (await stock(inventory)).available == KETTLES


class TestAdjustStock:
    """AdjustStock."""

    async def test_every_scan_is_acknowledged_in_order(self, inventory: InventoryServiceStub) -> None:
        """With the stock that has it in."""
        scans = [scan(3), scan(-1), scan(10)]
        answers = await adjust(inventory, *scans)
        assert [answer.request_id for answer in answers] == [each.request_id for each in scans]
        assert [answer.stock.on_hand for answer in answers] == [KETTLES + 3, KETTLES + 2, KETTLES + 12]

    async def test_a_scan_is_acknowledged_before_the_next_is_sent(self, inventory: InventoryServiceStub) -> None:
        """A scanner that waits for each acknowledgement gets each."""
        acknowledged = asyncio.Semaphore(1)

        async def scanner() -> AsyncIterator[AdjustStockRequest]:
            for _ in range(4):
                await acknowledged.acquire()
                yield scan(1)

        answers: list[int] = []
        async with asyncio.timeout(SOON):
            async for answer in inventory.AdjustStock(scanner()):
                answers.append(answer.stock.on_hand)
                acknowledged.release()
        assert answers == [KETTLES + 1, KETTLES + 2, KETTLES + 3, KETTLES + 4]

    async def test_a_scan_counts_once_however_often_it_is_sent(self, inventory: InventoryServiceStub) -> None:
        """In one stream or in the next one, after a broken connection."""
        once = scan(3)
        first = await adjust(inventory, once, once)
        again = await adjust(inventory, once)
        assert first[0] == first[1] == again[0]
        assert (await stock(inventory)).on_hand == KETTLES + 3

    async def test_an_id_of_another_scan_ends_the_stream(self, inventory: InventoryServiceStub) -> None:
        """ALREADY_EXISTS: that scanner can't tell its scans apart; nothing is counted."""
        once = scan(3)
        await adjust(inventory, once)
        once.delta = 4
        with pytest.raises(AioRpcError) as reused:
            await adjust(inventory, once, scan(1))
        assert reused.value.code() is grpc.StatusCode.ALREADY_EXISTS
        assert (await stock(inventory)).on_hand == KETTLES + 3

    async def test_a_refused_scan_is_refused_again(
        self, inventory: InventoryServiceStub, catalog: Fake[CatalogServiceStub]
    ) -> None:
        """Its acknowledgement was lost, and meanwhile it could be applied: whoever wants that scans anew."""
        catalog.on(catalog.stub.GetProduct).returns(ProductNotFound(product_id="soon"))
        early = scan(4, "soon")
        [refused] = await adjust(inventory, early)
        catalog.on(catalog.stub.GetProduct).returns(GetProductResponse(product=Product(product_id="soon")))
        again, anew = await adjust(inventory, early, scan(4, "soon"))
        assert again == refused
        assert anew.stock.on_hand == 4

    async def test_what_orders_hold_can_not_go_out(self, inventory: InventoryServiceStub) -> None:
        """That scan is refused, and the stream goes on."""
        await inventory.Reserve(reserve(2))
        refused, kept = await adjust(inventory, scan(-(KETTLES - 1)), scan(-(KETTLES - 2)))
        assert refused.refusal == AdjustStockResponse.REFUSAL_BELOW_RESERVED
        assert kept.stock.on_hand == 2
        assert kept.stock.available == 0

    async def test_more_than_can_be_counted_can_not_come_in(
        self, inventory: InventoryServiceStub, db: Database
    ) -> None:
        """What left for an order and comes back still finds room."""
        async with db.begin() as tx:
            await tx.execute(text(f"UPDATE stock SET on_hand = {MOST} WHERE product_id = 'gooseneck-kettle'"))
        request = reserve(2)
        await inventory.Reserve(request)
        await inventory.ConfirmReservation(confirm(request.request_id))
        last, refused = await adjust(inventory, scan(2), scan(1))
        assert last.stock.on_hand == MOST
        assert refused.refusal == AdjustStockResponse.REFUSAL_TOO_MANY
        await inventory.Release(release(request.request_id))
        assert (await stock(inventory)).on_hand == MOST + 2
        [out] = await adjust(inventory, scan(-3))
        assert out.stock.on_hand == MOST - 1

    async def test_a_repeated_scan_is_acknowledged_without_the_catalog(
        self, inventory: InventoryServiceStub, catalog: Fake[CatalogServiceStub]
    ) -> None:
        """Of a product that was never stocked: nothing else says what became of it."""
        catalog.on(catalog.stub.GetProduct).returns(ProductNotFound(product_id="soon"))
        early = scan(1, "soon")
        refused = await adjust(inventory, early)
        catalog.on(catalog.stub.GetProduct).raises(StatusError(grpc.StatusCode.UNAVAILABLE, "away"))
        assert await adjust(inventory, early) == refused

    async def test_a_new_product_of_the_catalog_is_stocked_by_its_first_scan(
        self, inventory: InventoryServiceStub, catalog: Fake[CatalogServiceStub]
    ) -> None:
        """The catalog is asked once."""
        answers = await adjust(inventory, scan(4, "new-kettle"), scan(2, "new-kettle"))
        assert [answer.stock.on_hand for answer in answers] == [4, 6]
        assert [request.product_id for request in catalog.requests(catalog.stub.GetProduct)] == ["new-kettle"]

    async def test_what_the_catalog_does_not_know_is_refused(
        self, inventory: InventoryServiceStub, catalog: Fake[CatalogServiceStub]
    ) -> None:
        """And the stream goes on."""
        catalog.on(catalog.stub.GetProduct).returns(ProductNotFound(product_id="typo"))
        refused, kept = await adjust(inventory, scan(4, "typo"), scan(1))
        assert refused.refusal == AdjustStockResponse.REFUSAL_UNKNOWN_PRODUCT
        assert kept.stock.on_hand == KETTLES + 1

    async def test_a_scan_that_breaks_a_rule_ends_the_stream(
        self, inventory: InventoryServiceStub, fields: Fields
    ) -> None:
        """That scanner is broken; what it sent before is kept."""
        with pytest.raises(AioRpcError) as refused:
            await adjust(inventory, scan(1), scan(0))
        assert fields(refused.value) == ["delta"]
        assert (await stock(inventory)).on_hand == KETTLES + 1


class TestWatchStock:
    """WatchStock."""

    async def test_it_tells_what_is_there_first(self, inventory: InventoryServiceStub) -> None:
        """Nobody needs a second call for it."""
        async with watching(inventory) as following:
            assert (await following()).stock == await stock(inventory)

    async def test_it_tells_a_change_of_the_same_worker(self, inventory: InventoryServiceStub) -> None:
        """Soon, and as it is then."""
        async with watching(inventory) as following:
            await following()
            await inventory.Reserve(reserve(2))
            assert (await following()).stock.available == KETTLES - 2

    async def test_it_tells_a_change_of_another_worker(
        self,
        inventory: InventoryServiceStub,
        db: Database,
        database: Databases,
        catalog: Fake[CatalogServiceStub],
        now: Callable[[], datetime],
    ) -> None:
        """Two workers share a file and nothing else."""
        async with (
            serving(Inventory(await database.open(db.url), catalog.stub, now), InventoryServiceStub) as other,
            watching(inventory) as following,
        ):
            await following()
            await other.Reserve(reserve(2))
            assert (await following()).stock.available == KETTLES - 2

    async def test_it_tells_a_change_by_hand(
        self, inventory: InventoryServiceStub, db: Database, database: Databases
    ) -> None:
        """A person with a database tool."""
        async with watching(inventory) as following:
            await following()
            database.query(
                db.url, "UPDATE stock SET on_hand = 50, version = version + 1 WHERE product_id = 'gooseneck-kettle'"
            )
            assert (await following()).stock.on_hand == 50

    async def test_it_is_silent_about_other_products(self, inventory: InventoryServiceStub) -> None:
        """The next response is the next change of its own product."""
        async with watching(inventory) as following:
            await following()
            await inventory.Reserve(reserve(1, "matcha"))
            waiting = following()
            done, _ = await asyncio.wait([waiting], timeout=0.3)
            assert not done
            await inventory.Reserve(reserve(1))
            assert (await waiting).stock.available == KETTLES - 1

    async def test_a_watcher_who_comes_back_misses_nothing_and_hears_nothing_twice(
        self, inventory: InventoryServiceStub
    ) -> None:
        """With the token of the last response that arrived."""
        async with watching(inventory) as following:
            token = (await following()).resume_token
        async with watching(inventory, resume_token=token) as following:
            waiting = following()
            done, _ = await asyncio.wait([waiting], timeout=0.3)
            assert not done
            await inventory.Reserve(reserve(1))
            told = await waiting
        await inventory.Reserve(reserve(1))
        async with watching(inventory, resume_token=told.resume_token) as following:
            assert (await following()).stock.available == KETTLES - 2

    @pytest.mark.parametrize("token", ["x", "!!!!", "bm90aGluZw", "Z29vc2VuZWNrLWtldHRsZTp4", "\N{SNOWMAN}"])
    async def test_a_token_that_is_none_names_its_field(
        self, inventory: InventoryServiceStub, fields: Fields, token: str
    ) -> None:
        """INVALID_ARGUMENT, and no stream that is wrong."""
        with pytest.raises(AioRpcError) as refused:
            async with watching(inventory, resume_token=token) as following:
                await following()
        assert fields(refused.value) == ["resume_token"]

    async def test_a_token_of_another_product_is_refused(self, inventory: InventoryServiceStub, fields: Fields) -> None:
        """Its place says nothing here."""
        async with watching(inventory, product_id="matcha") as following:
            token = (await following()).resume_token
        with pytest.raises(AioRpcError) as refused:
            async with watching(inventory, resume_token=token) as following:
                await following()
        assert fields(refused.value) == ["resume_token"]

    async def test_a_product_that_was_never_stocked_is_named(self, inventory: InventoryServiceStub) -> None:
        """The declared error, from a stream."""
        with pytest.raises(StockNotFound):
            async with watching(inventory, product_id="unobtainium") as following:
                await following()
