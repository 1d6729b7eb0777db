import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import datetime, timedelta

import grpc
import pytest
from google.protobuf.json_format import MessageToDict
from google.type.money_pb2 import Money
from grpc.aio import AioRpcError

from protomesh.events.v1.event_consumer_service_pb2 import Result
from protomesh.runtime import User
from protomesh.runtime.store import Database
from protomesh.testing.database import Databases
from protomesh.testing.serving import serving
from services.notifications.events import OrderNews
from services.notifications.service import Notifications
from shop.notifications.v1 import (
    ListNotificationsRequest,
    ListNotificationsResponse,
    MarkReadRequest,
    Notification,
    NotificationNotFound,
    NotificationsServiceStub,
    SubscribeRequest,
    SubscribeResponse,
)
from shop.orders.v1 import OrderCancelled, OrderConfirmed, OrderedLine
from tests.services.following import Following, following
from tests.services.relay import Relay, new_event, relaying

Fields = Callable[[AioRpcError], list[str]]
As = Callable[[str], AbstractAsyncContextManager[NotificationsServiceStub]]
SOON = timedelta(seconds=20).total_seconds()


@pytest.fixture
async def db(database: Databases) -> Database:
    """The service's database, with no mailbox in it."""
    return await database("services.notifications")


@pytest.fixture
def new_id() -> Callable[[], str]:
    """Ids of mailboxes."""
    numbers = itertools.count(1)
    return lambda: f"mailbox-{next(numbers)}"


@pytest.fixture
async def relay(
    db: Database, database: Databases, now: Callable[[], datetime], new_id: Callable[[], str]
) -> AsyncGenerator[Relay]:
    """The relay of orders, which delivers to another worker than the tests call."""
    worker = await database.open(db.url)
    async with relaying(worker, OrderNews(now, new_id)) as relay:
        yield relay


@pytest.fixture
def as_(db: Database, now: Callable[[], datetime]) -> As:
    """Makes a client that calls on behalf of somebody."""
    return lambda subject: serving(Notifications(db, now), NotificationsServiceStub, user=User(subject))


@pytest.fixture
async def alice(as_: As) -> AsyncGenerator[NotificationsServiceStub]:
    """A customer's client."""
    async with as_("alice") as client:
        yield client


@pytest.fixture
async def bob(as_: As) -> AsyncGenerator[NotificationsServiceStub]:
    """Another customer's client."""
    async with as_("bob") as client:
        yield client


def confirmed(customer_id: str, order_id: str) -> OrderConfirmed:
    """That an order is paid."""
    return OrderConfirmed(
        order_id=order_id,
        customer_id=customer_id,
        lines=[OrderedLine(product_id="matcha", quantity=2, title="Ceremonial Matcha")],
        total=Money(currency_code="EUR", units=57, nanos=800_000_000),
    )


async def listed(client: NotificationsServiceStub, *, unread_only: bool = False) -> list[str]:
    """The orders that the caller was told about, the newest first."""
    response = await client.ListNotifications(ListNotificationsRequest(unread_only=unread_only, page_size=100))
    return [notification.order_id for notification in response.notifications]


def subscribed(client: NotificationsServiceStub, resume_token: str = "") -> Following[SubscribeResponse]:
    """A stream of messages."""
    return following(client.Subscribe(SubscribeRequest(resume_token=resume_token)))


class TestEvents:
    """What orders tell becomes what customers are told."""

    async def test_a_confirmed_order_is_told(
        self, relay: Relay, alice: NotificationsServiceStub, now: Callable[[], datetime]
    ) -> None:
        """What they bought, and what they paid."""
        await relay.tell(confirmed("alice", "order-1"))
        [told] = (await alice.ListNotifications(ListNotificationsRequest())).notifications
        assert MessageToDict(told, preserving_proto_field_name=True) == {
            "notification_id": "1",
            "kind": "KIND_ORDER_CONFIRMED",
            "order_id": "order-1",
            "title": "Your order is confirmed",
            "text": "2 × Ceremonial Matcha: EUR 57.80 charged.",  # noqa: RUF001 - the multiplication sign
            "create_time": now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        }

    @pytest.mark.parametrize(
        ("reason", "words"),
        [
            (OrderCancelled.REASON_CUSTOMER, "You cancelled it."),
            (OrderCancelled.REASON_PAYMENT_DECLINED, "Your card was declined."),
            (OrderCancelled.REASON_UNAVAILABLE, "Please order again."),
            (OrderCancelled.REASON_UNSPECIFIED, "It could not be carried out."),
        ],
    )
    async def test_a_cancelled_order_is_told_with_its_reason(
        self, relay: Relay, alice: NotificationsServiceStub, reason: OrderCancelled.Reason.ValueType, words: str
    ) -> None:
        """In words; a reason that nobody here knows has some too."""
        await relay.tell(OrderCancelled(order_id="order-1", customer_id="alice", reason=reason))
        [told] = (await alice.ListNotifications(ListNotificationsRequest())).notifications
        assert told.kind == Notification.KIND_ORDER_CANCELLED
        assert words in told.text

    async def test_an_event_that_comes_twice_is_told_once(
        self,
        relay: Relay,
        db: Database,
        now: Callable[[], datetime],
        new_id: Callable[[], str],
        alice: NotificationsServiceStub,
    ) -> None:
        """In one batch, in two, or at another worker."""
        event = new_event(confirmed("alice", "order-1"))
        results = await relay.deliver(event, event)
        results += await relay.deliver(event)
        async with relaying(db, OrderNews(now, new_id)) as other:
            results += await other.deliver(event)
        assert [result.outcome for result in results] == [Result.OUTCOME_APPLIED] * 4
        assert await listed(alice) == ["order-1"]

    async def test_two_orders_of_one_customer_are_told_in_their_order(
        self, relay: Relay, alice: NotificationsServiceStub
    ) -> None:
        """In one batch and in the next one."""
        await relay.tell(confirmed("alice", "order-1"), confirmed("alice", "order-2"))
        await relay.tell(OrderCancelled(order_id="order-1", customer_id="alice"))
        assert await listed(alice) == ["order-1", "order-2", "order-1"]
        async with subscribed(alice) as following:
            told = [(await following()).notification for _ in range(3)]
        assert [(each.notification_id, each.order_id) for each in told] == [
            ("1", "order-1"),
            ("2", "order-2"),
            ("3", "order-1"),
        ]

    async def test_an_event_without_a_customer_is_nobodys(self, relay: Relay, alice: NotificationsServiceStub) -> None:
        """It fails, so that a person hears of it, and the events beside it are told."""
        results = await relay.deliver(new_event(confirmed("", "order-1")), new_event(confirmed("alice", "order-2")))
        assert [result.outcome for result in results] == [Result.OUTCOME_FAILED, Result.OUTCOME_APPLIED]
        assert await listed(alice) == ["order-2"]


class TestListNotifications:
    """ListNotifications."""

    async def test_a_mailbox_is_empty_at_first(self, alice: NotificationsServiceStub) -> None:
        """And not an error."""
        assert await alice.ListNotifications(ListNotificationsRequest()) == ListNotificationsResponse()

    async def test_nobody_sees_what_others_are_told(
        self, relay: Relay, alice: NotificationsServiceStub, bob: NotificationsServiceStub
    ) -> None:
        """Whoever calls sees their own."""
        await relay.tell(confirmed("alice", "order-1"), confirmed("bob", "order-2"))
        assert await listed(alice) == ["order-1"]
        assert await listed(bob) == ["order-2"]

    async def test_pages_stay_put_while_messages_come(self, relay: Relay, alice: NotificationsServiceStub) -> None:
        """A page begins where the one before ended."""
        await relay.tell(*(confirmed("alice", f"order-{number}") for number in range(1, 6)))
        first = await alice.ListNotifications(ListNotificationsRequest(page_size=2))
        await relay.tell(confirmed("alice", "order-6"))
        second = await alice.ListNotifications(ListNotificationsRequest(page_size=2, page_token=first.next_page_token))
        third = await alice.ListNotifications(ListNotificationsRequest(page_size=2, page_token=second.next_page_token))
        pages = [[each.order_id for each in page.notifications] for page in (first, second, third)]
        assert pages == [["order-5", "order-4"], ["order-3", "order-2"], ["order-1"]]
        assert third.next_page_token == ""

    async def test_what_is_read_can_be_left_out(self, relay: Relay, alice: NotificationsServiceStub) -> None:
        """And a token of one filter does not fit the other."""
        await relay.tell(*(confirmed("alice", f"order-{number}") for number in range(1, 4)))
        await alice.MarkRead(MarkReadRequest(notification_id="2"))
        assert await listed(alice, unread_only=True) == ["order-3", "order-1"]
        assert await listed(alice) == ["order-3", "order-2", "order-1"]

    async def test_a_page_token_of_another_filter_is_refused(
        self, relay: Relay, alice: NotificationsServiceStub, fields: Fields
    ) -> None:
        """INVALID_ARGUMENT."""
        await relay.tell(confirmed("alice", "order-1"), confirmed("alice", "order-2"))
        token = (await alice.ListNotifications(ListNotificationsRequest(page_size=1))).next_page_token
        with pytest.raises(AioRpcError) as refused:
            await alice.ListNotifications(ListNotificationsRequest(unread_only=True, page_token=token))
        assert fields(refused.value) == ["page_token"]

    async def test_a_negative_page_size_names_its_field(self, alice: NotificationsServiceStub, fields: Fields) -> None:
        """INVALID_ARGUMENT."""
        with pytest.raises(AioRpcError) as refused:
            await alice.ListNotifications(ListNotificationsRequest(page_size=-1))
        assert fields(refused.value) == ["page_size"]

    async def test_a_call_on_nobodys_behalf_has_no_mailbox(self, db: Database, now: Callable[[], datetime]) -> None:
        """UNAUTHENTICATED, from each method."""
        async with serving(Notifications(db, now), NotificationsServiceStub) as client:
            for call in (
                client.ListNotifications(ListNotificationsRequest()),
                client.MarkRead(MarkReadRequest(notification_id="1")),
                anext(aiter(client.Subscribe(SubscribeRequest()))),
            ):
                with pytest.raises(AioRpcError) as refused:
                    await call
                assert refused.value.code() is grpc.StatusCode.UNAUTHENTICATED


class TestMarkRead:
    """MarkRead."""

    async def test_it_says_since_when(
        self, relay: Relay, alice: NotificationsServiceStub, now: Callable[[], datetime]
    ) -> None:
        """And so does the list."""
        await relay.tell(confirmed("alice", "order-1"))
        read = (await alice.MarkRead(MarkReadRequest(notification_id="1"))).notification
        assert read.read_time.ToDatetime(now().tzinfo) == now()
        assert list((await alice.ListNotifications(ListNotificationsRequest())).notifications) == [read]

    async def test_a_repeat_leaves_what_the_first_one_left(
        self, relay: Relay, db: Database, alice: NotificationsServiceStub, now: Callable[[], datetime]
    ) -> None:
        """IDEMPOTENT by nature: also an hour later."""
        await relay.tell(confirmed("alice", "order-1"))
        first = await alice.MarkRead(MarkReadRequest(notification_id="1"))
        later = Notifications(db, lambda: now() + timedelta(hours=1))
        async with serving(later, NotificationsServiceStub, user=User("alice")) as client:
            assert await client.MarkRead(MarkReadRequest(notification_id="1")) == first

    async def test_nobody_marks_what_others_are_told(
        self, relay: Relay, alice: NotificationsServiceStub, bob: NotificationsServiceStub
    ) -> None:
        """NOT_FOUND, by its type; and it stays unread."""
        await relay.tell(confirmed("alice", "order-1"))
        with pytest.raises(NotificationNotFound) as missing:
            await bob.MarkRead(MarkReadRequest(notification_id="1"))
        assert missing.value.notification_id == "1"
        assert await listed(alice, unread_only=True) == ["order-1"]

    @pytest.mark.parametrize("notification_id", ["", "0", "-1", "x", "1 ", "01", "1" * 19])
    async def test_an_id_that_is_none_names_its_field(
        self, alice: NotificationsServiceStub, fields: Fields, notification_id: str
    ) -> None:
        """INVALID_ARGUMENT."""
        with pytest.raises(AioRpcError) as refused:
            await alice.MarkRead(MarkReadRequest(notification_id=notification_id))
        assert fields(refused.value) == ["notification_id"]

    async def test_the_longest_id_is_looked_for(self, alice: NotificationsServiceStub) -> None:
        """Every id that the contract lets in is a number that the database knows."""
        with pytest.raises(NotificationNotFound):
            await alice.MarkRead(MarkReadRequest(notification_id="9" * 18))


class TestSubscribe:
    """Subscribe."""

    async def test_it_tells_what_another_worker_wrote(self, relay: Relay, alice: NotificationsServiceStub) -> None:
        """What is there, then what comes, also into a mailbox that was not there."""
        async with subscribed(alice) as following:
            waiting = following()
            await relay.tell(confirmed("alice", "order-1"))
            assert (await waiting).notification.order_id == "order-1"
            await relay.tell(confirmed("alice", "order-2"))
            assert (await following()).notification.order_id == "order-2"

    async def test_it_is_silent_about_others(
        self, relay: Relay, alice: NotificationsServiceStub, bob: NotificationsServiceStub
    ) -> None:
        """The next response is the next message of one's own."""
        async with subscribed(alice) as hers, subscribed(bob) as his:
            waiting = hers()
            await relay.tell(confirmed("bob", "order-1"))
            assert (await his()).notification.order_id == "order-1"
            done, _ = await asyncio.wait([waiting], timeout=0.3)
            assert not done
            await relay.tell(confirmed("alice", "order-2"))
            assert (await waiting).notification.order_id == "order-2"

    async def test_who_comes_back_misses_nothing_and_hears_nothing_twice(
        self, relay: Relay, alice: NotificationsServiceStub
    ) -> None:
        """With the token of the last response that arrived, however many came meanwhile."""
        await relay.tell(confirmed("alice", "order-1"))
        async with subscribed(alice) as following:
            token = (await following()).resume_token
        await relay.tell(*(confirmed("alice", f"order-{number}") for number in range(2, 252)))
        async with subscribed(alice, token) as following:
            told = [(await following()).notification.order_id for _ in range(250)]
            waiting = following()
            done, _ = await asyncio.wait([waiting], timeout=0.3)
            assert not done
            await relay.tell(confirmed("alice", "order-252"))
            assert (await waiting).notification.order_id == "order-252"
        assert told == [f"order-{number}" for number in range(2, 252)]

    async def test_nothing_is_lost_or_repeated_while_streams_break(
        self, relay: Relay, alice: NotificationsServiceStub
    ) -> None:
        """Each of twenty streams is dropped after two responses, while messages come."""
        coming = asyncio.ensure_future(
            relay_all(relay, [confirmed("alice", f"order-{number}") for number in range(40)])
        )
        told: list[str] = []
        token = ""
        for _ in range(20):
            async with subscribed(alice, token) as following:
                for _ in range(2):
                    response = await following()
                    told.append(response.notification.order_id)
                    token = response.resume_token
        await coming
        assert told == [f"order-{number}" for number in range(40)]

    async def test_it_goes_on_where_a_list_ended(self, relay: Relay, alice: NotificationsServiceStub) -> None:
        """A page is shown at once, and what comes after it is told."""
        await relay.tell(confirmed("alice", "order-1"), confirmed("alice", "order-2"))
        page = await alice.ListNotifications(ListNotificationsRequest(page_size=1))
        following_page = ListNotificationsRequest(page_size=1, page_token=page.next_page_token)
        assert (await alice.ListNotifications(following_page)).resume_token == ""
        async with subscribed(alice, page.resume_token) as following:
            waiting = following()
            await relay.tell(confirmed("alice", "order-3"))
            assert (await waiting).notification.order_id == "order-3"

    @pytest.mark.parametrize(
        "token", ["x", "!!!!", "bm90aGluZw", "bWFpbGJveC0xOng", "bWFpbGJveC0xOi0x", "bWFpbGJveC0xOjI", "\N{SNOWMAN}"]
    )
    async def test_a_token_that_is_none_names_its_field(
        self, relay: Relay, alice: NotificationsServiceStub, fields: Fields, token: str
    ) -> None:
        """INVALID_ARGUMENT, also of a place that the mailbox has not come to: something is lost."""
        await relay.tell(confirmed("alice", "order-1"))
        with pytest.raises(AioRpcError) as refused:
            async with subscribed(alice, token) as following:
                await following()
        assert fields(refused.value) == ["resume_token"]

    async def test_a_token_of_another_mailbox_is_refused(
        self, relay: Relay, alice: NotificationsServiceStub, bob: NotificationsServiceStub, fields: Fields
    ) -> None:
        """Of somebody who has one, or none yet."""
        await relay.tell(confirmed("alice", "order-1"))
        async with subscribed(alice) as following:
            token = (await following()).resume_token
        for _ in range(2):
            with pytest.raises(AioRpcError) as refused:
                async with subscribed(bob, token) as following:
                    await following()
            assert fields(refused.value) == ["resume_token"]
            await relay.tell(confirmed("bob", "order-2"))


async def relay_all(relay: Relay, events: list[OrderConfirmed]) -> None:
    """Tells events one by one."""
    for event in events:
        await relay.tell(event)


class TestForget:
    """What the hourly job does."""

    async def test_what_is_old_is_forgotten_and_no_number_is_given_twice(
        self,
        relay: Relay,
        db: Database,
        now: Callable[[], datetime],
        alice: NotificationsServiceStub,
    ) -> None:
        """So that a subscriber who was away meanwhile goes on with what is new."""
        await relay.tell(confirmed("alice", "order-1"), confirmed("alice", "order-2"))
        async with subscribed(alice) as following:
            token = (await following()).resume_token
        await Notifications(db, now).forget(older_than=timedelta(days=1))
        assert await listed(alice) == ["order-2", "order-1"]
        later = Notifications(db, lambda: now() + timedelta(days=1, seconds=1))
        await later.forget(older_than=timedelta(days=1))
        assert await listed(alice) == []
        await relay.tell(confirmed("alice", "order-3"))
        async with subscribed(alice, token) as following:
            assert (await following()).notification.notification_id == "3"
