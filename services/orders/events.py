"""What others are told of an order."""

from google.protobuf.message import Message

from protomesh.runtime.timestamps import timestamp
from services.orders.domain import FailureKind, Order, OrderState
from shop.orders.v1 import OrderCancelled, OrderConfirmed, OrderedLine

__all__ = ["event_of"]

_REASONS = {
    FailureKind.DECLINED: OrderCancelled.REASON_PAYMENT_DECLINED,
    FailureKind.INTERRUPTED: OrderCancelled.REASON_UNAVAILABLE,
}


def event_of(order: Order) -> Message | None:
    """What has happened now that an order has come to its state; None if that concerns nobody but its customer.

    One that could not even begin, for want of stock, was refused to the customer's face.
    """
    match order.state:
        case OrderState.PLACED:
            return OrderConfirmed(
                order_id=order.order_id,
                customer_id=order.customer,
                lines=[
                    OrderedLine(product_id=line.product_id, quantity=line.quantity, title=line.title)
                    for line in order.lines
                ],
                total=order.total,
                confirm_time=timestamp(order.update_time),
            )
        case OrderState.CANCELLED:
            return _cancelled(order, OrderCancelled.REASON_CUSTOMER)
        case OrderState.FAILED if order.failure is not None and order.failure.kind in _REASONS:
            return _cancelled(order, _REASONS[order.failure.kind])
        case _:
            return None


def _cancelled(order: Order, reason: OrderCancelled.Reason.ValueType) -> OrderCancelled:
    return OrderCancelled(
        order_id=order.order_id,
        customer_id=order.customer,
        reason=reason,
        cancel_time=timestamp(order.update_time),
    )
