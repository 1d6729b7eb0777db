"""The checkout, killed from outside at each step: nobody is charged twice, and no order is left in between."""

import asyncio
import tempfile
import uuid
from collections import defaultdict
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from google.type.money_pb2 import Money
from grpc.aio import AioRpcError
from sqlalchemy import select, text, update

from protomesh.runtime import Context, User
from protomesh.runtime.events.tables import OUTBOX
from protomesh.runtime.server import Server
from protomesh.runtime.store import Database
from protomesh.testing.database import Databases
from protomesh.testing.fake import Fake
from protomesh.testing.serving import serving
from services.catalog.service import Catalog
from services.inventory.service import Inventory
from services.orders import domain
from services.orders.checkout import Checkout
from services.orders.service import Orders
from services.orders.store import OrderRow
from services.payments.bank import LocalBank
from services.payments.service import Payments
from shop.catalog.v1 import CatalogServiceStub, GetProductResponse, Product
from shop.inventory.v1 import (
    ConfirmReservationRequest,
    ConfirmReservationResponse,
    InventoryServiceStub,
    ReleaseRequest,
    ReleaseResponse,
    ReserveRequest,
    ReserveResponse,
)
from shop.orders.v1 import (
    CancelOrderRequest,
    CardDeclined,
    ListOrdersRequest,
    Order,
    OrderCancelled,
    OrderConfirmed,
    OrderInterrupted,
    OrdersServiceStub,
    PlaceOrderRequest,
)
from shop.payments.v1 import (
    AuthorizePaymentRequest,
    AuthorizePaymentResponse,
    CapturePaymentRequest,
    CapturePaymentResponse,
    PaymentsServiceStub,
    RefundPaymentRequest,
    RefundPaymentResponse,
)
from tests.services.workers import SOON, worker

ALICE = User("alice")
GOOD, GOOD_UNTIL_CHARGED, LATE_CHARGE = "4000000000000101", "4000000000000226", "4000000000000416"
AT_ONCE = 10  # orders that one kill meets
LINES = {"matcha": 2, "honey-spoon": 1}
PAID, PAID_BACK = ["authorize", "capture"], ["authorize", "capture", "refund"]
NOTHING_LEFT = [PAID_BACK, ["authorize", "release"], ["authorize", "no capture"], []]  # held or charged
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)
NEWS = {
    Order.STATE_PLACED: ["OrderConfirmed"],
    Order.STATE_FAILED: ["OrderCancelled"],
    Order.STATE_CANCELLED: ["OrderConfirmed", "OrderCancelled"],
}

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class Gate:
    """Stops every call of one method, before it is carried out or before it is answered, while it is shut."""

    def __init__(self) -> None:
        self._shut: tuple[str, str] | None = None
        self.waiting = 0

    def shut(self, method: str, moment: str) -> None:
        """Stops the calls that come from now on."""
        self._shut, self.waiting = (method, moment), 0

    def open(self) -> None:
        """Lets the calls pass that come from now on. Those that wait belong to somebody who is gone."""
        self._shut = None

    async def through(
        self,
        handler: Callable[[RequestT, Context], Awaitable[ResponseT]],
        request: RequestT,
        context: Context,
    ) -> ResponseT:
        """Carries a call out."""
        await self._pass(handler.__name__, "before")
        response = await handler(request, context)
        await self._pass(handler.__name__, "after")
        return response

    async def _pass(self, method: str, moment: str) -> None:
        if self._shut == (method, moment):
            self.waiting += 1
            await asyncio.Event().wait()


class GatedInventory(Inventory):
    """The inventory behind a gate."""

    gate: Gate

    async def Reserve(self, request: ReserveRequest, context: Context, /) -> ReserveResponse:
        return await self.gate.through(super().Reserve, request, context)

    async def ConfirmReservation(
        self, request: ConfirmReservationRequest, context: Context, /
    ) -> ConfirmReservationResponse:
        return await self.gate.through(super().ConfirmReservation, request, context)

    async def Release(self, request: ReleaseRequest, context: Context, /) -> ReleaseResponse:
        return await self.gate.through(super().Release, request, context)


class GatedPayments(Payments):
    """The payments behind a gate."""

    gate: Gate

    async def AuthorizePayment(self, request: AuthorizePaymentRequest, context: Context, /) -> AuthorizePaymentResponse:
        return await self.gate.through(super().AuthorizePayment, request, context)

    async def CapturePayment(self, request: CapturePaymentRequest, context: Context, /) -> CapturePaymentResponse:
        return await self.gate.through(super().CapturePayment, request, context)

    async def RefundPayment(self, request: RefundPaymentRequest, context: Context, /) -> RefundPaymentResponse:
        return await self.gate.through(super().RefundPayment, request, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """What the orders need, in this process, and where it is."""

    folder: Path
    gate: Gate
    bank: LocalBank
    inventory: Database
    orders: Database
    environment: dict[str, str]

    @asynccontextmanager
    async def worker(self) -> AsyncGenerator[tuple[asyncio.subprocess.Process, OrdersServiceStub]]:
        """A worker of the orders, in a process of its own."""
        async with worker("orders", OrdersServiceStub, self.folder / "orders", ALICE, **self.environment) as running:
            yield running

    async def killed_while(
        self, calls: int, act: Callable[[OrdersServiceStub], list[Awaitable[object]]], method: str, moment: str
    ) -> None:
        """Lets a worker act, and kills it as soon as so many calls that it makes are stopped. Its leases lapse."""
        async with self.worker() as (process, orders):
            self.gate.shut(method, moment)
            acting = [asyncio.ensure_future(call) for call in act(orders)]
            async with asyncio.timeout(SOON):
                while self.gate.waiting < calls:
                    assert not any(call.done() for call in acting)
                    await asyncio.sleep(0.01)
            process.kill()
            for call in acting:
                with pytest.raises(AioRpcError):
                    await call
        self.gate.open()
        async with self.orders.begin() as tx:
            lapsed = update(OrderRow).where(OrderRow.lease_time.is_not(None)).values(lease_time=LONG_AGO)
            left = await tx.scalars(lapsed.returning(OrderRow.order_id))
            assert len(left.all()) == AT_ONCE

    async def stock(self) -> dict[str, tuple[int, int]]:
        """Pieces on hand and pieces reserved, of what is ordered here."""
        async with self.inventory.read() as tx:
            rows = await tx.execute(text("SELECT product_id, on_hand, reserved FROM stock"))
            return {row.product_id: (row.on_hand, row.reserved) for row in rows if row.product_id in LINES}

    async def told(self) -> dict[str, list[str]]:
        """What others learn of each order."""
        found = defaultdict[str, list[str]](list)
        async with self.orders.read() as tx:
            for row in await tx.execute(select(OUTBOX.c.key, OUTBOX.c.event_type).order_by(OUTBOX.c.sequence)):
                found[row.key].append(row.event_type.rpartition(".")[2])
        return found

    def ledger(self) -> dict[str, list[str]]:
        """What the bank did, or refused to do, for each payment."""
        return ledger(self.bank)


def ledger(bank: LocalBank) -> dict[str, list[str]]:
    """What a bank did, or refused to do, for each payment."""
    done = defaultdict[str, list[str]](list)
    for entry in bank.entries():
        done[entry.key].append(entry.operation.value if entry.declined is None else f"no {entry.operation.value}")
    return done


@pytest.fixture
async def shop(database: Databases, tmp_path: Path) -> AsyncGenerator[Shop]:
    """The real services, each on its own database; the inventory and the payments behind a gate."""

    def now() -> datetime:
        return datetime.now(UTC)

    gate = Gate()
    bank = LocalBank(tmp_path / "ledger", now)
    inventory_db, orders_url = await database("services.inventory"), database.url("services.orders")
    products = Catalog(await database("services.catalog"), now)
    async with serving(products, CatalogServiceStub) as catalog:
        servicers = {
            "SHOP_CATALOG_V1_CATALOGSERVICE": products,
            "SHOP_INVENTORY_V1_INVENTORYSERVICE": GatedInventory(inventory_db, catalog, now),
            "SHOP_PAYMENTS_V1_PAYMENTSSERVICE": GatedPayments(
                await database("services.payments"), bank, now, timedelta(seconds=10)
            ),
        }
        environment = {
            "PROTOMESH_DATABASE_URL": orders_url.render_as_string(hide_password=False),
            # Nobody answers by that name, so that events stay where they were published.
            "PROTOMESH_SUBSCRIBERS": " ".join(
                f"{event.DESCRIPTOR.full_name}=nobody" for event in (OrderConfirmed, OrderCancelled)
            ),
        }
        async with AsyncExitStack() as stack:
            sockets = stack.enter_context(tempfile.TemporaryDirectory(prefix="pm-"))
            for number, (name, servicer) in enumerate(servicers.items()):
                if isinstance(servicer, GatedInventory | GatedPayments):
                    servicer.gate = gate
                server = Server([servicer])
                environment[f"PROTOMESH_EGRESS_{name}"] = server.listen(f"unix:{sockets}/{number}")
                await server.start()
                stack.push_async_callback(server.drain, timedelta(0))
            yield Shop(
                folder=tmp_path,
                gate=gate,
                bank=bank,
                inventory=inventory_db,
                orders=await database.open(orders_url),
                environment=environment,
            )


def requests(card_number: str) -> list[PlaceOrderRequest]:
    """Orders that are placed at once."""
    lines = [PlaceOrderRequest.Line(product_id=product, quantity=quantity) for product, quantity in LINES.items()]
    return [
        PlaceOrderRequest(request_id=str(uuid.uuid4()), card_number=card_number, lines=lines) for _ in range(AT_ONCE)
    ]


async def placed(orders: OrdersServiceStub) -> list[Order]:
    """Alice's orders, once all of them are settled."""
    async with asyncio.timeout(SOON):
        while True:
            found = (await orders.ListOrders(ListOrdersRequest(page_size=100))).orders
            if all(order.state in NEWS for order in found):
                return list(found)
            await asyncio.sleep(0.05)


async def check_that_everything_adds_up(shop: Shop, orders: list[Order], before: dict[str, tuple[int, int]]) -> None:
    """Charges, holds and stock are those of the orders that came about, and nothing else."""
    assert len(orders) == AT_ONCE
    ledger = shop.ledger()
    for order in orders:
        done = ledger.pop(domain.named(order.order_id, "payment:"), [])
        assert done in ([PAID] if order.state == Order.STATE_PLACED else NOTHING_LEFT)
    assert ledger == {}  # and nobody was charged for anything else
    assert await shop.told() == {order.order_id: NEWS[order.state] for order in orders}
    came_about = sum(order.state == Order.STATE_PLACED for order in orders)
    assert await shop.stock() == {
        product: (on_hand - came_about * LINES[product], reserved) for product, (on_hand, reserved) in before.items()
    }


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("method", "state"),
    [
        ("Reserve", Order.STATE_FAILED),
        ("AuthorizePayment", Order.STATE_FAILED),  # the card's number went with the worker
        ("ConfirmReservation", Order.STATE_PLACED),
        ("CapturePayment", Order.STATE_PLACED),
    ],
)
async def test_a_worker_killed_in_a_checkout(
    shop: Shop, method: str, state: Order.State.ValueType, moment: str
) -> None:
    """The next one gives back, or goes on; the callers who ask again are told how it ended."""
    before = await shop.stock()
    wanted = requests(GOOD)
    calls = AT_ONCE * (len(LINES) if method in {"Reserve", "ConfirmReservation"} else 1)
    await shop.killed_while(calls, lambda orders: [orders.PlaceOrder(request) for request in wanted], method, moment)
    async with shop.worker() as (_, orders):
        found = await placed(orders)
        assert {order.state for order in found} == {state}
        await check_that_everything_adds_up(shop, found, before)
        for request in wanted:
            if state == Order.STATE_PLACED:
                assert (await orders.PlaceOrder(request)).order in found
            else:
                with pytest.raises(OrderInterrupted):
                    await orders.PlaceOrder(request)
        await check_that_everything_adds_up(shop, await placed(orders), before)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("method", ["Release", "RefundPayment"])
async def test_a_worker_killed_while_it_gives_back(shop: Shop, method: str, moment: str) -> None:
    """The card was refused when it was charged; the next worker gives back the rest."""
    before = await shop.stock()
    wanted = requests(GOOD_UNTIL_CHARGED)
    calls = AT_ONCE * (len(LINES) if method == "Release" else 1)
    await shop.killed_while(calls, lambda orders: [orders.PlaceOrder(request) for request in wanted], method, moment)
    async with shop.worker() as (_, orders):
        found = await placed(orders)
        assert {order.state for order in found} == {Order.STATE_FAILED}
        await check_that_everything_adds_up(shop, found, before)
        for request in wanted:
            with pytest.raises(CardDeclined):
                await orders.PlaceOrder(request)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("method", ["Release", "RefundPayment"])
async def test_a_worker_killed_while_it_cancels(shop: Shop, method: str, moment: str) -> None:
    """The next one goes on: what was charged is paid back, once."""
    before = await shop.stock()
    async with shop.worker() as (_, orders):
        await asyncio.gather(*(orders.PlaceOrder(request) for request in requests(GOOD)))
        ordered = [order.order_id for order in await placed(orders)]
    cancels = [CancelOrderRequest(request_id=str(uuid.uuid4()), order_id=order_id) for order_id in ordered]
    calls = AT_ONCE * (len(LINES) if method == "Release" else 1)
    await shop.killed_while(calls, lambda orders: [orders.CancelOrder(cancel) for cancel in cancels], method, moment)
    async with shop.worker() as (_, orders):
        found = await placed(orders)
        assert {order.state for order in found} == {Order.STATE_CANCELLED}
        await check_that_everything_adds_up(shop, found, before)
        assert set(map(tuple, shop.ledger().values())) == {tuple(PAID_BACK)}
        for cancel in cancels:
            assert (await orders.CancelOrder(cancel)).order in found


async def test_payments_that_are_killed_while_they_charge_charge_once(database: Databases, tmp_path: Path) -> None:
    """Only the bank knows: the orders are confirmed, and carried on when somebody can be asked again."""
    bank = LocalBank(tmp_path / "provider-ledger.sqlite", lambda: datetime.now(UTC))
    db, clock = await database("services.orders"), [datetime.now(UTC)]
    catalog, inventory = Fake(CatalogServiceStub), Fake(InventoryServiceStub)
    five = Product(price=Money(currency_code="EUR", units=5), sellable=True)
    catalog.on(catalog.stub.GetProduct).returns(GetProductResponse(product=five))
    inventory.on(inventory.stub.Reserve).returns(ReserveResponse())
    inventory.on(inventory.stub.ConfirmReservation).returns(ConfirmReservationResponse())

    def checkout(payments: PaymentsServiceStub) -> Checkout:
        return Checkout(db, inventory.stub, payments, lambda: clock[0], timedelta(minutes=2))

    def orders(payments: PaymentsServiceStub) -> Orders:
        return Orders(db, catalog.stub, checkout(payments), lambda: clock[0], lambda: uuid.uuid4().hex)

    async with (
        worker("payments", PaymentsServiceStub, tmp_path, ALICE, PROVIDER_TIMEOUT="60s") as (process, payments),
        serving(orders(payments), OrdersServiceStub, user=ALICE) as client,
    ):
        placing = [asyncio.ensure_future(client.PlaceOrder(request)) for request in requests(LATE_CHARGE)]
        async with asyncio.timeout(SOON):
            while list(ledger(bank).values()).count(PAID) < AT_ONCE:
                assert not any(call.done() for call in placing)
                await asyncio.sleep(0.01)
        process.kill()
        answers = [(await call).order.state for call in placing]
        assert answers == [Order.STATE_CONFIRMED] * AT_ONCE
    clock[0] += timedelta(minutes=3)
    async with (
        worker("payments", PaymentsServiceStub, tmp_path, ALICE) as (_, payments),
        serving(orders(payments), OrdersServiceStub, user=ALICE) as client,
    ):
        await checkout(payments).resume()
        assert [order.state for order in await placed(client)] == [Order.STATE_PLACED] * AT_ONCE
    assert list(ledger(bank).values()) == [PAID] * AT_ONCE
