"""A payment whose process ends at any moment: asked again, it is one payment."""

import asyncio
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import grpc
import pytest
from google.type.money_pb2 import Money
from grpc.aio import AioRpcError

from protomesh.runtime import User
from protomesh.runtime.store import Database, Transaction
from protomesh.testing.database import Databases
from protomesh.testing.serving import serving
from services.payments.bank import LocalBank
from services.payments.cards import Operation
from services.payments.service import Payments
from shop.payments.v1 import (
    AuthorizePaymentRequest,
    CapturePaymentRequest,
    Payment,
    PaymentsServiceStub,
    RefundPaymentRequest,
)
from tests.services.workers import SOON, worker

GOOD, LATE, LATE_CHARGE, LATE_RETURN = "4000000000000101", "4000000000000408", "4000000000000416", "4000000000000424"
ALICE = User("alice")
PATIENCE = timedelta(seconds=10)

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


class Crash(Exception):  # noqa: N818 - it is what happens
    """The process ends here."""


class Faults:
    """Ends the process once, at the n-th point that it comes by."""

    def __init__(self) -> None:
        self._left = 0
        self.crashed = True

    def at(self, point: int) -> None:
        """Ends it there."""
        self._left = point
        self.crashed = False

    def point(self) -> None:
        """Comes by one."""
        self._left -= 1
        if self._left < 0 and not self.crashed:
            self.crashed = True
            raise Crash


class FaultyDatabase(Database):
    """A database whose process may end around every commit."""

    faults: Faults

    @asynccontextmanager
    async def begin(self) -> AsyncGenerator[Transaction]:
        self.faults.point()
        async with super().begin() as tx:
            yield tx
            self.faults.point()
        self.faults.point()


class FaultyBank(LocalBank):
    """A bank that is sound; who asks it may end before the question arrives, or before the answer does."""

    faults: Faults

    async def authorize(self, key: str, amount: Money, card_number: str) -> None:
        self.faults.point()
        await super().authorize(key, amount, card_number)
        self.faults.point()

    async def capture(self, key: str) -> None:
        self.faults.point()
        await super().capture(key)
        self.faults.point()

    async def release(self, key: str) -> None:
        self.faults.point()
        await super().release(key)
        self.faults.point()

    async def refund(self, key: str) -> None:
        self.faults.point()
        await super().refund(key)
        self.faults.point()


def new_id() -> str:
    """A request's."""
    return str(uuid.uuid4())


def authorize(card_number: str = GOOD) -> AuthorizePaymentRequest:
    """A new request for a payment."""
    money = Money(currency_code="EUR", units=5)
    return AuthorizePaymentRequest(request_id=new_id(), order_id="order-1", amount=money, card_number=card_number)


async def insisting(faults: Faults, method: Callable[[RequestT], Awaitable[ResponseT]], request: RequestT) -> ResponseT:
    """The answer to a call that is repeated if the process ended."""
    before = faults.crashed
    try:
        return await method(request)
    except AioRpcError:
        assert faults.crashed != before
        return await method(request)


@pytest.mark.parametrize("charged", [pytest.param(True, id="charged"), pytest.param(False, id="held")])
async def test_a_crash_at_any_point_is_one_payment(
    database: Databases, tmp_path: Path, now: Callable[[], datetime], *, charged: bool
) -> None:
    """Each call is repeated after the crash; the ledger has what was asked for, once."""
    faults = Faults()
    db = FaultyDatabase(database.url("services.payments"), patience=PATIENCE)
    bank = FaultyBank(tmp_path / "ledger", now)
    db.faults = bank.faults = faults
    async with db, serving(Payments(db, bank, now, PATIENCE), PaymentsServiceStub, user=ALICE) as payments:
        point, crashed = 0, True
        while crashed:
            faults.at(point)
            authorizing = authorize()
            capturing = CapturePaymentRequest(request_id=new_id(), payment_id=authorizing.request_id)
            refunding = RefundPaymentRequest(request_id=new_id(), payment_id=authorizing.request_id)
            held = await insisting(faults, payments.AuthorizePayment, authorizing)
            assert held.payment.state == Payment.STATE_AUTHORIZED
            if charged:
                paid = await insisting(faults, payments.CapturePayment, capturing)
                assert paid.payment.state == Payment.STATE_CAPTURED
            back = await insisting(faults, payments.RefundPayment, refunding)
            assert back.payment.state == (Payment.STATE_REFUNDED if charged else Payment.STATE_RELEASED)
            done = [entry.operation for entry in bank.entries() if entry.key == authorizing.request_id]
            ways = [Operation.CAPTURE, Operation.REFUND] if charged else [Operation.RELEASE]
            assert done == [Operation.AUTHORIZE, *ways]
            point, crashed = point + 1, faults.crashed
    assert point >= (20 if charged else 15)


async def killed_in(
    folder: Path, operation: Operation, call: Callable[[PaymentsServiceStub], Awaitable[object]]
) -> None:
    """Makes a call whose answer is late, and kills the worker when the bank has done it, and only the bank knows."""
    bank = LocalBank(folder / "data" / "provider-ledger.sqlite", lambda: datetime.now(UTC))

    async def made(payments: PaymentsServiceStub) -> None:
        await call(payments)

    async with worker("payments", PaymentsServiceStub, folder / "data", ALICE, PROVIDER_TIMEOUT="60s") as (
        process,
        payments,
    ):
        asking = asyncio.create_task(made(payments))
        async with asyncio.timeout(SOON):
            while operation not in {entry.operation for entry in bank.entries()}:
                assert not asking.done()
                await asyncio.sleep(0.01)
        process.kill()
        with pytest.raises(AioRpcError) as gone:
            await asking
        assert gone.value.code() is grpc.StatusCode.UNAVAILABLE


@pytest.mark.parametrize(
    ("card_number", "late"),
    [(LATE, Operation.AUTHORIZE), (LATE_CHARGE, Operation.CAPTURE), (LATE_RETURN, Operation.REFUND)],
)
async def test_a_worker_that_is_killed_while_it_asks_charges_once(
    tmp_path: Path, card_number: str, late: Operation
) -> None:
    """With SIGKILL, after the bank has done it and before anybody knows; the next worker finds out."""
    authorizing = authorize(card_number)
    capturing = CapturePaymentRequest(request_id=new_id(), payment_id=authorizing.request_id)
    refunding = RefundPaymentRequest(request_id=new_id(), payment_id=authorizing.request_id)

    async def story(payments: PaymentsServiceStub) -> Payment:
        await payments.AuthorizePayment(authorizing)
        await payments.CapturePayment(capturing)
        return (await payments.RefundPayment(refunding)).payment

    await killed_in(tmp_path, late, story)
    async with worker("payments", PaymentsServiceStub, tmp_path / "data", ALICE) as (_, payments):
        assert (await story(payments)).state == Payment.STATE_REFUNDED
    bank = LocalBank(tmp_path / "data" / "provider-ledger.sqlite", lambda: datetime.now(UTC))
    assert [entry.operation for entry in bank.entries()] == [
        Operation.AUTHORIZE,
        Operation.CAPTURE,
        Operation.REFUND,
    ]
