"""PaymentsService: payments as their contract has them."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Protocol, TypeVar

import structlog

from protomesh.runtime import Context
from protomesh.runtime.money import normalized
from protomesh.runtime.store import Database, IdentifiedRequest, RequestIdReused, Transaction, remember, replayed
from protomesh.runtime.timestamps import timestamp
from services.payments import domain, store
from services.payments.asking import ask
from services.payments.provider import PaymentProvider
from shop.payments.v1 import (
    AuthorizePaymentRequest,
    AuthorizePaymentResponse,
    CapturePaymentRequest,
    CapturePaymentResponse,
    DeclineReason,
    GetPaymentRequest,
    GetPaymentResponse,
    Payment,
    PaymentClosed,
    PaymentDeclined,
    PaymentNotCapturable,
    PaymentNotFound,
    PaymentsServiceServicer,
    RefundPaymentRequest,
    RefundPaymentResponse,
)

__all__ = ["Payments"]

_STATES = {
    domain.PaymentState.AUTHORIZING: Payment.STATE_AUTHORIZING,
    domain.PaymentState.AUTHORIZED: Payment.STATE_AUTHORIZED,
    domain.PaymentState.DECLINED: Payment.STATE_DECLINED,
    domain.PaymentState.CAPTURING: Payment.STATE_CAPTURING,
    domain.PaymentState.CAPTURED: Payment.STATE_CAPTURED,
    domain.PaymentState.RELEASING: Payment.STATE_RELEASING,
    domain.PaymentState.RELEASED: Payment.STATE_RELEASED,
    domain.PaymentState.REFUNDING: Payment.STATE_REFUNDING,
    domain.PaymentState.REFUNDED: Payment.STATE_REFUNDED,
}
_REASONS = {
    None: DeclineReason.DECLINE_REASON_UNSPECIFIED,
    domain.DeclineReason.INSUFFICIENT_FUNDS: DeclineReason.DECLINE_REASON_INSUFFICIENT_FUNDS,
    domain.DeclineReason.CARD_REFUSED: DeclineReason.DECLINE_REASON_CARD_REFUSED,
    domain.DeclineReason.UNKNOWN_CARD: DeclineReason.DECLINE_REASON_UNKNOWN_CARD,
}

_log = structlog.get_logger(__name__)

ResponseT = TypeVar("ResponseT", AuthorizePaymentResponse, CapturePaymentResponse, RefundPaymentResponse)
Step = Callable[[Transaction], Awaitable[domain.Payment]]


class Payments(PaymentsServiceServicer):
    """Keeps the payments of one database. The provider has the money, and `patience` to say what became of it.

    No transaction is open while the provider is asked: what will be asked is committed before, the answer after. A
    crash in between leaves a payment that says so, and a repeat asks again with the same key.
    """

    def __init__(
        self, db: Database, provider: PaymentProvider, now: Callable[[], datetime], patience: timedelta
    ) -> None:
        self._db = db
        self._provider = provider
        self._now = now
        self._patience = patience

    async def AuthorizePayment(self, request: AuthorizePaymentRequest, context: Context, /) -> AuthorizePaymentResponse:
        payer = context.require_user().subject
        now = self._now()
        asked = domain.Payment(
            payment_id=request.request_id,
            payer=payer,
            order_id=request.order_id,
            state=domain.PaymentState.AUTHORIZING,
            amount=normalized(request.amount),
            card_last_four=domain.last_four(request.card_number),
            create_time=now,
            update_time=now,
        )

        async def find(tx: Transaction) -> domain.Payment:
            found = await store.payment_of(tx, asked.payment_id)
            if found is None and await store.is_closed(tx, asked.payment_id):
                raise PaymentClosed(payment_id=asked.payment_id)
            if found is not None and not found.asks_the_same(asked):
                raise RequestIdReused(request.request_id)
            return found or asked

        def step(payment: domain.Payment) -> domain.Payment:
            if payment.given_up:
                raise PaymentClosed(payment_id=payment.payment_id)
            return payment

        # What is kept of a request is kept without the card's number, be it as a hash: there are too few numbers.
        kept = AuthorizePaymentRequest()
        kept.CopyFrom(request)
        kept.card_number = asked.card_last_four
        return await self._carry_out(kept, AuthorizePaymentResponse, find, step, card_number=request.card_number)

    async def CapturePayment(self, request: CapturePaymentRequest, context: Context, /) -> CapturePaymentResponse:
        def step(payment: domain.Payment) -> domain.Payment:
            capturing = payment.capturing(self._now())
            if capturing is None:
                raise PaymentNotCapturable(payment_id=payment.payment_id, state=_STATES[payment.state])
            return capturing

        return await self._carry_out(request, CapturePaymentResponse, self._finding(request, context), step)

    async def RefundPayment(self, request: RefundPaymentRequest, context: Context, /) -> RefundPaymentResponse:
        async with self._db.begin() as tx:
            unknown = await store.payment_of(tx, request.payment_id) is None
            if unknown:
                await store.close(tx, request.payment_id, self._now())
        if unknown:
            raise PaymentNotFound(payment_id=request.payment_id)
        return await self._carry_out(
            request,
            RefundPaymentResponse,
            self._finding(request, context),
            lambda payment: payment.giving_back(self._now()),
            declining=True,
        )

    async def GetPayment(self, request: GetPaymentRequest, context: Context, /) -> GetPaymentResponse:
        async with self._db.read() as tx:
            return GetPaymentResponse(payment=_message(await self._finding(request, context)(tx)))

    def _finding(self, request: "_OfPayment", context: Context) -> Step:
        """Reads the payment that a request is about. A user has their own only; a service on nobody's behalf, any."""

        async def find(tx: Transaction) -> domain.Payment:
            payment = await store.payment_of(tx, request.payment_id)
            if payment is None or (context.user is not None and context.user.subject != payment.payer):
                raise PaymentNotFound(payment_id=request.payment_id)
            return payment

        return find

    async def _carry_out(
        self,
        request: IdentifiedRequest,
        response: type[ResponseT],
        find: Step,
        step: Callable[[domain.Payment], domain.Payment],
        *,
        card_number: str = "",
        declining: bool = False,
    ) -> ResponseT:
        """Takes a payment step by step to where the provider need not be asked any more, and keeps that as the answer.

        A refusal is an answer if `declining`; otherwise it is the caller's error, told again to every repeat.
        """
        answer: domain.Answer | None = None
        while True:
            async with self._db.begin() as tx:
                found = await find(tx)
                if done := await replayed(tx, request, response):
                    return done
                payment = step(found if answer is None else found.told(answer, self._now()))
                await store.put_payment(tx, payment)
                if not payment.pending and (declining or not payment.declined):
                    done = await remember(tx, request, response(payment=_message(payment)))
            _log.info("payment", payment_id=payment.payment_id, order_id=payment.order_id, state=payment.state.value)
            if done is not None:
                return done
            if payment.declined:
                raise PaymentDeclined(payment_id=payment.payment_id, reason=_REASONS[payment.decline_reason])
            answer = await ask(self._provider, payment, self._patience, card_number=card_number)


class _OfPayment(Protocol):
    """A request about one payment."""

    @property
    def payment_id(self) -> str: ...


def _message(payment: domain.Payment) -> Payment:
    return Payment(
        payment_id=payment.payment_id,
        order_id=payment.order_id,
        state=_STATES[payment.state],
        amount=payment.amount,
        card_last_four=payment.card_last_four,
        decline_reason=_REASONS[payment.decline_reason],
        create_time=timestamp(payment.create_time),
        update_time=timestamp(payment.update_time),
    )
