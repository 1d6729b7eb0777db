"""What is held for too long is let go."""

import asyncio
import uuid
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest
from google.type.money_pb2 import Money
from grpc.aio import AioRpcError

from protomesh.runtime import InvalidSettings, User
from protomesh.runtime.store import Database
from protomesh.testing.database import Databases
from protomesh.testing.serving import serving
from services.payments.app import PaymentsSettings
from services.payments.bank import LocalBank
from services.payments.lapsing import Lapsing
from services.payments.service import Payments
from shop.payments.v1 import (
    AuthorizePaymentRequest,
    CapturePaymentRequest,
    GetPaymentRequest,
    Payment,
    PaymentNotCapturable,
    PaymentsServiceStub,
    RefundPaymentRequest,
)
from tests.services.clock import Clock

GOOD, SILENT, LATE_RETURN = "4000000000000101", "4000000000000309", "4000000000000424"
LIFETIME, PATIENCE = timedelta(days=7), timedelta(seconds=10)  # a busy machine's disk is slow
LONGER, AGAIN = LIFETIME + timedelta(seconds=1), timedelta(minutes=10, seconds=1)
hasty = pytest.mark.parametrize("patience", [timedelta(seconds=1)], ids=["hasty"])  # where the provider is silent


@pytest.fixture
def clock() -> Clock:
    """The time."""
    return Clock()


@pytest.fixture
async def db(database: Databases) -> Database:
    """A database without payments."""
    return await database("services.payments")


@pytest.fixture
def bank(tmp_path: Path, clock: Clock) -> LocalBank:
    """A bank with empty books."""
    return LocalBank(tmp_path / "ledger", clock)


@pytest.fixture
def patience() -> timedelta:
    """How long the provider may take."""
    return PATIENCE


@pytest.fixture
def lapsing(db: Database, bank: LocalBank, clock: Clock, patience: timedelta) -> Lapsing:
    """The job."""
    return Lapsing(db, bank, clock, patience=patience, lifetime=LIFETIME)


@pytest.fixture
async def payments(
    db: Database, bank: LocalBank, clock: Clock, patience: timedelta
) -> AsyncGenerator[PaymentsServiceStub]:
    """A client of the payments, for Alice."""
    async with serving(Payments(db, bank, clock, patience), PaymentsServiceStub, user=User("alice")) as client:
        yield client


def authorize(card_number: str = GOOD) -> AuthorizePaymentRequest:
    """A new request for a payment."""
    amount = Money(currency_code="EUR", units=5)
    return AuthorizePaymentRequest(
        request_id=str(uuid.uuid4()), order_id="order-1", amount=amount, card_number=card_number
    )


async def held(payments: PaymentsServiceStub, card_number: str = GOOD) -> str:
    """The id of a new payment."""
    return (await payments.AuthorizePayment(authorize(card_number))).payment.payment_id


def capture(payment_id: str) -> CapturePaymentRequest:
    """A new request to charge."""
    return CapturePaymentRequest(request_id=str(uuid.uuid4()), payment_id=payment_id)


async def state_of(payments: PaymentsServiceStub, payment_id: str) -> Payment.State.ValueType:
    """How far a payment is."""
    return (await payments.GetPayment(GetPaymentRequest(payment_id=payment_id))).payment.state


def done(bank: LocalBank, payment_id: str) -> list[str]:
    """What the bank did for a payment."""
    return [entry.operation.value for entry in bank.entries() if entry.key == payment_id]


async def test_what_nobody_came_for_is_let_go(
    payments: PaymentsServiceStub, lapsing: Lapsing, bank: LocalBank, clock: Clock
) -> None:
    """And can't be captured any more; what is charged, and what is young, stays as it is."""
    old, charged = await held(payments), await held(payments)
    await payments.CapturePayment(capture(charged))
    clock.advance(LONGER)
    young = await held(payments)
    await lapsing.release()
    await lapsing.release()
    assert await state_of(payments, old) == Payment.STATE_RELEASED
    assert done(bank, old) == ["authorize", "release"]
    assert await state_of(payments, charged) == Payment.STATE_CAPTURED
    assert done(bank, charged) == ["authorize", "capture"]
    assert await state_of(payments, young) == Payment.STATE_AUTHORIZED
    with pytest.raises(PaymentNotCapturable):
        await payments.CapturePayment(capture(old))
    await payments.CapturePayment(capture(young))


async def test_nothing_is_let_go_before_its_time(payments: PaymentsServiceStub, lapsing: Lapsing, clock: Clock) -> None:
    """It is held for as long as the settings say."""
    payment_id = await held(payments)
    clock.advance(LIFETIME)
    await lapsing.release()
    assert await state_of(payments, payment_id) == Payment.STATE_AUTHORIZED


@hasty
async def test_what_may_be_held_is_let_go(
    payments: PaymentsServiceStub, lapsing: Lapsing, bank: LocalBank, clock: Clock
) -> None:
    """The provider never said, and the caller never came back; the key holds nothing from then on."""
    request = authorize(SILENT)
    with pytest.raises(AioRpcError):
        await payments.AuthorizePayment(request)
    assert await state_of(payments, request.request_id) == Payment.STATE_AUTHORIZING
    clock.advance(LONGER)
    await lapsing.release()
    assert await state_of(payments, request.request_id) == Payment.STATE_RELEASED
    assert done(bank, request.request_id) == ["release"]


@hasty
async def test_what_was_being_let_go_is_brought_to_its_end(
    payments: PaymentsServiceStub, lapsing: Lapsing, bank: LocalBank, clock: Clock
) -> None:
    """Its caller asked once, and did not ask again."""
    payment_id = await held(payments, LATE_RETURN)
    with pytest.raises(AioRpcError):
        await payments.RefundPayment(RefundPaymentRequest(request_id=str(uuid.uuid4()), payment_id=payment_id))
    clock.advance(timedelta(minutes=10))
    await lapsing.release()
    assert await state_of(payments, payment_id) == Payment.STATE_RELEASING
    clock.advance(AGAIN)
    await lapsing.release()
    assert await state_of(payments, payment_id) == Payment.STATE_RELEASED
    assert done(bank, payment_id) == ["authorize", "release"]


@hasty
async def test_a_provider_that_does_not_answer_for_one_holds_up_no_other(
    payments: PaymentsServiceStub, lapsing: Lapsing, bank: LocalBank, clock: Clock
) -> None:
    """That one is asked about again, after a while."""
    late = await held(payments, LATE_RETURN)
    clock.advance(timedelta(seconds=1))
    other = await held(payments)
    clock.advance(LONGER)
    await lapsing.release()
    assert await state_of(payments, late) == Payment.STATE_RELEASING
    assert await state_of(payments, other) == Payment.STATE_RELEASED
    clock.advance(AGAIN)
    await lapsing.release()
    assert await state_of(payments, late) == Payment.STATE_RELEASED
    assert done(bank, late) == ["authorize", "release"]


async def test_of_a_charge_and_a_lapse_at_once_one_happens(
    payments: PaymentsServiceStub, lapsing: Lapsing, bank: LocalBank, clock: Clock
) -> None:
    """On two workers, say: whoever is told that it is charged can rely on it."""
    for _ in range(5):
        payment_id = await held(payments)
        clock.advance(LONGER)
        charge, _, _ = await asyncio.gather(
            payments.CapturePayment(capture(payment_id)), lapsing.release(), lapsing.release(), return_exceptions=True
        )
        if isinstance(charge, PaymentNotCapturable):
            assert done(bank, payment_id) == ["authorize", "release"]
        else:
            assert not isinstance(charge, BaseException)
            assert done(bank, payment_id) == ["authorize", "capture"]


def test_a_time_in_which_nothing_could_be_captured_is_refused() -> None:
    """By its variable's name."""
    with pytest.raises(InvalidSettings, match="AUTHORIZATION_LIFETIME"):
        PaymentsSettings(authorization_lifetime=timedelta(seconds=59))
