"""Who a user is, when a session goes on, and which key signs."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

__all__ = [
    "InvalidUser",
    "RefreshToken",
    "Role",
    "Session",
    "SigningKey",
    "User",
    "Verdict",
    "Verifier",
    "is_due",
    "judged",
    "name_of",
    "normalised",
    "not_knowing",
    "signing",
]

# How long a refresh token that is used up may come again, because its answer was lost on the way.
SAME_CALL = timedelta(seconds=10)

# How much longer than its tokens a key is kept: the handler that read it before it was replaced may still be at work,
# and who verifies forgives a clock that is a minute off.
_MARGIN = timedelta(minutes=2)


# How long a mesh that is not told its keys is waited for before another key signs. It is told each minute, if its
# identity runs.
_SILENT = timedelta(minutes=3)

# Signs of a display name; as the contract has it.
_LONGEST_NAME = 80


class InvalidUser(Exception):  # noqa: N818 - it says what is wrong with the user, not with us
    """A user that the shop could not show. `field` is the field at fault, `reason` what is wrong with it."""

    def __init__(self, field: str, reason: str) -> None:
        super().__init__(f"{field} {reason}")
        self.field = field
        self.reason = reason


class Role(Enum):
    """What somebody is to the shop."""

    CUSTOMER = "customer"
    ADMINISTRATOR = "administrator"

    @property
    def scopes(self) -> tuple[str, ...]:
        """What the role may do, as methods of the contracts ask for it."""
        return _SCOPES[self]


_SCOPES = {
    Role.CUSTOMER: ("shop.customer",),
    Role.ADMINISTRATOR: ("shop.admin", "shop.customer"),
}


def normalised(email: str) -> str:
    """The one spelling of an e-mail address. Hosts could tell A@b.c from a@b.c; people can't."""
    return email.strip().lower()


def name_of(email: str) -> str:
    """What to call somebody who gave no name: what stands before the @, or its beginning."""
    return email.partition("@")[0][:_LONGEST_NAME]


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Somebody who is registered.

    Raises:
        InvalidUser: There is nothing to call the user by.
    """

    user_id: str
    email: str  # normalised
    display_name: str
    role: Role
    create_time: datetime
    update_time: datetime

    def __post_init__(self) -> None:
        if not self.display_name.strip():
            raise InvalidUser("display_name", "must not be empty")


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """What begins with a login: a family of refresh tokens, each of which is the answer to the one before."""

    session_id: str
    user_id: str
    create_time: datetime
    end_time: datetime | None = None  # when it ended before its tokens ran out


@dataclass(frozen=True, slots=True, kw_only=True)
class RefreshToken:
    """One refresh token, which only its owner can spell."""

    digest: bytes  # SHA-256: the token is 256 random bits, so nothing slower is needed
    session_id: str
    expire_time: datetime
    use_time: datetime | None = None
    successor: bytes | None = None  # the digest of the token that it was answered with, last
    replaced: bool = False  # its answer was lost, and another token took its place

    def answered(self, successor: bytes, now: datetime) -> "RefreshToken":
        """The token once it is used up. A repeat does not win more time."""
        return replace(self, successor=successor, use_time=self.use_time or now)


class Verdict(Enum):
    """What a refresh token is worth."""

    NEXT = "next"  # it is answered with the next
    AGAIN = "again"  # so it is, and the token that it was answered with before counts no more
    INVALID = "invalid"  # nothing
    REUSED = "reused"  # nothing, and it was copied: its session ends


def judged(token: RefreshToken, session: Session, successor: RefreshToken | None, now: datetime) -> Verdict:
    """What a token is worth, given its session and the token that it was answered with.

    A token that is used up comes again for one of two reasons. Its answer was lost: then it comes at once, and nobody
    has used the answer. Or it was copied: then one of the two owners comes with a token that is used up or replaced,
    sooner or later, and whoever that is, the session ends for both.
    """
    if session.end_time is not None or now >= token.expire_time:
        return Verdict.INVALID
    if token.replaced:
        return Verdict.REUSED
    if token.use_time is None:
        return Verdict.NEXT
    lost = successor is not None and successor.use_time is None and now - token.use_time < SAME_CALL
    return Verdict.AGAIN if lost else Verdict.REUSED


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """A key, in one of three states: it does not sign yet, it signs, or tokens that it signed are still about."""

    kid: str
    private_key: str = field(repr=False)  # PEM
    create_time: datetime
    sign_time: datetime | None = None  # since when it signs: every Envoy knew it then
    expire_time: datetime | None = None  # when its last token has run out; None unless another signs

    def expiring(self, now: datetime, token_lifetime: timedelta) -> "SigningKey":
        """The key once another has taken its place."""
        return replace(self, expire_time=now + token_lifetime + _MARGIN)


def signing(keys: Sequence[SigningKey]) -> SigningKey | None:
    """The one that signs."""
    return next((key for key in keys if key.sign_time is not None and key.expire_time is None), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """A mesh whose Envoys verify tokens. Workers on several machines may share a database, and each has a mesh."""

    mesh: str
    kids: frozenset[str]  # that all its Envoys verify with
    tell_time: datetime  # when it was told last, or began to be

    def silent(self, now: datetime) -> bool:
        """Whether it has not been told anything for so long that nobody waits for it."""
        return now - self.tell_time >= _SILENT


def not_knowing(kid: str, verifiers: Sequence[Verifier]) -> list[Verifier]:
    """Those who would refuse a token that a key has signed."""
    return [verifier for verifier in verifiers if kid not in verifier.kids]


def is_due(keys: Sequence[SigningKey], now: datetime, key_lifetime: timedelta) -> bool:
    """Whether it is time for another key, and none is waiting."""
    if any(key.sign_time is None for key in keys):
        return False
    current = signing(keys)
    return current is None or current.sign_time is None or now - current.sign_time >= key_lifetime
