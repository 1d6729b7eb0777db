"""Where a subscriber left off."""

import base64
import binascii

from protomesh.runtime import StatusError
from services.notifications.domain import Mailbox

__all__ = ["read_resume_token", "resume_token"]


def resume_token(mailbox: Mailbox, number: int) -> str:
    """The token of somebody who has been told a mailbox's messages up to a number. It fits no other mailbox."""
    return base64.urlsafe_b64encode(f"{mailbox.mailbox_id}:{number}".encode()).decode().rstrip("=")


def read_resume_token(token: str, mailbox: Mailbox | None) -> int:
    """The number up to which the token's owner has been told; `mailbox` is what they have, if anything ever came.

    Raises:
        StatusError: The token is not one of this mailbox (INVALID_ARGUMENT): nobody knows what its owner has missed.
    """
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
        mailbox_id, _, number = text.rpartition(":")
        if mailbox is not None and mailbox_id == mailbox.mailbox_id and 0 <= int(number) <= mailbox.last_number:
            return int(number)
    except (binascii.Error, ValueError):
        pass  # as wrong as one of another mailbox
    raise StatusError.invalid("resume_token", "is not one of this mailbox; leave it out to be told all that is there")
