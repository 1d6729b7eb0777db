import math
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.recommendations.domain import Decay, joined

START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)

half_lives = st.timedeltas(min_value=timedelta(minutes=1), max_value=timedelta(days=3650))
moments = st.timedeltas(min_value=-3650 * DAY, max_value=3650 * DAY).map(lambda passed: START + passed)


@st.composite
def orders(draw: st.DrawFn) -> tuple[Decay, list[datetime], datetime]:
    """A half-life, when orders were confirmed, and a later moment: within a thousand half-lives of each other."""
    half_life = draw(half_lives)
    span = min(half_life * 500, timedelta(days=3650))
    ages = draw(st.lists(st.timedeltas(min_value=timedelta(0), max_value=span), min_size=1, max_size=30))
    now = draw(moments)
    return Decay(half_life=half_life, anchor_time=draw(moments)), [now - age for age in ages], now


def counted(decay: Decay, confirmed: list[datetime]) -> float:
    """The rank of orders, counted one after the other."""
    rank = decay.rank(confirmed[0])
    for moment in confirmed[1:]:
        rank = joined(rank, decay.rank(moment))
    return rank


def by_definition(half_life: timedelta, confirmed: list[datetime], now: datetime) -> float:
    """What the orders count, summed up at the end."""
    return math.fsum(2.0 ** -((now - moment) / half_life) for moment in confirmed)


@given(orders())
def test_a_score_is_the_sum_of_what_each_order_counts_now(case: tuple[Decay, list[datetime], datetime]) -> None:
    """Whenever the database was made, however old the orders are."""
    decay, confirmed, now = case
    score = decay.score(counted(decay, confirmed), now)
    assert score == pytest.approx(by_definition(decay.half_life, confirmed, now), rel=1e-6)


@given(orders(), st.randoms(use_true_random=False))
def test_orders_may_be_told_in_any_order(case: tuple[Decay, list[datetime], datetime], chance: Random) -> None:
    """Late events leave what they would have left in time."""
    decay, confirmed, now = case
    shuffled = list(confirmed)
    chance.shuffle(shuffled)
    scores = [decay.score(counted(decay, each), now) for each in (confirmed, shuffled)]
    assert scores[0] == pytest.approx(scores[1], rel=1e-6)


@given(orders())
def test_a_score_halves_with_each_half_life(case: tuple[Decay, list[datetime], datetime]) -> None:
    """And nothing is written for it."""
    decay, confirmed, now = case
    rank = counted(decay, confirmed)
    assert decay.score(rank, now + decay.half_life) == pytest.approx(decay.score(rank, now) / 2, rel=1e-6)


@given(orders(), orders(), moments)
def test_ranks_are_in_the_order_of_the_scores_at_every_moment(
    one: tuple[Decay, list[datetime], datetime], other: tuple[Decay, list[datetime], datetime], now: datetime
) -> None:
    """So that a database can sort by a column that nobody updates."""
    decay = one[0]
    first, second = counted(decay, one[1]), counted(decay, other[1])
    if first > second:
        assert decay.score(first, now) >= decay.score(second, now)


@given(orders(), half_lives)
def test_another_half_life_changes_no_score_of_the_moment(
    case: tuple[Decay, list[datetime], datetime], half_life: timedelta
) -> None:
    """From then on scores fade by it, those of older orders too, and new orders are added to them."""
    decay, confirmed, now = case
    rank = counted(decay, confirmed)
    changed = decay.with_half_life(half_life, now)
    before = decay.score(rank, now)
    assert changed.score(rank, now) == pytest.approx(before, rel=1e-6)
    assert changed.score(rank, now + half_life) == pytest.approx(before / 2, rel=1e-6)
    later = joined(rank, changed.rank(now + half_life))
    assert changed.score(later, now + half_life) == pytest.approx(1 + before / 2, rel=1e-6)


@given(st.floats(-1e9, 1e9), st.floats(-1e9, 1e9))
def test_two_sums_are_together_more_than_each_and_at_most_twice_the_larger(one: float, other: float) -> None:
    """With numbers that 2 ** x could not hold."""
    both = joined(one, other)
    assert max(one, other) <= both <= max(one, other) + 1
    assert both == joined(other, one)


def test_an_order_of_this_moment_counts_one() -> None:
    """And one half-life ago, a half."""
    decay = Decay(half_life=DAY, anchor_time=START)
    assert decay.score(decay.rank(START + 9 * DAY), START + 9 * DAY) == 1
    assert decay.score(decay.rank(START + 8 * DAY), START + 9 * DAY) == 0.5


def test_a_clock_that_was_set_back_breaks_nothing() -> None:
    """Scores are absurd then, and finite."""
    decay = Decay(half_life=timedelta(minutes=1), anchor_time=START)
    assert math.isfinite(decay.score(decay.rank(START + 3650 * DAY), START))


def test_what_is_least_is_worth_a_thousandth_of_an_order() -> None:
    """Ten half-lives after the last order of a product, it is forgotten."""
    decay = Decay(half_life=DAY, anchor_time=START)
    assert decay.score(decay.least(START + 5 * DAY), START + 5 * DAY) == pytest.approx(1 / 1024)
