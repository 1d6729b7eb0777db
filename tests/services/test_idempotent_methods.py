"""Every method that its contract calls IDEMPOTENT, sent twice: what Envoy's repeats rest on."""

import itertools
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import grpc
import pytest
from argon2 import PasswordHasher
from google.protobuf.descriptor import ServiceDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions
from google.type.money_pb2 import Money
from grpc.aio import AioRpcError
from sqlalchemy.orm import DeclarativeBase

from protomesh.runtime import User
from protomesh.runtime.store import Database
from protomesh.testing.database import Databases
from protomesh.testing.serving import serving
from protomesh.v1 import options_pb2
from services.catalog.service import Catalog
from services.identity.keys import Keys, new_key
from services.identity.passwords import Passwords
from services.identity.service import Identity
from services.identity.tables import Base as IdentityBase
from services.identity.tokens import Tokens
from services.inventory.service import Inventory
from services.notifications.events import OrderNews
from services.notifications.service import Notifications
from services.notifications.store import Base as NotificationsBase
from services.orders.checkout import Checkout
from services.orders.domain import order_id
from services.orders.service import Orders
from services.payments.bank import LocalBank
from services.payments.service import Payments
from shop.catalog.v1 import CatalogServiceStub
from shop.identity.v1 import IdentityServiceStub, LoginRequest, LogoutRequest, RefreshTokenRequest, RegisterRequest
from shop.inventory.v1 import ConfirmReservationRequest, InventoryServiceStub, ReleaseRequest, ReserveRequest
from shop.notifications.v1 import MarkReadRequest, NotificationsServiceStub
from shop.orders.v1 import CancelOrderRequest, OrderConfirmed, OrdersServiceStub, PlaceOrderRequest
from shop.payments.v1 import (
    AuthorizePaymentRequest,
    CapturePaymentRequest,
    PaymentsServiceStub,
    RefundPaymentRequest,
)
from tests.services.clock import Clock
from tests.services.relay import relaying

CONTRACTS = Path(__file__).resolve().parents[2] / "protos"
# All that the contracts have, so that none is forgotten: shop/orders/v1/orders_service.proto is a module of its own.
SERVICES: list[ServiceDescriptor] = [
    service
    for contract in sorted(CONTRACTS.glob("shop/**/*.proto"))
    for service in import_module(
        ".".join(contract.relative_to(CONTRACTS).with_suffix("").parts) + "_pb2"
    ).DESCRIPTOR.services_by_name.values()
]
IDEMPOTENT = {
    method.name: method.GetOptions().Extensions[options_pb2.method].idempotent_by
    for service in SERVICES
    for method in service.methods
    if method.GetOptions().idempotency_level == MethodOptions.IDEMPOTENT
}
BY_REQUEST_ID = sorted(name for name, by in IDEMPOTENT.items() if by != options_pb2.IDEMPOTENT_BY_NATURE)
HELD = str(uuid.uuid4())  # a reservation that is there to be released
PAID, PAID_TOO = str(uuid.uuid4()), str(uuid.uuid4())  # payments that are authorized
MORNING = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
ORDERED, ORDERED_TOO = order_id(MORNING, "1"), order_id(MORNING, "2")  # orders that are placed
CARD = "4000000000000101"
ALICE = User("alice")
Kept = Callable[[Database, type[DeclarativeBase]], Awaitable[str]]


@dataclass(frozen=True, slots=True)
class Twice:
    """A call to make twice, and where it leaves something."""

    call: Callable[[Any], Awaitable[Any]]
    request: Any
    db: Database
    base: type[DeclarativeBase]


def order(request_id: str = "") -> PlaceOrderRequest:
    """A request for one."""
    lines = [PlaceOrderRequest.Line(product_id="matcha", quantity=2)]
    return PlaceOrderRequest(request_id=request_id, lines=lines, card_number=CARD)


def payment(request_id: str = "") -> AuthorizePaymentRequest:
    """A request for one."""
    amount = Money(currency_code="EUR", units=5)
    return AuthorizePaymentRequest(request_id=request_id, order_id="order-1", amount=amount, card_number=CARD)


# A request of each, and what makes it another request.
REQUESTS: dict[str, tuple[Any, Callable[[Any], None]]] = {
    "AuthorizePayment": (payment(), lambda request: setattr(request, "order_id", "order-2")),
    "CancelOrder": (
        CancelOrderRequest(order_id=ORDERED),
        lambda request: setattr(request, "order_id", ORDERED_TOO),
    ),
    "CapturePayment": (
        CapturePaymentRequest(payment_id=PAID),
        lambda request: setattr(request, "payment_id", PAID_TOO),
    ),
    "ConfirmReservation": (
        ConfirmReservationRequest(reservation_id=HELD),
        lambda request: setattr(request, "reservation_id", "other"),
    ),
    "PlaceOrder": (
        order(),
        lambda request: request.lines.add(product_id="honey-spoon", quantity=1),
    ),
    "RefundPayment": (
        RefundPaymentRequest(payment_id=PAID),
        lambda request: setattr(request, "payment_id", PAID_TOO),
    ),
    "Release": (ReleaseRequest(reservation_id=HELD), lambda request: setattr(request, "reservation_id", "other")),
    "Reserve": (ReserveRequest(product_id="matcha", quantity=2), lambda request: setattr(request, "quantity", 3)),
}


@asynccontextmanager
async def logging_out(database: Databases, clock: Clock) -> AsyncGenerator[Twice]:
    """Somebody who is logged in, by two tokens of which one is used up."""
    db = await database("services.identity")

    async def publish(jwks: str) -> None:
        assert jwks

    keys = Keys(
        db,
        publish,
        mesh="here",
        lifetime=timedelta(days=1),
        token_lifetime=timedelta(minutes=5),
        now=clock,
        generate=new_key,
    )
    await keys.keep()
    tokens = Tokens(
        issuer="https://shop.local", audience="shop", lifetime=timedelta(minutes=5), new_id=lambda: str(uuid.uuid4())
    )
    async with Passwords(PasswordHasher(memory_cost=8, time_cost=1, parallelism=1)) as passwords:
        servicer = Identity(
            db,
            passwords,
            keys,
            tokens,
            refresh_token_lifetime=timedelta(days=30),
            now=clock,
            new_id=lambda: str(uuid.uuid4()),
        )
        async with serving(servicer, IdentityServiceStub) as identity:
            person = {"email": "alice@example.com", "password": "correct horse battery staple"}
            await identity.Register(RegisterRequest(**person))
            used_up = (await identity.Login(LoginRequest(**person))).tokens.refresh_token
            await identity.RefreshToken(RefreshTokenRequest(refresh_token=used_up))
            yield Twice(identity.Logout, LogoutRequest(refresh_token=used_up), db, IdentityBase)


@asynccontextmanager
async def marking_read(database: Databases, clock: Clock) -> AsyncGenerator[Twice]:
    """Somebody who was written to twice."""
    db = await database("services.notifications")
    async with (
        relaying(db, OrderNews(clock, lambda: "mailbox")) as relay,
        serving(Notifications(db, clock), NotificationsServiceStub, user=ALICE) as notifications,
    ):
        for order_id in ("order-1", "order-2"):
            total = Money(currency_code="EUR", units=5)
            await relay.tell(OrderConfirmed(order_id=order_id, customer_id=ALICE.subject, total=total))
        yield Twice(notifications.MarkRead, MarkReadRequest(notification_id="1"), db, NotificationsBase)


# Nothing is remembered of these: doing them twice leaves what doing them once does.
BY_NATURE: dict[str, Callable[[Databases, Clock], AbstractAsyncContextManager[Twice]]] = {
    "Logout": logging_out,
    "MarkRead": marking_read,
}


@pytest.fixture
async def shop(database: Databases, tmp_path: Path) -> AsyncGenerator[list[Any]]:
    """Clients of all services, which call each other for real."""
    tokens = map(str, itertools.count(1))

    def now() -> datetime:
        return MORNING

    bank = LocalBank(tmp_path / "ledger", now)
    payments_db = await database("services.payments")
    catalog_db = await database("services.catalog")
    inventory_db = await database("services.inventory")
    orders_db = await database("services.orders")
    async with (
        serving(Catalog(catalog_db, now), CatalogServiceStub) as catalog,
        serving(Inventory(inventory_db, catalog, now), InventoryServiceStub) as inventory,
        serving(Payments(payments_db, bank, now, timedelta(seconds=10)), PaymentsServiceStub, user=ALICE) as payments,
        serving(
            Orders(
                orders_db,
                catalog,
                Checkout(orders_db, inventory, payments, now, lease=timedelta(minutes=1)),
                now,
                lambda: next(tokens),
            ),
            OrdersServiceStub,
            user=ALICE,
        ) as orders,
    ):
        await inventory.Reserve(ReserveRequest(request_id=HELD, product_id="travel-mug", quantity=1))
        for expected in (ORDERED, ORDERED_TOO):
            placed = await orders.PlaceOrder(order(str(uuid.uuid4())))
            assert placed.order.order_id == expected
        await payments.AuthorizePayment(payment(PAID))
        await payments.AuthorizePayment(payment(PAID_TOO))
        yield [catalog, inventory, orders, payments]


def test_every_idempotent_method_is_tested() -> None:
    """A new one needs a request here, under a name that no other has."""
    names = [method.name for service in SERVICES for method in service.methods if method.name in IDEMPOTENT]
    assert sorted(names) == sorted(IDEMPOTENT)
    assert sorted(REQUESTS) == BY_REQUEST_ID
    assert set(BY_REQUEST_ID) | set(BY_NATURE) == set(IDEMPOTENT)


@pytest.mark.parametrize("method", sorted(BY_NATURE))
async def test_doing_it_twice_leaves_what_doing_it_once_does(database: Databases, kept: Kept, method: str) -> None:
    """A repeat, however late, is answered alike, byte for byte, and changes nothing."""
    clock = Clock()
    async with BY_NATURE[method](database, clock) as twice:
        before = await kept(twice.db, twice.base)
        first = await twice.call(twice.request)
        once = await kept(twice.db, twice.base)
        assert once != before
        clock.advance(timedelta(hours=1))
        again = await twice.call(twice.request)
        assert again.SerializeToString(deterministic=True) == first.SerializeToString(deterministic=True)
        assert await kept(twice.db, twice.base) == once


@pytest.mark.parametrize("method", BY_REQUEST_ID)
async def test_a_repeat_is_answered_alike_and_another_request_is_refused(shop: list[Any], method: str) -> None:
    """Byte for byte; and one request_id is one request."""
    prepared, change = REQUESTS[method]
    call = next(getattr(client, method) for client in shop if hasattr(client, method))
    request = type(prepared)()
    request.CopyFrom(prepared)
    request.request_id = str(uuid.uuid4())
    first = await call(request)
    again = await call(request)
    assert again.SerializeToString(deterministic=True) == first.SerializeToString(deterministic=True)
    change(request)
    with pytest.raises(AioRpcError) as reused:
        await call(request)
    assert reused.value.code() is grpc.StatusCode.ALREADY_EXISTS
