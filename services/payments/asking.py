"""Asking the provider for what a payment's state says."""

import asyncio
from datetime import timedelta

import grpc
import structlog
from google.rpc import error_details_pb2  # pyright: ignore[reportMissingTypeStubs] - googleapis has none

from protomesh.runtime import StatusError
from services.payments.domain import Answer, Payment, PaymentState
from services.payments.provider import Declined, PaymentProvider, ProviderUnavailable

__all__ = ["ask"]

_DOMAIN = "shop.payments.v1"  # of what the contract does not declare

_log = structlog.get_logger(__name__)


async def ask(provider: PaymentProvider, payment: Payment, patience: timedelta, *, card_number: str = "") -> Answer:
    """Has the provider do what a pending payment is waiting for. No transaction may be open meanwhile.

    Raises:
        StatusError: UNAVAILABLE: it did not say within `patience`. What it did is not known; asking again finds out.
    """
    try:
        async with asyncio.timeout(patience.total_seconds()):
            match payment.state:
                case PaymentState.AUTHORIZING:
                    await provider.authorize(payment.payment_id, payment.amount, card_number)
                case PaymentState.CAPTURING:
                    await provider.capture(payment.payment_id)
                case PaymentState.RELEASING:
                    await provider.release(payment.payment_id)
                case _:
                    await provider.refund(payment.payment_id)
    except Declined as refusal:
        return Answer(asked=payment.state, declined=refusal.reason)
    except (TimeoutError, ProviderUnavailable) as error:
        _log.warning("the provider did not answer", payment_id=payment.payment_id, state=payment.state.value)
        raise StatusError(
            grpc.StatusCode.UNAVAILABLE,
            "the payment provider did not answer; ask again with the same request_id",
            error_details_pb2.ErrorInfo(reason="PROVIDER_UNAVAILABLE", domain=_DOMAIN),
        ) from error
    return Answer(asked=payment.state)
