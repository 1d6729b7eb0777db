"""What moves the money: a card network's door, a bank, or the local provider of `bank.py`.

Exception
├── Declined               it refuses, and asking again changes nothing
└── ProviderUnavailable    it did not say; what it did is not known, and asking again with the same key finds out
"""

from typing import Protocol

from google.type.money_pb2 import Money

from services.payments.domain import DeclineReason

__all__ = ["Declined", "PaymentProvider", "ProviderUnavailable"]


class Declined(Exception):  # noqa: N818 - it says what happened
    """The provider refuses. Nothing is held and nothing is charged."""

    def __init__(self, reason: DeclineReason) -> None:
        super().__init__(reason.value)
        self.reason = reason


class ProviderUnavailable(Exception):  # noqa: N818 - likewise
    """The provider could not be reached, or broke off."""


class PaymentProvider(Protocol):
    """Holds, charges and gives back money.

    `key` names one payment, for ever. What was done for a key is not done again: a repeat is answered as the first
    was, however long ago and by whomever. Calls may take as long as they like; the caller sets the limit, and
    cancelling one says nothing about what the provider did.
    """

    async def authorize(self, key: str, amount: Money, card_number: str) -> None:
        """Holds an amount on a card.

        Raises:
            Declined: It refuses, or the key was released before.
            ProviderUnavailable: It is not known whether the amount is held.
        """
        ...

    async def capture(self, key: str) -> None:
        """Charges what is held.

        Raises:
            Declined: It refuses, and holds nothing any more.
            ProviderUnavailable: It is not known whether the amount is charged.
        """
        ...

    async def release(self, key: str) -> None:
        """Lets go of what is held. From then on the key holds nothing, also if `authorize` arrives after this.

        Raises:
            ProviderUnavailable: It is not known whether the amount is still held.
        """
        ...

    async def refund(self, key: str) -> None:
        """Pays back what was charged.

        Raises:
            ProviderUnavailable: It is not known whether it is paid back.
        """
        ...
