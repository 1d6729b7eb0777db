import itertools
import random
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest
from google.protobuf.timestamp_pb2 import Timestamp
from grpc.aio import AioRpcError

from protomesh.events.v1.event_consumer_service_pb2 import Result
from protomesh.runtime.store import Database
from protomesh.testing.database import Databases
from protomesh.testing.serving import serving
from services.recommendations.events import OrderNews
from services.recommendations.half_life import keep_half_life
from services.recommendations.service import Recommendations
from shop.orders.v1 import OrderConfirmed, OrderedLine
from shop.recommendations.v1 import (
    ListRecommendationsRequest,
    ListRecommendationsResponse,
    Recommendation,
    RecommendationsServiceStub,
)
from tests.services.clock import MORNING, Clock
from tests.services.relay import Relay, new_event, relaying

Fields = Callable[[AioRpcError], list[str]]
DAY = timedelta(days=1)
HALF_LIFE = 30 * DAY
TOGETHER = Recommendation.BASIS_BOUGHT_TOGETHER
SELLS = Recommendation.BASIS_BEST_SELLER


@pytest.fixture
def clock() -> Clock:
    """The time."""
    return Clock()


@pytest.fixture
async def db(database: Databases, clock: Clock) -> Database:
    """The service's database, as a worker that starts for the first time leaves it."""
    opened = await database("services.recommendations")
    await keep_half_life(opened, HALF_LIFE, clock)
    return opened


@pytest.fixture
async def relay(db: Database, database: Databases, clock: Clock) -> AsyncGenerator[Relay]:
    """The relay of orders, which delivers to another worker than the tests call."""
    worker = await database.open(db.url)
    async with relaying(worker, OrderNews(clock)) as relay:
        yield relay


@pytest.fixture
async def shop(db: Database, clock: Clock) -> AsyncGenerator[RecommendationsServiceStub]:
    """A client."""
    async with serving(Recommendations(db, clock), RecommendationsServiceStub) as client:
        yield client


numbers = itertools.count(1)


def order(*product_ids: str, at: datetime = MORNING) -> OrderConfirmed:
    """That an order of one piece each is paid."""
    confirm_time = Timestamp()
    confirm_time.FromDatetime(at)
    return OrderConfirmed(
        order_id=f"order-{next(numbers)}",
        customer_id="alice",
        lines=[OrderedLine(product_id=product_id, quantity=1) for product_id in product_ids],
        confirm_time=confirm_time,
    )


async def listed(
    shop: RecommendationsServiceStub, product_id: str, *, page_size: int = 100, page_token: str = ""
) -> ListRecommendationsResponse:
    """What goes with a product."""
    return await shop.ListRecommendations(
        ListRecommendationsRequest(product_id=product_id, page_size=page_size, page_token=page_token)
    )


def shown(response: ListRecommendationsResponse) -> list[tuple[str, Any, Any]]:
    """Products, why, and how much."""
    return [(each.product_id, each.basis, each.score) for each in response.recommendations]


async def test_nothing_is_recommended_before_the_first_order(shop: RecommendationsServiceStub) -> None:
    """And it is no error."""
    assert await listed(shop, "matcha") == ListRecommendationsResponse()


async def test_what_was_ordered_together_comes_first_then_what_sells(
    relay: Relay, shop: RecommendationsServiceStub
) -> None:
    """Each entry says which it is, and how many orders speak for it; nothing is there twice, nor the product itself."""
    await relay.tell(
        order("matcha", "whisk"),
        order("matcha", "whisk", "bowl"),
        order("bowl"),
        order("bowl"),
        order("mug"),
        order("tin"),
        order("tin"),
    )
    assert shown(await listed(shop, "matcha")) == [
        ("whisk", TOGETHER, pytest.approx(2)),
        ("bowl", TOGETHER, pytest.approx(1)),
        ("tin", SELLS, pytest.approx(2)),
        ("mug", SELLS, pytest.approx(1)),
    ]
    assert shown(await listed(shop, "whisk"))[:2] == [
        ("matcha", TOGETHER, pytest.approx(2)),
        ("bowl", TOGETHER, pytest.approx(1)),
    ]


async def test_a_product_that_nobody_has_heard_of_goes_with_what_sells(
    relay: Relay, shop: RecommendationsServiceStub
) -> None:
    """By how many orders it was in, whatever it was ordered with."""
    await relay.tell(order("matcha", "whisk"), order("matcha"))
    assert shown(await listed(shop, "unobtainium")) == [
        ("matcha", SELLS, pytest.approx(2)),
        ("whisk", SELLS, pytest.approx(1)),
    ]


async def test_an_event_that_comes_twice_counts_once(relay: Relay, shop: RecommendationsServiceStub) -> None:
    """In one batch or in two."""
    event = new_event(order("matcha", "whisk"))
    results = await relay.deliver(event, event) + await relay.deliver(event)
    assert [result.outcome for result in results] == [Result.OUTCOME_APPLIED] * 3
    assert shown(await listed(shop, "matcha")) == [("whisk", TOGETHER, 1)]


async def test_two_lines_of_one_product_and_many_pieces_count_once(
    relay: Relay, shop: RecommendationsServiceStub
) -> None:
    """A large order is still one customer's."""
    large = order("matcha", "whisk", "whisk")
    large.lines[0].quantity = 1000
    await relay.tell(large)
    assert shown(await listed(shop, "matcha")) == [("whisk", TOGETHER, 1)]
    assert shown(await listed(shop, "other")) == [("matcha", SELLS, 1), ("whisk", SELLS, 1)]


async def test_an_order_counts_half_as_much_a_half_life_later(
    relay: Relay, shop: RecommendationsServiceStub, clock: Clock
) -> None:
    """So that what is bought together lately overtakes what was before, with no job between."""
    await relay.tell(*(order("matcha", "whisk") for _ in range(3)))
    clock.time += 2 * HALF_LIFE
    assert shown(await listed(shop, "matcha")) == [("whisk", TOGETHER, pytest.approx(0.75))]
    await relay.tell(order("matcha", "bowl", at=clock.time))
    assert shown(await listed(shop, "matcha")) == [
        ("bowl", TOGETHER, pytest.approx(1)),
        ("whisk", TOGETHER, pytest.approx(0.75)),
    ]


async def test_an_event_that_was_late_counts_as_of_when_it_happened(
    relay: Relay, shop: RecommendationsServiceStub, clock: Clock
) -> None:
    """An outage makes no order newer."""
    clock.time += HALF_LIFE
    await relay.tell(order("matcha", "bowl", at=clock.time))
    await relay.tell(order("matcha", "whisk", at=MORNING))
    assert shown(await listed(shop, "matcha")) == [
        ("bowl", TOGETHER, pytest.approx(1)),
        ("whisk", TOGETHER, pytest.approx(0.5)),
    ]


async def test_an_order_of_the_future_counts_as_of_now(relay: Relay, shop: RecommendationsServiceStub) -> None:
    """Somebody's clock is wrong, and must not outweigh everybody else."""
    await relay.tell(order("matcha", "whisk", at=MORNING + 3650 * DAY))
    assert shown(await listed(shop, "matcha")) == [("whisk", TOGETHER, 1)]


async def test_an_event_without_a_time_counts_as_of_when_it_was_published(
    relay: Relay, shop: RecommendationsServiceStub
) -> None:
    """The field may be left out by an older publisher."""
    timeless = order("matcha", "whisk")
    timeless.ClearField("confirm_time")
    event = new_event(timeless, create_time=MORNING - HALF_LIFE)
    assert [result.outcome for result in await relay.deliver(event)] == [Result.OUTCOME_APPLIED]
    assert shown(await listed(shop, "matcha")) == [("whisk", TOGETHER, pytest.approx(0.5))]


async def test_pages_have_everything_once(relay: Relay, shop: RecommendationsServiceStub) -> None:
    """Across the place where one kind ends and the other begins, with scores that are equal."""
    await relay.tell(order("matcha", "a", "b", "c"), order("matcha", "c"), order("d"), order("e"), order("f"))
    whole = await listed(shop, "matcha")
    assert [each.product_id for each in whole.recommendations] == ["c", "a", "b", "d", "e", "f"]
    for page_size in range(1, 7):
        paged: list[Recommendation] = []
        token = ""
        while True:
            page = await listed(shop, "matcha", page_size=page_size, page_token=token)
            paged += page.recommendations
            token = page.next_page_token
            if not token:
                break
            assert len(page.recommendations) == page_size
        assert paged == list(whole.recommendations)


async def test_a_page_token_of_another_product_is_refused(
    relay: Relay, shop: RecommendationsServiceStub, fields: Fields
) -> None:
    """INVALID_ARGUMENT."""
    await relay.tell(order("matcha", "whisk", "bowl"))
    token = (await listed(shop, "matcha", page_size=1)).next_page_token
    with pytest.raises(AioRpcError) as refused:
        await listed(shop, "whisk", page_token=token)
    assert fields(refused.value) == ["page_token"]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (ListRecommendationsRequest(), "product_id"),
        (ListRecommendationsRequest(product_id="No Such Id"), "product_id"),
        (ListRecommendationsRequest(product_id="a" * 65), "product_id"),
        (ListRecommendationsRequest(product_id="matcha", page_size=-1), "page_size"),
    ],
)
async def test_a_request_that_breaks_a_rule_names_the_field(
    shop: RecommendationsServiceStub, fields: Fields, request_: ListRecommendationsRequest, field: str
) -> None:
    """Before the database is asked."""
    with pytest.raises(AioRpcError) as refused:
        await shop.ListRecommendations(request_)
    assert fields(refused.value) == [field]


async def test_what_is_counted_is_what_orders_say(relay: Relay, shop: RecommendationsServiceStub, clock: Clock) -> None:
    """Sixty orders of half a year, told in any order: each score is the sum of its definition."""
    chance = random.Random(7)
    products = [f"product-{number}" for number in range(8)]
    baskets = [
        (chance.sample(products, chance.randint(1, 5)), MORNING - chance.random() * 180 * DAY) for _ in range(60)
    ]
    await relay.tell(*(order(*basket, at=at) for basket, at in baskets))
    together: defaultdict[str, float] = defaultdict(float)
    for basket, at in baskets:
        if "product-0" in basket:
            for other in set(basket) - {"product-0"}:
                together[other] += 2.0 ** -((clock() - at) / HALF_LIFE)
    expected = [
        (product_id, TOGETHER, pytest.approx(score, rel=1e-6))
        for product_id, score in sorted(together.items(), key=lambda item: -item[1])
    ]
    assert shown(await listed(shop, "product-0")) == expected


async def test_another_half_life_holds_from_now_on(
    relay: Relay, db: Database, shop: RecommendationsServiceStub, clock: Clock
) -> None:
    """What was counted keeps its score of the moment, also for the worker that runs already; the same again is none."""
    await relay.tell(order("matcha", "whisk"))
    clock.time += HALF_LIFE
    await keep_half_life(db, DAY, clock)
    assert shown(await listed(shop, "matcha")) == [("whisk", TOGETHER, pytest.approx(0.5))]
    clock.time += DAY
    await keep_half_life(db, DAY, clock)
    await relay.tell(order("matcha", "whisk", at=clock.time - DAY))
    assert shown(await listed(shop, "matcha")) == [("whisk", TOGETHER, pytest.approx(0.75))]


async def test_what_says_nothing_any_more_is_forgotten(
    relay: Relay, db: Database, shop: RecommendationsServiceStub, clock: Clock
) -> None:
    """Ten half-lives after its last order, and not before."""
    await relay.tell(order("matcha", "whisk"), order("matcha", "bowl", at=MORNING - HALF_LIFE))
    clock.time += 9.5 * HALF_LIFE
    await Recommendations(db, clock).forget()
    assert [each.product_id for each in (await listed(shop, "matcha")).recommendations] == ["whisk"]
    clock.time += 2 * HALF_LIFE
    await Recommendations(db, clock).forget()
    assert await listed(shop, "matcha") == ListRecommendationsResponse()
    assert await listed(shop, "other") == ListRecommendationsResponse()
