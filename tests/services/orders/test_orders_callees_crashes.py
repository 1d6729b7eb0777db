"""The payments and the inventory, killed from outside at each step while orders call them: one charge, one hold."""

import asyncio
import json
import tempfile
import uuid
from collections.abc import AsyncGenerator, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from protomesh.runtime import Context
from protomesh.runtime.server import Server
from protomesh.runtime.store import Database
from protomesh.testing.database import Databases
from protomesh.testing.serving import serving
from services.catalog.service import Catalog
from services.inventory.service import Inventory
from services.orders.checkout import Checkout
from services.orders.service import Orders
from services.payments.bank import LocalBank
from services.payments.cards import Operation
from services.payments.service import Payments
from shop.catalog.v1 import CatalogServiceStub
from shop.inventory.v1 import (
    ConfirmReservationRequest,
    ConfirmReservationResponse,
    InventoryServiceStub,
    ReservationNotFound,
)
from shop.orders.v1 import CancelOrderRequest, Order, OrdersServiceStub, PlaceOrderRequest
from shop.payments.v1 import PaymentsServiceStub
from tests.services.forks import Fork, Forks
from tests.services.kills import rounds
from tests.services.orders.books import CANCELLED, FAILED, PLACED, Books, all_orders, are_settled, outcome, requests
from tests.services.orders.stand_ins import ALICE
from tests.services.orders.whole_shop import Gate
from tests.services.workers import SOON

pytestmark = pytest.mark.soak

GOOD, GOOD_UNTIL_CHARGED = "4000000000000101", "4000000000000226"
LATE, LATE_CHARGE, LATE_RETURN = "4000000000000408", "4000000000000416", "4000000000000424"
LEASE = timedelta(minutes=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """An order that comes to where a service that it needs is killed."""

    at: str | Operation  # what a commit keeps, see `tests.services.stops`; or what the bank has done and not answered
    moment: str = "before"
    card: str = GOOD
    expires: bool = False  # its reservations, before it can confirm them
    cancels: bool = False  # by its customer, once it is placed
    state: Order.State.ValueType  # where it ends


def around(at: str, state: Order.State.ValueType, *, card: str = GOOD, expires: bool = False) -> list[object]:
    """The two cases of one commit."""
    name = f"{at.replace(' ', '-')}{f'-{Order.State.Name(state)}'.removeprefix('-STATE') if ' ' in at else ''}"
    return [
        pytest.param(
            Case(at=at, moment=moment, card=card, expires=expires, cancels=state == CANCELLED, state=state),
            id=f"{moment}-{name}",
        )
        for moment in ("before", "after")
    ]


class ExpiringInventory(Inventory):
    """One that is too late for every order."""

    async def ConfirmReservation(
        self,
        request: ConfirmReservationRequest,
        context: Context,  # noqa: ARG002 - it is called with it
        /,
    ) -> ConfirmReservationResponse:
        raise ReservationNotFound(reservation_id=request.reservation_id)


class Scene:
    """Orders in this process, and what they have come to."""

    def __init__(self, books: Books, catalog: CatalogServiceStub, gate: Gate, told: str, address: str) -> None:
        self.books = books
        self.catalog = catalog
        self.address = address  # of the catalog
        self._gate = gate
        self._told = told
        self._now = datetime.now(UTC)

    @asynccontextmanager
    async def orders(
        self, inventory: InventoryServiceStub, payments: PaymentsServiceStub
    ) -> AsyncGenerator[tuple[OrdersServiceStub, Checkout]]:
        """The orders, with those two to call."""
        checkout = Checkout(self.books.orders, inventory, payments, lambda: self._now, LEASE)
        orders = Orders(self.books.orders, self.catalog, checkout, lambda: self._now, lambda: uuid.uuid4().hex)
        async with serving(orders, OrdersServiceStub, user=ALICE) as client:
            yield client, checkout

    def stop(self, case: Case) -> dict[str, str]:
        """What tells a worker to stop there."""
        return {} if isinstance(case.at, Operation) else {"STOP_AT": json.dumps([case.moment, case.at, self._told])}

    async def killed(self, case: Case, process: Fork, orders: OrdersServiceStub, request: PlaceOrderRequest) -> None:
        """Orders, and kills a process when it has come to the case's point."""
        done = self._done(case)
        self._gate.waiting = 0
        acting = asyncio.ensure_future(outcome(self._story(case, orders, request)))
        async with asyncio.timeout(SOON):
            while not self._gate.waiting and self._done(case) == done:
                assert not acting.done(), acting
                process.check()
                await asyncio.sleep(0.002)
        process.kill()
        told = await acting
        assert isinstance(told, type) or told.state in {Order.STATE_CONFIRMED, Order.STATE_CANCELLING}

    async def carry_on(self, checkout: Checkout, orders: OrdersServiceStub) -> list[Order]:
        """The orders at their end, after every lease has lapsed; on a slow machine more than once."""
        async with asyncio.timeout(SOON):
            while True:
                self._now += 2 * LEASE
                await checkout.resume()
                if are_settled(found := await all_orders(orders)):
                    return found

    def _done(self, case: Case) -> int:
        if not isinstance(case.at, Operation):
            return 0
        return sum(entry.operation is case.at for entry in self.books.bank.entries())

    async def _story(self, case: Case, orders: OrdersServiceStub, request: PlaceOrderRequest) -> Order:
        order = (await orders.PlaceOrder(request)).order
        if case.cancels:
            cancel = CancelOrderRequest(request_id=str(uuid.uuid4()), order_id=order.order_id)
            order = (await orders.CancelOrder(cancel)).order
        return order


@asynccontextmanager
async def scene(orders: Database, inventory: Database, others: Databases, folder: Path) -> AsyncGenerator[Scene]:
    """The orders, with nothing in their books yet."""
    bank = LocalBank(folder / "ledger", lambda: datetime.now(UTC))
    books = Books(bank=bank, inventory=inventory, orders=orders)
    await books.fill()
    gate = Gate()
    async with AsyncExitStack() as stack:
        sockets = stack.enter_context(tempfile.TemporaryDirectory(prefix="pm-"))
        await stack.enter_async_context(await asyncio.start_unix_server(gate.hear, f"{sockets}/told"))
        products = Catalog(await others("services.catalog"), lambda: datetime.now(UTC))
        server = Server([products])
        address = server.listen(f"unix:{sockets}/catalog")
        await server.start()
        stack.push_async_callback(server.drain, timedelta(0))
        catalog = await stack.enter_async_context(serving(products, CatalogServiceStub))
        yield Scene(books, catalog, gate, f"{sockets}/told", address)


@pytest.fixture(scope="session")
def inventory_forks() -> Iterator[Forks]:
    """Starts workers of the inventory."""
    with Forks("inventory") as starting:
        yield starting


@pytest.mark.parametrize(
    "case",
    [
        *around("authorizing", FAILED),  # the card's number is gone when the payments are back
        *around("authorized", FAILED),
        *around("capturing", PLACED),
        *around("captured", PLACED),
        *around("declined", FAILED, card=GOOD_UNTIL_CHARGED),
        *around("releasing", FAILED, expires=True),
        *around("released", FAILED, expires=True),
        *around("refunding", CANCELLED),
        *around("refunded", CANCELLED),
        pytest.param(Case(at=Operation.AUTHORIZE, card=LATE, state=FAILED), id="authorize"),
        pytest.param(Case(at=Operation.CAPTURE, card=LATE_CHARGE, state=PLACED), id="capture"),
        pytest.param(Case(at=Operation.RELEASE, card=LATE_RETURN, expires=True, state=FAILED), id="release"),
        pytest.param(Case(at=Operation.REFUND, card=LATE_RETURN, cancels=True, state=CANCELLED), id="refund"),
    ],
)
async def test_payments_that_are_killed_charge_once(
    payments_forks: Forks, database: Databases, others: Databases, tmp_path: Path, case: Case
) -> None:
    """Around each commit, and when only the bank knows what it did; the orders ask those that come after."""
    variables = {
        "PROTOMESH_DATABASE_URL": database.url("services.payments").render_as_string(hide_password=False),
        "PROVIDER_LEDGER": str(tmp_path / "ledger"),
        "PROVIDER_TIMEOUT": "60s",
    }
    inventory_db, ordered = await others("services.inventory"), 0

    def payments(stop: dict[str, str]) -> AbstractAsyncContextManager[tuple[Fork, PaymentsServiceStub]]:
        return payments_forks.worker(PaymentsServiceStub, tmp_path / "payments", ALICE, **variables, **stop)

    async with scene(await database("services.orders"), inventory_db, others, tmp_path) as around_it:
        kind = ExpiringInventory if case.expires else Inventory
        servicer = kind(inventory_db, around_it.catalog, lambda: datetime.now(UTC))
        async with serving(servicer, InventoryServiceStub) as inventory:
            for kills in rounds():
                for request in requests(kills, case.card):
                    async with (
                        payments(around_it.stop(case)) as (process, paying),
                        around_it.orders(inventory, paying) as (orders, _),
                    ):
                        await around_it.killed(case, process, orders, request)
                ordered += kills
                async with payments({}) as (_, paying), around_it.orders(inventory, paying) as (orders, checkout):
                    found = await around_it.carry_on(checkout, orders)
                assert [order.state for order in found] == [case.state] * ordered
                await around_it.books.check(found)


@pytest.mark.parametrize(
    "case",
    [
        *around("answer Reserve", FAILED),
        *around("answer ConfirmReservation", FAILED),
        *around("answer Release", FAILED, card=GOOD_UNTIL_CHARGED),
        *around("answer Release", CANCELLED),
    ],
)
async def test_an_inventory_that_is_killed_holds_once(
    inventory_forks: Forks, database: Databases, others: Databases, tmp_path: Path, case: Case
) -> None:
    """Around each commit; what it held comes back, once, when it is back."""
    inventory_db = await database("services.inventory")

    async with scene(await database("services.orders"), inventory_db, others, tmp_path) as around_it:
        variables = {
            "PROTOMESH_DATABASE_URL": inventory_db.url.render_as_string(hide_password=False),
            "PROTOMESH_EGRESS_SHOP_CATALOG_V1_CATALOGSERVICE": around_it.address,
        }

        def inventory(stop: dict[str, str]) -> AbstractAsyncContextManager[tuple[Fork, InventoryServiceStub]]:
            return inventory_forks.worker(InventoryServiceStub, tmp_path / "inventory", ALICE, **variables, **stop)

        bank, ordered = around_it.books.bank, 0
        servicer = Payments(await others("services.payments"), bank, lambda: datetime.now(UTC), timedelta(seconds=10))
        async with serving(servicer, PaymentsServiceStub, user=ALICE) as payments:
            for kills in rounds():
                for request in requests(kills, case.card):
                    async with (
                        inventory(around_it.stop(case)) as (process, holding),
                        around_it.orders(holding, payments) as (orders, _),
                    ):
                        await around_it.killed(case, process, orders, request)
                ordered += kills
                async with inventory({}) as (_, holding), around_it.orders(holding, payments) as (orders, checkout):
                    found = await around_it.carry_on(checkout, orders)
                assert [order.state for order in found] == [case.state] * ordered
                await around_it.books.check(found)
