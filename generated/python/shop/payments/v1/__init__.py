"""Generated from the contracts of shop.payments.v1. DO NOT EDIT."""

from protomesh.runtime.facade import load

_NAMES = {
    "AuthorizePaymentRequest": "shop.payments.v1.payments_service_pb2",
    "AuthorizePaymentResponse": "shop.payments.v1.payments_service_pb2",
    "CapturePaymentRequest": "shop.payments.v1.payments_service_pb2",
    "CapturePaymentResponse": "shop.payments.v1.payments_service_pb2",
    "DeclineReason": "shop.payments.v1.payments_pb2",
    "GetPaymentRequest": "shop.payments.v1.payments_service_pb2",
    "GetPaymentResponse": "shop.payments.v1.payments_service_pb2",
    "Payment": "shop.payments.v1.payments_pb2",
    "PaymentsServiceServicer": "shop.payments.v1.payments_service_pb2_grpc",
    "PaymentsServiceStub": "shop.payments.v1.payments_service_pb2_grpc",
    "RefundPaymentRequest": "shop.payments.v1.payments_service_pb2",
    "RefundPaymentResponse": "shop.payments.v1.payments_service_pb2",
}
_ERRORS = {
    "PaymentClosed": "shop.payments.v1.errors_pb2",
    "PaymentDeclined": "shop.payments.v1.errors_pb2",
    "PaymentNotCapturable": "shop.payments.v1.errors_pb2",
    "PaymentNotFound": "shop.payments.v1.errors_pb2",
}

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


def __getattr__(name):
    return load(globals(), name, _NAMES, _ERRORS)


def __dir__():
    return __all__
