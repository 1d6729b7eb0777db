from datetime import UTC, datetime, timedelta

import pytest

from services.identity.domain import (
    SAME_CALL,
    InvalidUser,
    RefreshToken,
    Role,
    Session,
    SigningKey,
    User,
    Verdict,
    is_due,
    judged,
    normalised,
    signing,
)

NOW = datetime(2026, 11, 2, 9, 30, tzinfo=UTC)
DAY = timedelta(days=1)
SESSION = Session(session_id="s", user_id="u", create_time=NOW)
FRESH = RefreshToken(digest=b"1", session_id="s", expire_time=NOW + DAY)
USED = FRESH.answered(b"2", NOW)
NEXT = RefreshToken(digest=b"2", session_id="s", expire_time=NOW + DAY)


def key(kid: str, *, since: datetime | None = None, until: datetime | None = None) -> SigningKey:
    """A key in any of its states."""
    return SigningKey(kid=kid, private_key="", create_time=NOW, sign_time=since, expire_time=until)


class TestRefreshTokens:
    """`judged`, the rule on which a stolen token founders."""

    def test_a_fresh_token_is_answered_with_the_next(self) -> None:
        """Until it runs out."""
        assert judged(FRESH, SESSION, None, NOW) is Verdict.NEXT
        assert judged(FRESH, SESSION, None, FRESH.expire_time) is Verdict.INVALID

    def test_a_session_that_has_ended_has_no_valid_token(self) -> None:
        """Fresh or used up."""
        ended = Session(session_id="s", user_id="u", create_time=NOW, end_time=NOW)
        assert judged(FRESH, ended, None, NOW) is Verdict.INVALID
        assert judged(USED, ended, NEXT, NOW) is Verdict.INVALID

    def test_a_token_whose_answer_was_lost_may_come_again_at_once(self) -> None:
        """Nobody has used the answer yet."""
        assert judged(USED, SESSION, NEXT, NOW + SAME_CALL - timedelta(seconds=1)) is Verdict.AGAIN

    def test_a_used_token_that_comes_late_was_copied(self) -> None:
        """Whoever lost an answer asks again at once."""
        assert judged(USED, SESSION, NEXT, NOW + SAME_CALL) is Verdict.REUSED

    def test_a_used_token_whose_answer_arrived_was_copied(self) -> None:
        """However soon it comes."""
        assert judged(USED, SESSION, NEXT.answered(b"3", NOW), NOW) is Verdict.REUSED

    def test_a_token_that_was_replaced_was_copied(self) -> None:
        """Its owner never got it, or is not alone."""
        replaced = RefreshToken(digest=b"2", session_id="s", expire_time=NOW + DAY, replaced=True)
        assert judged(replaced, SESSION, None, NOW) is Verdict.REUSED

    def test_coming_again_wins_no_time(self) -> None:
        """The time of the first answer counts."""
        assert USED.answered(b"3", NOW + timedelta(seconds=5)).use_time == NOW


class TestKeys:
    """Which key signs, and when another is made."""

    def test_the_first_key_is_due_at_once(self) -> None:
        """Without one nobody can log in."""
        assert is_due([], NOW, DAY)

    def test_a_key_that_waits_is_enough(self) -> None:
        """One that could not be told to the mesh is told again, and no other is made."""
        assert not is_due([key("a")], NOW + 9 * DAY, DAY)
        assert not is_due([key("a", since=NOW), key("b")], NOW + 9 * DAY, DAY)

    def test_the_next_key_is_due_when_the_one_that_signs_is_old(self) -> None:
        """To the moment."""
        assert not is_due([key("a", since=NOW)], NOW + DAY - timedelta(seconds=1), DAY)
        assert is_due([key("a", since=NOW)], NOW + DAY, DAY)

    def test_only_a_key_that_every_envoy_knows_signs(self) -> None:
        """One that waits does not, nor one that another has followed."""
        assert signing([key("a")]) is None
        both = [key("old", since=NOW, until=NOW + DAY), key("b", since=NOW), key("c")]
        assert signing(both) == both[1]

    def test_a_key_outlives_its_tokens(self) -> None:
        """By more than the minute that verifiers forgive a clock."""
        until = key("a", since=NOW).expiring(NOW, timedelta(minutes=5)).expire_time
        assert until is not None
        assert until > NOW + timedelta(minutes=6)

    def test_a_key_does_not_show_its_private_half(self) -> None:
        """Not by accident, in a log or a traceback."""
        assert "PRIVATE" not in repr(SigningKey(kid="a", private_key="-----BEGIN PRIVATE KEY-----", create_time=NOW))


def test_an_e_mail_address_has_one_spelling() -> None:
    """Upper and lower case, and blanks around it, make no other user."""
    assert normalised(" Alice@Example.COM ") == "alice@example.com"


def test_an_administrator_may_do_what_a_customer_may() -> None:
    """And more."""
    assert set(Role.ADMINISTRATOR.scopes) > set(Role.CUSTOMER.scopes)


def test_a_user_has_something_to_be_called_by() -> None:
    """A blank is nothing."""
    with pytest.raises(InvalidUser) as invalid:
        User(user_id="u", email="a@b.c", display_name=" ", role=Role.CUSTOMER, create_time=NOW, update_time=NOW)
    assert invalid.value.field == "display_name"
