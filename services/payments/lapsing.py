"""Payments that hold an amount for which nobody has come."""

from collections.abc import Callable
from datetime import datetime, timedelta

import structlog

from protomesh.runtime import StatusError
from protomesh.runtime.store import Database
from services.payments import store
from services.payments.asking import ask
from services.payments.domain import Answer, PaymentState
from services.payments.provider import PaymentProvider

__all__ = ["Lapsing"]

_AT_ONCE = 50  # payments that one run lets go
_AGAIN = timedelta(minutes=10)  # when the provider is asked again; whoever wants to know has done so by then

_log = structlog.get_logger(__name__)


class Lapsing:
    """Lets go of what payments have held for longer than `lifetime`. The provider has `patience` to say that it did.

    That is for callers that never come back: one that gives a payment up says so. What is charged stays charged.
    """

    def __init__(
        self,
        db: Database,
        provider: PaymentProvider,
        now: Callable[[], datetime],
        *,
        patience: timedelta,
        lifetime: timedelta,
    ) -> None:
        self._db = db
        self._provider = provider
        self._now = now
        self._patience = patience
        self._lifetime = lifetime

    async def release(self) -> None:
        """Lets go of the oldest, and asks again about what was to be let go, and has not been for ten minutes."""
        async with self._db.read() as tx:
            now = self._now()
            old = await store.left_behind(tx, held=now - self._lifetime, releasing=now - _AGAIN, limit=_AT_ONCE)
        for payment_id in old:
            try:
                await self._release(payment_id)
            except StatusError as error:
                _log.warning("an amount is still held", payment_id=payment_id, reason=str(error))

    async def _release(self, payment_id: str) -> None:
        answer: Answer | None = None
        while True:
            async with self._db.begin() as tx:
                found = await store.payment_of(tx, payment_id)
                assert found is not None  # payments are never removed
                now = self._now()
                payment = (found if answer is None else found.told(answer, now)).lapsing(now, self._lifetime)
                await store.put_payment(tx, payment)
            if payment.state is not PaymentState.RELEASING:
                break  # somebody has come for it after all, or nothing is held any more
            answer = await ask(self._provider, payment, self._patience)
        _log.info("payment", payment_id=payment_id, order_id=payment.order_id, state=payment.state.value)
