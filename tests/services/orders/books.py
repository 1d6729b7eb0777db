"""What has become of money and goods, in all the services' own records, and whether that adds up."""

import asyncio
import uuid
from collections import defaultdict
from collections.abc import Awaitable
from dataclasses import dataclass
from typing import TypeVar

import grpc
from grpc.aio import AioRpcError
from sqlalchemy import select, text

from protomesh.runtime.events.tables import OUTBOX
from protomesh.runtime.store import Database
from services.orders import domain
from services.payments.bank import LocalBank
from shop.orders.v1 import ListOrdersRequest, Order, OrdersServiceStub, PlaceOrderRequest
from tests.services.workers import SOON

__all__ = [
    "CANCELLED",
    "FAILED",
    "LINES",
    "PLACED",
    "Books",
    "all_orders",
    "are_settled",
    "outcome",
    "requests",
    "settled",
]

LINES = {"matcha": 2, "honey-spoon": 1}  # of every order here
PLACED, FAILED, CANCELLED = Order.STATE_PLACED, Order.STATE_FAILED, Order.STATE_CANCELLED

_NEWS = {PLACED: ["OrderConfirmed"], FAILED: ["OrderCancelled"], CANCELLED: ["OrderConfirmed", "OrderCancelled"]}
# What the bank may have done for an order that ended so: charged it once, never, or once and back.
_MONEY = {
    PLACED: [["authorize", "capture"]],
    FAILED: [["authorize", "release"], ["authorize", "no capture"], ["release"], []],
    CANCELLED: [["authorize", "capture", "refund"]],
}
_STOCK = 1_000_000

ResponseT = TypeVar("ResponseT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Books:
    """The bank's ledger, the warehouse's stock, and what the orders tell others."""

    bank: LocalBank
    inventory: Database
    orders: Database

    async def fill(self) -> None:
        """Has enough of everything."""
        async with self.inventory.begin() as tx:
            await tx.execute(text(f"UPDATE stock SET on_hand = {_STOCK}"))

    def ledger(self) -> dict[str, list[str]]:
        """What the bank did, or refused to do, for each payment."""
        done = defaultdict[str, list[str]](list)
        for entry in self.bank.entries():
            done[entry.key].append(entry.operation.value if entry.declined is None else f"no {entry.operation.value}")
        return done

    async def check(self, orders: list[Order]) -> None:
        """Charges, stock and news are those of the orders that there are, and nothing else."""
        done = self.ledger()
        for order in orders:
            assert done.pop(domain.named(order.order_id, "payment:"), []) in _MONEY[order.state]
        assert done == {}  # nobody was charged for anything else
        assert await self._news() == {order.order_id: _NEWS[order.state] for order in orders}
        came_about = sum(order.state == PLACED for order in orders)
        assert await self._gone() == {product: came_about * pieces for product, pieces in LINES.items() if came_about}

    async def _gone(self) -> dict[str, int]:
        """Pieces that have left the warehouse. None is reserved, of nothing."""
        async with self.inventory.read() as tx:
            rows = (await tx.execute(text("SELECT product_id, on_hand, reserved FROM stock"))).all()
        assert [row for row in rows if row.reserved] == []
        return {row.product_id: _STOCK - row.on_hand for row in rows if row.on_hand != _STOCK}

    async def _news(self) -> dict[str, list[str]]:
        """What others learn of each order."""
        found = defaultdict[str, list[str]](list)
        async with self.orders.read() as tx:
            for row in await tx.execute(select(OUTBOX.c.key, OUTBOX.c.event_type).order_by(OUTBOX.c.sequence)):
                found[row.key].append(row.event_type.rpartition(".")[2])
        return found


def requests(count: int, card_number: str) -> list[PlaceOrderRequest]:
    """New orders."""
    lines = [PlaceOrderRequest.Line(product_id=product, quantity=quantity) for product, quantity in LINES.items()]
    return [PlaceOrderRequest(request_id=str(uuid.uuid4()), card_number=card_number, lines=lines) for _ in range(count)]


async def settled(orders: OrdersServiceStub) -> list[Order]:
    """All of a customer's orders, once they are settled."""
    async with asyncio.timeout(SOON):
        while True:
            try:
                if are_settled(found := await all_orders(orders)):
                    return found
            except AioRpcError as error:
                if error.code() is not grpc.StatusCode.DEADLINE_EXCEEDED:  # which a slow machine may well miss
                    raise
            await asyncio.sleep(0.02)


def are_settled(orders: list[Order]) -> bool:
    """Whether nothing is left to be done for any."""
    return all(order.state in _NEWS for order in orders)


async def outcome(call: Awaitable[ResponseT]) -> ResponseT | type[AioRpcError]:
    """What a customer is told: the answer, or the type of the error."""
    try:
        return await call
    except AioRpcError as error:
        return type(error)


async def all_orders(orders: OrdersServiceStub) -> list[Order]:
    """All of a customer's orders, the newest first."""
    found, page = list[Order](), ListOrdersRequest(page_size=100)
    while True:
        answer = await orders.ListOrders(page)
        found += answer.orders
        if not answer.next_page_token:
            return found
        page.page_token = answer.next_page_token
