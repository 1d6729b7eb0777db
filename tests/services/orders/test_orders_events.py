import pytest
from google.protobuf.message import Message
from sqlalchemy import select

from protomesh.runtime.events.tables import OUTBOX
from protomesh.runtime.store import Database
from shop.inventory.v1 import (
    OutOfStock,
)
from shop.orders.v1 import (
    CardDeclined,
    NotEnoughStock,
    OrderCancelled,
    OrderConfirmed,
    OrderInterrupted,
    OrdersServiceStub,
)
from shop.payments.v1 import (
    DeclineReason,
    PaymentDeclined,
)
from tests.services.orders.stand_ins import ALICE, Till, Warehouse, cancel, gone, order


async def published(db: Database) -> list[Message]:
    """Every event of the orders, in order."""
    known = {message.DESCRIPTOR.full_name: message for message in (OrderConfirmed, OrderCancelled)}
    async with db.read() as tx:
        rows = (await tx.execute(select(OUTBOX).order_by(OUTBOX.c.sequence))).all()
    return [known[row.event_type].FromString(row.content) for row in rows]


class TestEvents:
    """What others are told."""

    async def test_an_order_is_confirmed_and_taken_back_once(self, orders: OrdersServiceStub, db: Database) -> None:
        """However often it is asked for."""
        request = order(("matcha", 2), ("honey-spoon", 1))
        placed = (await orders.PlaceOrder(request)).order
        await orders.PlaceOrder(request)
        [confirmed] = await published(db)
        assert isinstance(confirmed, OrderConfirmed)
        assert (confirmed.order_id, confirmed.customer_id) == (placed.order_id, ALICE.subject)
        assert (confirmed.total, confirmed.confirm_time) == (placed.total, placed.update_time)
        lines = [(line.product_id, line.quantity, line.title) for line in confirmed.lines]
        assert lines == [("matcha", 2, "Matcha"), ("honey-spoon", 1, "Honey-Spoon")]

        await orders.CancelOrder(cancel(placed.order_id))
        await orders.CancelOrder(cancel(placed.order_id))
        [_, cancelled] = await published(db)
        assert isinstance(cancelled, OrderCancelled)
        assert (cancelled.order_id, cancelled.customer_id) == (placed.order_id, ALICE.subject)
        assert cancelled.reason == OrderCancelled.REASON_CUSTOMER

    async def test_an_order_that_came_to_nothing_says_why(
        self, orders: OrdersServiceStub, db: Database, till: Till
    ) -> None:
        """A declined card, or somebody who did not answer: once all is given back."""
        refusals = (
            (PaymentDeclined(reason=DeclineReason.DECLINE_REASON_CARD_REFUSED), CardDeclined),
            (gone(), OrderInterrupted),
        )
        for refusal, told in refusals:
            till.fake.on(till.fake.stub.AuthorizePayment).raises(refusal)
            with pytest.raises(told):
                await orders.PlaceOrder(order(("matcha", 1)))
        events = await published(db)
        assert [event.reason for event in events if isinstance(event, OrderCancelled)] == [
            OrderCancelled.REASON_PAYMENT_DECLINED,
            OrderCancelled.REASON_UNAVAILABLE,
        ]
        assert len(events) == len(refusals)

    async def test_an_order_without_stock_is_nobody_elses_business(
        self, orders: OrdersServiceStub, db: Database, warehouse: Warehouse
    ) -> None:
        """Its customer was told at once, and nothing had begun."""
        warehouse.fake.on(warehouse.fake.stub.Reserve).raises(OutOfStock(product_id="matcha", available=1))
        with pytest.raises(NotEnoughStock):
            await orders.PlaceOrder(order(("matcha", 2)))
        assert await published(db) == []
