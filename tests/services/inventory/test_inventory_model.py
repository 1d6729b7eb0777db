"""Whatever happens in whatever order, at two workers, the inventory is what its model says."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from copy import deepcopy
from datetime import timedelta
from typing import Any, TypeVar

import grpc
import pytest
from google.protobuf.message import Message
from grpc.aio import AioRpcError
from hypothesis import assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import URL

from protomesh.runtime import DeclaredError
from protomesh.runtime.store import Database
from protomesh.testing.database import Databases
from protomesh.testing.fake import Fake
from protomesh.testing.serving import serving
from services.inventory.expiry import expire_reservations
from services.inventory.service import Inventory
from shop.catalog.v1 import CatalogServiceStub
from shop.inventory.v1 import (
    AdjustStockRequest,
    ConfirmReservationRequest,
    InventoryServiceStub,
    ReleaseRequest,
    ReserveRequest,
)
from tests.services.clock import Clock
from tests.services.inventory.model import LIFETIME, Model, Request
from tests.services.inventory.warehouse import adjust, confirm, release, reserve, scan, stock

ResultT = TypeVar("ResultT")

SOON = timedelta(seconds=60).total_seconds()
PATIENCE = timedelta(seconds=30)
PRODUCTS = ("white-tea", "yellow-tea")  # the warehouse opens without them

workers = st.integers(0, 1)
products = st.integers(0, len(PRODUCTS) - 1)


class World:
    """Two workers on one database, as the shop opens with it, in a loop that runs in another thread."""

    def __init__(self, loop: asyncio.AbstractEventLoop, url: Callable[[], URL], catalog: CatalogServiceStub) -> None:
        self.clock = Clock()
        self._loop = loop
        self._stack = AsyncExitStack()
        self.workers, self.db = self.run(self._begin(url, catalog))

    def run(self, coroutine: Coroutine[Any, Any, ResultT]) -> ResultT:
        """Waits for what happens in that loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(SOON)

    def send(self, worker: int, request: Request) -> Message:
        """Sends a request to a worker, whatever its method."""
        return self.run(sent(self.workers[worker], request))

    def end(self) -> None:
        """Ends the workers."""
        self.run(self._stack.aclose())

    async def _begin(
        self, url: Callable[[], URL], catalog: CatalogServiceStub
    ) -> tuple[list[InventoryServiceStub], Database]:
        made = url()
        databases = [await self._stack.enter_async_context(Database(made, patience=PATIENCE)) for _ in range(2)]
        servicers = [Inventory(db, catalog, self.clock) for db in databases]
        serve = self._stack.enter_async_context
        return [await serve(serving(servicer, InventoryServiceStub)) for servicer in servicers], databases[0]


async def sent(inventory: InventoryServiceStub, request: Request) -> Message:
    """The answer to a request."""
    match request:
        case ReserveRequest():
            return await inventory.Reserve(request)
        case ConfirmReservationRequest():
            return await inventory.ConfirmReservation(request)
        case ReleaseRequest():
            return await inventory.Release(request)
        case _:
            [acknowledged] = await adjust(inventory, request)
            return acknowledged


def changed(request: Request) -> Request:
    """Another request with the same id."""
    other = deepcopy(request)
    match other:
        case ReserveRequest():
            other.quantity += 1
        case AdjustStockRequest():
            other.delta = 11  # more than any has
        case _:
            other.reservation_id = "another"
    return other


class Warehouse(RuleBasedStateMachine):
    """Some products to which everything happens that can."""

    requests: Bundle[Request] = Bundle("requests")
    reservations: Bundle[str] = Bundle("reservations")

    def __init__(self) -> None:
        super().__init__()
        self.world = self.begin()
        self.model = Model(self.world.clock)

    @classmethod
    def begin(cls) -> World:
        """The world of one example."""
        raise NotImplementedError  # whoever runs the machine has the database

    def teardown(self) -> None:
        """Ends with the example."""
        self.world.end()

    @initialize()
    def open(self) -> None:
        """A few pieces of each."""
        for product_id in PRODUCTS:
            self.agree(0, scan(10, product_id))

    @rule(target=requests, worker=workers, product=products, delta=st.integers(-10, 10).filter(bool))
    def adjust(self, worker: int, product: int, delta: int) -> Request:
        """A scanner sees pieces come in or go out."""
        return self.agree(worker, scan(delta, PRODUCTS[product]))

    @rule(target=reservations, worker=workers, product=products, quantity=st.integers(1, 6))
    def reserve(self, worker: int, product: int, quantity: int) -> str:
        """An order wants some; its id names the reservation, whether or not there is one."""
        return self.agree(worker, reserve(quantity, PRODUCTS[product])).request_id

    @rule(target=requests, worker=workers, product=products, quantity=st.integers(1, 6))
    def reserve_to_repeat(self, worker: int, product: int, quantity: int) -> Request:
        """Likewise, to be sent again."""
        return self.agree(worker, reserve(quantity, PRODUCTS[product]))

    @rule(target=requests, worker=workers, reservation=reservations)
    def confirm(self, worker: int, reservation: str) -> Request:
        """An order is paid."""
        return self.agree(worker, confirm(reservation))

    @rule(target=requests, worker=workers, reservation=reservations)
    def release(self, worker: int, reservation: str) -> Request:
        """An order is given up, or cancelled."""
        return self.agree(worker, release(reservation))

    @rule(target=requests, worker=workers, product=products, quantity=st.integers(1, 6))
    def release_before_it_is_there(self, worker: int, product: int, quantity: int) -> Request:
        """An order is given up whose call is still under way."""
        late = reserve(quantity, PRODUCTS[product])
        self.agree(worker, release(late.request_id))
        return self.agree(1 - worker, late)

    @rule(worker=workers, request=requests)
    def repeat(self, worker: int, request: Request) -> None:
        """However much later, and whether it was refused or done."""
        self.agree(worker, request)

    @rule(request=requests)
    def repeat_at_once(self, request: Request) -> None:
        """To both workers."""
        expected = self.expected(request)

        async def both() -> list[Message | BaseException]:
            return await asyncio.gather(*(sent(each, request) for each in self.world.workers), return_exceptions=True)

        for outcome in self.world.run(both()):
            if isinstance(outcome, Message):
                assert outcome == expected
            else:
                assert (type(outcome), str(outcome)) == (type(expected), str(expected))

    @rule(worker=workers, request=requests)
    def reuse(self, worker: int, request: Request) -> None:
        """An id that was used is refused to another request."""
        assume(request.request_id in self.model.answers)
        with pytest.raises(AioRpcError) as reused:
            self.world.send(worker, changed(request))
        assert reused.value.code() is grpc.StatusCode.ALREADY_EXISTS

    @rule(part=st.sampled_from([0.4, 0.6, 1.0]))
    def wait(self, part: float) -> None:
        """Some time of what a reservation has."""
        self.world.clock.advance(LIFETIME * part)

    @rule(batch=st.sampled_from([1, 50]))
    def expire(self, batch: int) -> None:
        """The job runs."""
        self.model.expire()
        self.world.run(expire_reservations(self.world.db, self.world.clock, batch=batch))

    @invariant()
    def stock_is_what_it_should_be(self) -> None:
        """Of every product; never fewer pieces than are held, and never fewer held than none."""
        for number, product_id in enumerate(PRODUCTS):
            found = self.world.run(stock(self.world.workers[number % 2], product_id))
            assert found == self.model.stock(product_id)
            assert 0 <= found.reserved <= found.on_hand

    def expected(self, request: Request) -> Message | DeclaredError:
        """What a request is to be answered."""
        try:
            return self.model.answer(request)
        except DeclaredError as refused:
            return refused

    def agree(self, worker: int, request: Request) -> Request:
        """Sends a request, which is answered as the model says."""
        expected = self.expected(request)
        if isinstance(expected, Message):
            assert self.world.send(worker, request) == expected
        else:
            with pytest.raises(type(expected)) as refused:
                self.world.send(worker, request)
            assert str(refused.value) == str(expected)
        return request


@pytest.mark.timeout(400)  # takes seconds; a failure is worth to be made small
async def test_the_inventory_is_what_its_model_says(database: Databases, catalog: Fake[CatalogServiceStub]) -> None:
    """On hand and reserved add up, nothing is ever negative, and every repeat is answered alike."""
    loop = asyncio.get_running_loop()

    class Ours(Warehouse):
        """The warehouse on the database of this test."""

        @classmethod
        def begin(cls) -> World:
            return World(loop, lambda: database.url("services.inventory"), catalog.stub)

    async with catalog:
        await asyncio.to_thread(
            run_state_machine_as_test,
            Ours,
            settings=settings(max_examples=20, stateful_step_count=30, deadline=None),
        )
