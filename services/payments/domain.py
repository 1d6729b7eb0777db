"""What may happen to a payment, and what the provider is to be asked next.

Whatever moves money is written down before the provider is asked and again when it has answered. A payment that a
crash left in between says what was asked, and is asked about again.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from google.type.money_pb2 import Money

__all__ = ["Answer", "DeclineReason", "Payment", "PaymentState", "last_four"]


class PaymentState(Enum):
    """How far the money is."""

    AUTHORIZING = "authorizing"  # the provider is asked
    AUTHORIZED = "authorized"
    DECLINED = "declined"
    CAPTURING = "capturing"  # the provider is asked
    CAPTURED = "captured"
    RELEASING = "releasing"  # the provider is asked
    RELEASED = "released"
    REFUNDING = "refunding"  # the provider is asked
    REFUNDED = "refunded"


class DeclineReason(Enum):
    """Why a provider refuses."""

    INSUFFICIENT_FUNDS = "insufficient_funds"
    CARD_REFUSED = "card_refused"
    UNKNOWN_CARD = "unknown_card"


# What each question makes of the payment when the provider does it.
_DONE = {
    PaymentState.AUTHORIZING: PaymentState.AUTHORIZED,
    PaymentState.CAPTURING: PaymentState.CAPTURED,
    PaymentState.RELEASING: PaymentState.RELEASED,
    PaymentState.REFUNDING: PaymentState.REFUNDED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the provider said to one question."""

    asked: PaymentState  # the state in which the payment was when it was asked
    declined: DeclineReason | None = None  # None if it was done


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """What one order costs somebody. Changes make a new one."""

    payment_id: str
    payer: str  # the subject of the user's token
    order_id: str
    state: PaymentState
    amount: Money
    card_last_four: str
    decline_reason: DeclineReason | None = None
    create_time: datetime
    update_time: datetime

    @property
    def pending(self) -> bool:
        """Whether the provider is to be asked: for the first time or, after a crash, once more."""
        return self.state in _DONE

    @property
    def declined(self) -> bool:
        """Whether the provider refused it."""
        return self.state is PaymentState.DECLINED

    @property
    def given_up(self) -> bool:
        """Whether it was let go: whoever still wants it authorized is too late."""
        return self.state in {PaymentState.RELEASING, PaymentState.RELEASED}

    def asks_the_same(self, other: "Payment") -> bool:
        """Whether both are for the same money from the same person, as far as what is kept can tell."""
        return (self.payer, self.order_id, self.amount, self.card_last_four) == (
            other.payer,
            other.order_id,
            other.amount,
            other.card_last_four,
        )

    def capturing(self, now: datetime) -> "Payment | None":
        """The payment on its way to be captured, or where that has led; None if nothing is held to capture."""
        if self.state is PaymentState.AUTHORIZED:
            return replace(self, state=PaymentState.CAPTURING, update_time=now)
        led = {PaymentState.CAPTURING, PaymentState.CAPTURED, PaymentState.DECLINED}
        return self if self.state in led else None

    def giving_back(self, now: datetime) -> "Payment":
        """The payment one question nearer to where nothing is held and nothing charged; itself if it is there.

        One that is being captured stays: only the provider knows what there is to give back.
        """
        if self.state in {PaymentState.AUTHORIZING, PaymentState.AUTHORIZED}:
            return replace(self, state=PaymentState.RELEASING, update_time=now)
        if self.state is PaymentState.CAPTURED:
            return replace(self, state=PaymentState.REFUNDING, update_time=now)
        return self

    def lapsing(self, now: datetime, lifetime: timedelta) -> "Payment":
        """The payment on its way to be let go, if something is held for longer than that and nobody has come for it."""
        if self.state in {PaymentState.AUTHORIZING, PaymentState.AUTHORIZED} and self.update_time < now - lifetime:
            return replace(self, state=PaymentState.RELEASING, update_time=now)
        return self

    def told(self, answer: Answer, now: datetime) -> "Payment":
        """The payment after the provider's answer; itself if it has moved on since the question."""
        if self.state is not answer.asked or not self.pending:
            return self
        if answer.declined is not None:
            return replace(self, state=PaymentState.DECLINED, decline_reason=answer.declined, update_time=now)
        return replace(self, state=_DONE[self.state], update_time=now)


def last_four(card_number: str) -> str:
    """All of a card's number that may be kept."""
    return card_number[-4:]
