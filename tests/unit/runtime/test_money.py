import itertools
from fractions import Fraction

import pytest
from google.type.money_pb2 import Money
from hypothesis import given
from hypothesis import strategies as st

from protomesh.runtime.money import CurrencyMismatch, add, compare, normalized, subtract, times

NANOS = 1_000_000_000
LARGEST = 2**63 - 1

# Any message, also one whose fields have two signs or too many nanos, in bounds whose sums and products fit.
amounts = st.builds(
    Money, currency_code=st.just("EUR"), units=st.integers(-(10**12), 10**12), nanos=st.integers(-(2**31), 2**31 - 1)
)


def value(amount: Money) -> Fraction:
    """What a message says, exactly."""
    return Fraction(amount.units) + Fraction(amount.nanos, NANOS)


def well_formed(amount: Money) -> bool:
    """Whether a message is as google.type.Money demands."""
    units, nanos = int(amount.units), int(amount.nanos)
    return abs(nanos) < NANOS and units * nanos >= 0


@given(amounts, amounts)
def test_sums_and_differences_are_exact(one: Money, other: Money) -> None:
    """To the billionth, across zero, and well-formed whatever came in."""
    total, rest = add(one, other), subtract(one, other)
    assert (value(total), value(rest)) == (value(one) + value(other), value(one) - value(other))
    assert well_formed(total)
    assert well_formed(rest)
    assert total.currency_code == rest.currency_code == "EUR"


@given(amounts, st.integers(-1000, 1000))
def test_products_are_exact(amount: Money, quantity: int) -> None:
    """To the billionth."""
    product = times(amount, quantity)
    assert value(product) == value(amount) * quantity
    assert well_formed(product)


@given(amounts, st.integers(0, 20))
def test_a_product_is_the_sum_of_its_parts(amount: Money, quantity: int) -> None:
    """So a line of three costs what three lines of one cost."""
    total = Money(currency_code="EUR")
    for _ in range(quantity):
        total = add(total, amount)
    assert times(amount, quantity) == total


@given(amounts, amounts, amounts)
def test_the_order_of_a_sum_does_not_matter(one: Money, other: Money, third: Money) -> None:
    """Byte for byte, which floats would not give."""
    sums = {
        add(add(first, second), last).SerializeToString(deterministic=True)
        for first, second, last in itertools.permutations((one, other, third))
    }
    assert len(sums) == 1


@given(amounts, amounts)
def test_what_is_taken_away_is_what_was_added(one: Money, other: Money) -> None:
    """Up to the form of the message."""
    assert subtract(add(one, other), other) == normalized(one)


@given(amounts, amounts)
def test_amounts_compare_as_their_values_do(one: Money, other: Money) -> None:
    """And the other way round with the other sign."""
    expected = (value(one) > value(other)) - (value(one) < value(other))
    assert compare(one, other) == expected
    assert compare(other, one) == -expected


@given(amounts)
def test_a_normalized_amount_is_worth_the_same_and_stays_as_it_is(amount: Money) -> None:
    """And what was given is not changed."""
    before = amount.SerializeToString(deterministic=True)
    once = normalized(amount)
    assert value(once) == value(amount)
    assert well_formed(once)
    assert normalized(once) == once
    assert amount.SerializeToString(deterministic=True) == before


@given(amounts)
def test_the_two_forms_of_one_amount_are_equal(amount: Money) -> None:
    """1 unit and 1,000,000,000 nanos are one price."""
    assert compare(amount, normalized(amount)) == 0


@pytest.mark.parametrize("reckon", [add, subtract, compare])
def test_currencies_do_not_mix(reckon: object) -> None:
    """The error says which two; zero is no exception."""
    assert callable(reckon)
    with pytest.raises(CurrencyMismatch, match="USD can't be reckoned with EUR") as mixed:
        reckon(Money(currency_code="EUR"), Money(currency_code="USD"))
    assert (mixed.value.expected, mixed.value.found) == ("EUR", "USD")


@pytest.mark.parametrize("quantity", [1.0, True, "2", Fraction(1, 2)])
def test_an_amount_is_multiplied_by_whole_numbers_only(quantity: object) -> None:
    """A float, however whole, would bring rounding in."""
    with pytest.raises(TypeError, match="whole number"):
        times(Money(currency_code="EUR", units=1), quantity)  # type: ignore[arg-type] # a caller without a type checker


def test_what_does_not_fit_is_an_error_and_not_another_amount() -> None:
    """On both sides of zero; the largest itself fits."""
    largest = Money(currency_code="EUR", units=LARGEST, nanos=NANOS - 1)
    assert normalized(largest) == largest
    one = Money(currency_code="EUR", nanos=1)
    with pytest.raises(OverflowError, match="more than Money can carry"):
        add(largest, one)
    with pytest.raises(OverflowError, match="more than Money can carry"):
        subtract(times(largest, -1), one)
    with pytest.raises(OverflowError, match="more than Money can carry"):
        times(largest, 2)
