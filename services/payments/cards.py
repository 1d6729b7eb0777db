"""The cards that the local provider knows, and what each of them shows. None is anybody's."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from services.payments.domain import DeclineReason

__all__ = ["CARDS", "Card", "Operation"]


class Operation(Enum):
    """What a provider is asked for."""

    AUTHORIZE = "authorize"
    CAPTURE = "capture"
    RELEASE = "release"
    REFUND = "refund"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """How the provider behaves for one card."""

    number: str
    does: str  # for people
    refuses: Mapping[Operation, DeclineReason] = field(default_factory=dict[Operation, DeclineReason])
    silent: frozenset[Operation] = frozenset()  # does nothing and never answers
    late: frozenset[Operation] = frozenset()  # does it and never answers; a repeat is answered at once


CARDS: Mapping[str, Card] = {
    card.number: card
    for card in (
        Card(number="4000000000000101", does="approves everything"),
        Card(
            number="4000000000000200",
            does="has too little money",
            refuses={Operation.AUTHORIZE: DeclineReason.INSUFFICIENT_FUNDS},
        ),
        Card(
            number="4000000000000218",
            does="is refused by its bank",
            refuses={Operation.AUTHORIZE: DeclineReason.CARD_REFUSED},
        ),
        Card(
            number="4000000000000226",
            does="is good when asked, and refused when charged",
            refuses={Operation.CAPTURE: DeclineReason.CARD_REFUSED},
        ),
        Card(
            number="4000000000000309",
            does="times out: holds nothing, never answers",
            silent=frozenset({Operation.AUTHORIZE}),
        ),
        Card(
            number="4000000000000408",
            does="answers late: holds the amount, a repeat finds it",
            late=frozenset({Operation.AUTHORIZE}),
        ),
        Card(
            number="4000000000000416",
            does="charges and answers late, a repeat finds it",
            late=frozenset({Operation.CAPTURE}),
        ),
        Card(
            number="4000000000000424",
            does="gives back and answers late, a repeat finds it",
            late=frozenset({Operation.RELEASE, Operation.REFUND}),
        ),
    )
}
