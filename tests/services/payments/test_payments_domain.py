from datetime import UTC, datetime, timedelta

import pytest
from google.type.money_pb2 import Money
from hypothesis import given
from hypothesis import strategies as st

from services.payments.domain import Answer, DeclineReason, Payment, PaymentState, last_four

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
LATER = NOW + timedelta(seconds=1)
FINAL = {PaymentState.DECLINED, PaymentState.RELEASED, PaymentState.REFUNDED}
# What may be asked of a payment in a state; None where the provider refuses nothing.
refusals = st.one_of(st.none(), st.sampled_from(DeclineReason))


def payment(state: PaymentState) -> Payment:
    """A payment that has come so far."""
    return Payment(
        payment_id="p",
        payer="alice",
        order_id="o",
        state=state,
        amount=Money(currency_code="EUR", units=5),
        card_last_four="0101",
        create_time=NOW,
        update_time=NOW,
    )


@pytest.mark.parametrize("state", PaymentState)
def test_giving_back_leads_to_where_nothing_is_held_and_nothing_charged(state: PaymentState) -> None:
    """From everywhere, if the provider does what it is asked, in a question or three."""
    moved, asked = payment(state).giving_back(LATER), list[PaymentState]()
    while moved.pending:
        asked.append(moved.state)
        moved = moved.told(Answer(asked=moved.state), LATER).giving_back(LATER)
    assert moved.state in FINAL
    assert len(asked) <= 2
    assert (PaymentState.REFUNDING in asked) == (
        state in {PaymentState.CAPTURING, PaymentState.CAPTURED, PaymentState.REFUNDING}
    )


@pytest.mark.parametrize("state", FINAL)
def test_what_is_final_never_changes(state: PaymentState) -> None:
    """Whatever is asked or told."""
    done = payment(state)
    assert done.giving_back(LATER) is done
    assert done.capturing(LATER) is (done if done.declined else None)
    for asked in PaymentState:
        assert done.told(Answer(asked=asked), LATER) is done


@given(st.sampled_from(PaymentState), st.sampled_from(PaymentState), refusals)
def test_an_answer_to_another_question_changes_nothing(
    state: PaymentState, asked: PaymentState, declined: DeclineReason | None
) -> None:
    """It was overtaken: by a repeat, or by giving back."""
    before = payment(state)
    after = before.told(Answer(asked=asked, declined=declined), LATER) if state is not asked else before
    assert after is before


def test_only_what_is_held_is_captured() -> None:
    """What is on its way, done or refused stays as it is; for the rest there is nothing to capture."""
    leads = {state: payment(state).capturing(LATER) for state in PaymentState}
    assert {state: led.state for state, led in leads.items() if led is not None} == {
        PaymentState.AUTHORIZED: PaymentState.CAPTURING,
        PaymentState.CAPTURING: PaymentState.CAPTURING,
        PaymentState.CAPTURED: PaymentState.CAPTURED,
        PaymentState.DECLINED: PaymentState.DECLINED,
    }


def test_a_refusal_is_kept_with_its_reason() -> None:
    """And with its time."""
    refused = payment(PaymentState.AUTHORIZING).told(
        Answer(asked=PaymentState.AUTHORIZING, declined=DeclineReason.INSUFFICIENT_FUNDS), LATER
    )
    assert refused.declined
    assert (refused.decline_reason, refused.update_time) == (DeclineReason.INSUFFICIENT_FUNDS, LATER)


def test_of_a_card_four_digits_are_kept() -> None:
    """The last ones, as on a receipt."""
    assert last_four("4000000000000101") == "0101"
