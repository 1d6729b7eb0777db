"""Generated from the contracts of shop.payments.v1. DO NOT EDIT."""

import abc as _abc
import builtins as _builtins
import grpc.aio as _grpc_aio
import protomesh.runtime.context as _protomesh_runtime_context
import protomesh.runtime.errors as _protomesh_runtime_errors
import shop.payments.v1.errors_pb2 as _shop_payments_v1_errors__pb2
import shop.payments.v1.payments_pb2 as _shop_payments_v1_payments__pb2
import shop.payments.v1.payments_service_pb2 as _shop_payments_v1_payments__service__pb2
from shop.payments.v1.payments_pb2 import DeclineReason as DeclineReason
from shop.payments.v1.payments_pb2 import Payment as Payment
from shop.payments.v1.payments_service_pb2 import AuthorizePaymentRequest as AuthorizePaymentRequest
from shop.payments.v1.payments_service_pb2 import AuthorizePaymentResponse as AuthorizePaymentResponse
from shop.payments.v1.payments_service_pb2 import CapturePaymentRequest as CapturePaymentRequest
from shop.payments.v1.payments_service_pb2 import CapturePaymentResponse as CapturePaymentResponse
from shop.payments.v1.payments_service_pb2 import GetPaymentRequest as GetPaymentRequest
from shop.payments.v1.payments_service_pb2 import GetPaymentResponse as GetPaymentResponse
from shop.payments.v1.payments_service_pb2 import RefundPaymentRequest as RefundPaymentRequest
from shop.payments.v1.payments_service_pb2 import RefundPaymentResponse as RefundPaymentResponse

__all__ = [
    "AuthorizePaymentRequest",
    "AuthorizePaymentResponse",
    "CapturePaymentRequest",
    "CapturePaymentResponse",
    "DeclineReason",
    "GetPaymentRequest",
    "GetPaymentResponse",
    "Payment",
    "PaymentClosed",
    "PaymentDeclined",
    "PaymentNotCapturable",
    "PaymentNotFound",
    "PaymentsServiceServicer",
    "PaymentsServiceStub",
    "RefundPaymentRequest",
    "RefundPaymentResponse",
]

class PaymentsServiceStub:
    """Takes money for orders, once each, from whoever the call is made on behalf of. Every method that asks the provider
    returns UNAVAILABLE with reason PROVIDER_UNAVAILABLE if that does not answer in time: what became of it is then not
    known, and a repeat with the same request_id finds out without charging twice.
    """
    def __init__(self, channel: _grpc_aio.Channel) -> None: ...
    AuthorizePayment: _grpc_aio.UnaryUnaryMultiCallable[_shop_payments_v1_payments__service__pb2.AuthorizePaymentRequest, _shop_payments_v1_payments__service__pb2.AuthorizePaymentResponse]
    """Has the provider hold an amount on the user's card. Returns FAILED_PRECONDITION with reason PAYMENT_DECLINED if
    the provider refuses, with reason PAYMENT_CLOSED if RefundPayment gave the payment up first; ALREADY_EXISTS if
    request_id was used for another payment; UNAUTHENTICATED if the call is made on nobody's behalf.
    """
    CapturePayment: _grpc_aio.UnaryUnaryMultiCallable[_shop_payments_v1_payments__service__pb2.CapturePaymentRequest, _shop_payments_v1_payments__service__pb2.CapturePaymentResponse]
    """Charges what is held. Charging what is charged already changes nothing. Returns NOT_FOUND with reason
    PAYMENT_NOT_FOUND if there is no such payment of the user's; FAILED_PRECONDITION with reason PAYMENT_DECLINED if
    the provider refuses, with reason PAYMENT_NOT_CAPTURABLE if nothing is held or it was given back; ALREADY_EXISTS
    if request_id was used for another request.
    """
    RefundPayment: _grpc_aio.UnaryUnaryMultiCallable[_shop_payments_v1_payments__service__pb2.RefundPaymentRequest, _shop_payments_v1_payments__service__pb2.RefundPaymentResponse]
    """Gives the money back: what is held is let go, what is charged is paid back. Of a payment for which neither is so
    (any more) it changes nothing. Returns NOT_FOUND with reason PAYMENT_NOT_FOUND if there is no such payment of the
    user's; one that is authorized later under this id is then refused, so that a caller who never got an answer from
    AuthorizePayment can be sure. Returns ALREADY_EXISTS if request_id was used for another request.
    """
    GetPayment: _grpc_aio.UnaryUnaryMultiCallable[_shop_payments_v1_payments__service__pb2.GetPaymentRequest, _shop_payments_v1_payments__service__pb2.GetPaymentResponse]
    """Gets one payment of the user's. Returns NOT_FOUND with reason PAYMENT_NOT_FOUND if there is none, or it is
    somebody else's.
    """

class PaymentsServiceServicer(_abc.ABC):
    """Takes money for orders, once each, from whoever the call is made on behalf of. Every method that asks the provider
    returns UNAVAILABLE with reason PROVIDER_UNAVAILABLE if that does not answer in time: what became of it is then not
    known, and a repeat with the same request_id finds out without charging twice.
    """
    @_abc.abstractmethod
    async def AuthorizePayment(self, request: _shop_payments_v1_payments__service__pb2.AuthorizePaymentRequest, context: _protomesh_runtime_context.Context, /) -> _shop_payments_v1_payments__service__pb2.AuthorizePaymentResponse:
        """Has the provider hold an amount on the user's card. Returns FAILED_PRECONDITION with reason PAYMENT_DECLINED if
        the provider refuses, with reason PAYMENT_CLOSED if RefundPayment gave the payment up first; ALREADY_EXISTS if
        request_id was used for another payment; UNAUTHENTICATED if the call is made on nobody's behalf.
        """
    @_abc.abstractmethod
    async def CapturePayment(self, request: _shop_payments_v1_payments__service__pb2.CapturePaymentRequest, context: _protomesh_runtime_context.Context, /) -> _shop_payments_v1_payments__service__pb2.CapturePaymentResponse:
        """Charges what is held. Charging what is charged already changes nothing. Returns NOT_FOUND with reason
        PAYMENT_NOT_FOUND if there is no such payment of the user's; FAILED_PRECONDITION with reason PAYMENT_DECLINED if
        the provider refuses, with reason PAYMENT_NOT_CAPTURABLE if nothing is held or it was given back; ALREADY_EXISTS
        if request_id was used for another request.
        """
    @_abc.abstractmethod
    async def RefundPayment(self, request: _shop_payments_v1_payments__service__pb2.RefundPaymentRequest, context: _protomesh_runtime_context.Context, /) -> _shop_payments_v1_payments__service__pb2.RefundPaymentResponse:
        """Gives the money back: what is held is let go, what is charged is paid back. Of a payment for which neither is so
        (any more) it changes nothing. Returns NOT_FOUND with reason PAYMENT_NOT_FOUND if there is no such payment of the
        user's; one that is authorized later under this id is then refused, so that a caller who never got an answer from
        AuthorizePayment can be sure. Returns ALREADY_EXISTS if request_id was used for another request.
        """
    @_abc.abstractmethod
    async def GetPayment(self, request: _shop_payments_v1_payments__service__pb2.GetPaymentRequest, context: _protomesh_runtime_context.Context, /) -> _shop_payments_v1_payments__service__pb2.GetPaymentResponse:
        """Gets one payment of the user's. Returns NOT_FOUND with reason PAYMENT_NOT_FOUND if there is none, or it is
        somebody else's.
        """

class PaymentNotFound(_protomesh_runtime_errors.DeclaredError):
    """There is no such payment, or it is somebody else's."""
    def __init__(self, *, payment_id: _builtins.str = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_payments_v1_errors__pb2.PaymentNotFound: ...
    @_builtins.property
    def payment_id(self) -> _builtins.str: ...

class PaymentDeclined(_protomesh_runtime_errors.DeclaredError):
    """The provider refused. Nothing is charged, and asking again does not help: another card may."""
    def __init__(self, *, payment_id: _builtins.str = ..., reason: _shop_payments_v1_payments__pb2.DeclineReason.ValueType = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_payments_v1_errors__pb2.PaymentDeclined: ...
    @_builtins.property
    def payment_id(self) -> _builtins.str: ...
    @_builtins.property
    def reason(self) -> _shop_payments_v1_payments__pb2.DeclineReason.ValueType: ...

class PaymentClosed(_protomesh_runtime_errors.DeclaredError):
    """The payment was given up before it was authorized: a RefundPayment for its id came first. Nothing is charged."""
    def __init__(self, *, payment_id: _builtins.str = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_payments_v1_errors__pb2.PaymentClosed: ...
    @_builtins.property
    def payment_id(self) -> _builtins.str: ...

class PaymentNotCapturable(_protomesh_runtime_errors.DeclaredError):
    """Only what is authorized can be captured."""
    def __init__(self, *, payment_id: _builtins.str = ..., state: _shop_payments_v1_payments__pb2.Payment.State.ValueType = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_payments_v1_errors__pb2.PaymentNotCapturable: ...
    @_builtins.property
    def payment_id(self) -> _builtins.str: ...
    @_builtins.property
    def state(self) -> _shop_payments_v1_payments__pb2.Payment.State.ValueType: ...
