"""Where a watcher left off."""

import base64
import binascii

from protomesh.runtime import StatusError
from services.inventory.domain import Stock

__all__ = ["read_resume_token", "resume_token"]


def resume_token(stock: Stock) -> str:
    """The token of somebody who has been told this stock. It says which product, so that it fits no other one."""
    return base64.urlsafe_b64encode(f"{stock.product_id}:{stock.version}".encode()).decode().rstrip("=")


def read_resume_token(token: str, product_id: str) -> int:
    """The version of the stock that the token's owner has been told.

    Raises:
        StatusError: The token is not one of this product's (INVALID_ARGUMENT).
    """
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
        subject, _, version = text.rpartition(":")
        if subject == product_id:
            return int(version)
    except (binascii.Error, ValueError):
        pass  # as wrong as one of another product
    raise StatusError.invalid("resume_token", f"is not one that WatchStock gave out for {product_id}")
