"""Where a subscriber left off."""

from protomesh.runtime import StatusError
from protomesh.runtime.store import read_resume_token as read
from services.notifications.domain import Mailbox

__all__ = ["read_resume_token"]

_REFUSAL = "is not one of this mailbox; leave it out to be told all that is there"


def read_resume_token(token: str, mailbox: Mailbox | None) -> int:
    """The number up to which the token's owner has been told; `mailbox` is what they have, if anything ever came.

    Raises:
        StatusError: The token is not one of this mailbox (INVALID_ARGUMENT): nobody knows what its owner has missed.
    """
    if mailbox is not None and 0 <= (number := read(token, mailbox.mailbox_id, _REFUSAL)) <= mailbox.last_number:
        return number
    raise StatusError.invalid("resume_token", _REFUSAL)
