"""Generated from the contracts of shop.notifications.v1. DO NOT EDIT."""

from protomesh.runtime.facade import load

_NAMES = {
    "ListNotificationsRequest": "shop.notifications.v1.notifications_service_pb2",
    "ListNotificationsResponse": "shop.notifications.v1.notifications_service_pb2",
    "MarkReadRequest": "shop.notifications.v1.notifications_service_pb2",
    "MarkReadResponse": "shop.notifications.v1.notifications_service_pb2",
    "Notification": "shop.notifications.v1.notifications_pb2",
    "NotificationsServiceServicer": "shop.notifications.v1.notifications_service_pb2_grpc",
    "NotificationsServiceStub": "shop.notifications.v1.notifications_service_pb2_grpc",
    "SubscribeRequest": "shop.notifications.v1.notifications_service_pb2",
    "SubscribeResponse": "shop.notifications.v1.notifications_service_pb2",
}
_ERRORS = {
    "NotificationNotFound": "shop.notifications.v1.errors_pb2",
}

__all__ = [
    "ListNotificationsRequest",
    "ListNotificationsResponse",
    "MarkReadRequest",
    "MarkReadResponse",
    "Notification",
    "NotificationNotFound",
    "NotificationsServiceServicer",
    "NotificationsServiceStub",
    "SubscribeRequest",
    "SubscribeResponse",
]


def __getattr__(name):
    return load(globals(), name, _NAMES, _ERRORS)


def __dir__():
    return __all__
