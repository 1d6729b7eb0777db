"""Where a watcher left off."""

import base64
import binascii

from protomesh.runtime import StatusError
from services.orders.domain import Order

__all__ = ["read_resume_token", "resume_token"]


def resume_token(order: Order) -> str:
    """The token of somebody who has been told this order. It says which order, so that it fits no other one."""
    return base64.urlsafe_b64encode(f"{order.order_id}:{order.version}".encode()).decode().rstrip("=")


def read_resume_token(token: str, order_id: str) -> int:
    """The version of the order that the token's owner has been told.

    Raises:
        StatusError: The token is not one of this order's (INVALID_ARGUMENT).
    """
    try:
        text = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
        subject, _, version = text.rpartition(":")
        if subject == order_id:
            return int(version)
    except (binascii.Error, ValueError):
        pass  # as wrong as one of another order
    raise StatusError.invalid("resume_token", f"is not one that WatchOrder gave out for {order_id}")
