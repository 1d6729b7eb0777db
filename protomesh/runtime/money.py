"""Arithmetic over google.type.Money: exact, in one currency at a time, never in floats.

Pure functions: what they are given stays as it is, what they return is a new message whose nanos are below one unit
and have the sign of its units (https://github.com/googleapis/googleapis/blob/master/google/type/money.proto). Amounts
that break that rule are read as the sum of both fields, so that nothing is lost on the way in.

    total = add(price, times(shipping, 3))
    if compare(total, limit) > 0:
        ...
"""

from google.type.money_pb2 import Money

__all__ = ["CurrencyMismatch", "add", "compare", "normalized", "subtract", "times"]

_NANOS = 1_000_000_000  # in one unit
_LARGEST_UNITS = 2**63 - 1  # int64 has one more below zero, which could not be negated


class CurrencyMismatch(ValueError):  # noqa: N818 - it names what is wrong with the amounts
    """Two amounts of different currencies were to be added or compared. There is no rate here."""

    def __init__(self, expected: str, found: str) -> None:
        super().__init__(f"{found or 'no currency'} can't be reckoned with {expected or 'no currency'}")
        self.expected = expected  # the first amount's ISO 4217 code
        self.found = found  # the other's


def add(one: Money, other: Money) -> Money:
    """The sum.

    Raises:
        CurrencyMismatch: The currencies differ.
        OverflowError: The sum has more units than the message can carry.
    """
    _check(one, other)
    return _money(one.currency_code, _nanos(one) + _nanos(other))


def subtract(one: Money, other: Money) -> Money:
    """What is left of `one`; negative if `other` is more.

    Raises:
        CurrencyMismatch: The currencies differ.
        OverflowError: The difference has more units than the message can carry.
    """
    _check(one, other)
    return _money(one.currency_code, _nanos(one) - _nanos(other))


def times(amount: Money, quantity: int) -> Money:
    """The amount, `quantity` times.

    Raises:
        TypeError: `quantity` is no whole number.
        OverflowError: The product has more units than the message can carry.
    """
    # A float would be taken without a word, and a bool is somebody's mistake.
    if not isinstance(quantity, int) or isinstance(quantity, bool):
        raise TypeError(f"an amount is multiplied by a whole number, not by {quantity!r}")
    return _money(amount.currency_code, _nanos(amount) * quantity)


def compare(one: Money, other: Money) -> int:
    """-1 if `one` is less than `other`, 0 if they are equal, 1 if it is more.

    Raises:
        CurrencyMismatch: The currencies differ. Not even two zeros can be compared then.
    """
    _check(one, other)
    mine, theirs = _nanos(one), _nanos(other)
    return (mine > theirs) - (mine < theirs)


def normalized(amount: Money) -> Money:
    """The same amount with nanos below one unit and one sign: what two equal amounts have in common, byte for byte.

    Raises:
        OverflowError: It has more units than the message can carry.
    """
    return _money(amount.currency_code, _nanos(amount))


def _check(one: Money, other: Money) -> None:
    if one.currency_code != other.currency_code:
        raise CurrencyMismatch(one.currency_code, other.currency_code)


def _nanos(amount: Money) -> int:
    return int(amount.units) * _NANOS + int(amount.nanos)


def _money(currency_code: str, nanos: int) -> Money:
    units, rest = divmod(abs(nanos), _NANOS)
    if units > _LARGEST_UNITS:
        raise OverflowError(f"{units} units of {currency_code or 'no currency'} are more than Money can carry")
    sign = -1 if nanos < 0 else 1
    return Money(currency_code=currency_code, units=sign * units, nanos=sign * rest)
