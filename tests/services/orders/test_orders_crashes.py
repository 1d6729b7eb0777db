"""The checkout, killed from outside at each step: nobody is charged twice, and no order is left in between."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from protomesh.testing.database import Databases
from shop.orders.v1 import (
    CancelOrderRequest,
    CancelOrderResponse,
    CardDeclined,
    Order,
    OrderInterrupted,
    OrdersServiceStub,
    PlaceOrderRequest,
    PlaceOrderResponse,
)
from tests.services.forks import Forks
from tests.services.kills import rounds
from tests.services.orders.books import CANCELLED, FAILED, PLACED, outcome, requests, settled
from tests.services.orders.whole_shop import Point, WholeShop, whole_shop

pytestmark = pytest.mark.soak

GOOD, GOOD_UNTIL_CHARGED = "4000000000000101", "4000000000000226"
AUTHORIZING, CAPTURING = Point("before", "AuthorizePayment"), Point("before", "CapturePayment")


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Starts workers of the orders."""
    with Forks("orders") as starting:
        yield starting


@pytest.fixture
async def shop(forks: Forks, database: Databases, others: Databases, tmp_path: Path) -> AsyncGenerator[WholeShop]:
    """The whole shop, with workers of the orders on either kind of database."""
    async with whole_shop(forks, database.url("services.orders"), others, tmp_path) as made:
        yield made


def placing(request: PlaceOrderRequest) -> Callable[[OrdersServiceStub], Awaitable[PlaceOrderResponse]]:
    """A call that places an order."""
    return lambda orders: orders.PlaceOrder(request)


def cancelling(request: CancelOrderRequest) -> Callable[[OrdersServiceStub], Awaitable[CancelOrderResponse]]:
    """A call that cancels one."""
    return lambda orders: orders.CancelOrder(request)


def around(*steps: tuple[str, int, int]) -> list[object]:
    """Two points of each step, and what comes of an order whose worker is killed at one."""
    return [
        pytest.param(Point(moment, step), state, id=f"{Point(moment, step)}")
        for step, *states in steps
        for moment, state in zip(("before", "after"), states, strict=True)
    ]


@pytest.mark.parametrize(
    ("at", "state"),
    around(
        ("reserving", PLACED, FAILED),  # before: nobody has heard of it, and the customer who asks again orders it
        ("Reserve", FAILED, FAILED),
        ("authorizing", FAILED, FAILED),
        ("AuthorizePayment", FAILED, FAILED),  # the card's number went with the worker
        ("confirming", FAILED, PLACED),
        ("ConfirmReservation", PLACED, PLACED),
        ("capturing", PLACED, PLACED),
        ("CapturePayment", PLACED, PLACED),
        ("placed", PLACED, PLACED),
    ),
)
async def test_a_worker_killed_in_a_checkout(shop: WholeShop, at: Point, state: Order.State.ValueType) -> None:
    """The next one gives back, or goes on; the customers who ask again are told how it ended, or order."""
    wanted = list[PlaceOrderRequest]()
    for kills in rounds():
        for request in requests(kills, GOOD):
            wanted.append(request)
            await shop.killed(at, placing(request))
        await shop.lapse()
        async with shop.worker() as (_, orders):
            await shop.books.check(await settled(orders))
            told = await asyncio.gather(*(outcome(orders.PlaceOrder(request)) for request in wanted[-kills:]))
            found = await settled(orders)
            assert [order.state for order in found] == [state] * len(wanted)
            if state == FAILED:
                assert told == [OrderInterrupted] * kills
            else:
                orders_told = {answer.order.order_id for answer in told if isinstance(answer, PlaceOrderResponse)}
                assert orders_told == {order.order_id for order in found[:kills]}  # each its own
            await shop.books.check(found)


@pytest.mark.parametrize(
    ("at", "state"),
    around(
        ("giving_up", FAILED, FAILED),
        ("Release", FAILED, FAILED),
        ("RefundPayment", FAILED, FAILED),
        ("failed", FAILED, FAILED),
    ),
)
async def test_a_worker_killed_while_it_gives_back(shop: WholeShop, at: Point, state: Order.State.ValueType) -> None:
    """The card was refused when it was charged; the next worker gives back the rest."""
    wanted = list[PlaceOrderRequest]()
    for kills in rounds():
        for request in requests(kills, GOOD_UNTIL_CHARGED):
            wanted.append(request)
            await shop.killed(at, placing(request))
        await shop.lapse()
        async with shop.worker() as (_, orders):
            found = await settled(orders)
            assert [order.state for order in found] == [state] * len(wanted)
            await shop.books.check(found)
            told = await asyncio.gather(*(outcome(orders.PlaceOrder(request)) for request in wanted[-kills:]))
            assert told == [CardDeclined] * kills
            await shop.books.check(await settled(orders))


@pytest.mark.parametrize(
    ("at", "state"),
    around(
        ("cancelling", CANCELLED, CANCELLED),  # before: the customer who asks again cancels it
        ("Release", CANCELLED, CANCELLED),
        ("RefundPayment", CANCELLED, CANCELLED),
        ("cancelled", CANCELLED, CANCELLED),
        ("answer CancelOrder", CANCELLED, CANCELLED),
    ),
)
async def test_a_worker_killed_while_it_cancels(shop: WholeShop, at: Point, state: Order.State.ValueType) -> None:
    """The next one goes on: what was charged is paid back, once."""
    ordered = 0
    for kills in rounds():
        async with shop.worker() as (_, orders):
            placed = [await orders.PlaceOrder(request) for request in requests(kills, GOOD)]
        ordered += kills
        cancels = [
            CancelOrderRequest(request_id=str(uuid.uuid4()), order_id=answer.order.order_id) for answer in placed
        ]
        for cancel in cancels:
            await shop.killed(at, cancelling(cancel))
        await shop.lapse()
        async with shop.worker() as (_, orders):
            await shop.books.check(await settled(orders))
            told = await asyncio.gather(*(orders.CancelOrder(cancel) for cancel in cancels))
            found = await settled(orders)
            assert [order.state for order in found] == [state] * ordered
            assert all(answer.order in found for answer in told)
            await shop.books.check(found)


@pytest.mark.parametrize(
    ("left", "at", "state"),
    [
        pytest.param(left, *point.values, id=f"{point.id}-{left.step}")  # type: ignore[attr-defined]
        for left, points in (
            (AUTHORIZING, around(("lease", FAILED, FAILED), ("giving_up", FAILED, FAILED), ("failed", FAILED, FAILED))),
            (
                CAPTURING,
                around(("lease", PLACED, PLACED), ("CapturePayment", PLACED, PLACED), ("placed", PLACED, PLACED)),
            ),
        )
        for point in points
    ],
)
async def test_a_worker_killed_while_it_carries_on_what_a_killed_one_left(
    shop: WholeShop, left: Point, at: Point, state: Order.State.ValueType
) -> None:
    """Again and again; the one that is not killed brings every order to its end."""
    ordered = 0
    for kills in rounds():
        wanted = requests(kills, GOOD)
        ordered += kills
        await shop.killed(left, *map(placing, wanted))
        for _ in wanted:
            await shop.lapse()
            await shop.killed(at)
        await shop.lapse()
        async with shop.worker() as (_, orders):
            found = await settled(orders)
            assert [order.state for order in found] == [state] * ordered
            await shop.books.check(found)
