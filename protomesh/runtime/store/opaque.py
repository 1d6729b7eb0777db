"""Bytes in the form in which clients keep them for a service: text that means nothing to them."""

import base64

__all__ = ["from_text", "to_text"]


def to_text(content: bytes) -> str:
    """Base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def from_text(text: str) -> bytes:
    """What `to_text` was given.

    Raises:
        ValueError: It gave out no such text.
    """
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
