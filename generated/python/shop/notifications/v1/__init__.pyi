"""Generated from the contracts of shop.notifications.v1. DO NOT EDIT."""

import abc as _abc
import builtins as _builtins
import collections.abc as _collections_abc
import grpc.aio as _grpc_aio
import protomesh.runtime.context as _protomesh_runtime_context
import protomesh.runtime.errors as _protomesh_runtime_errors
import shop.notifications.v1.errors_pb2 as _shop_notifications_v1_errors__pb2
import shop.notifications.v1.notifications_service_pb2 as _shop_notifications_v1_notifications__service__pb2
from shop.notifications.v1.notifications_pb2 import Notification as Notification
from shop.notifications.v1.notifications_service_pb2 import ListNotificationsRequest as ListNotificationsRequest
from shop.notifications.v1.notifications_service_pb2 import ListNotificationsResponse as ListNotificationsResponse
from shop.notifications.v1.notifications_service_pb2 import MarkReadRequest as MarkReadRequest
from shop.notifications.v1.notifications_service_pb2 import MarkReadResponse as MarkReadResponse
from shop.notifications.v1.notifications_service_pb2 import SubscribeRequest as SubscribeRequest
from shop.notifications.v1.notifications_service_pb2 import SubscribeResponse as SubscribeResponse

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

class NotificationsServiceStub:
    """Tells users what became of what they did, in a mailbox each. Everybody sees their own and nobody else's: whose it
    is comes from the caller's token. Messages are forgotten after a while.
    """
    def __init__(self, channel: _grpc_aio.Channel) -> None: ...
    ListNotifications: _grpc_aio.UnaryUnaryMultiCallable[_shop_notifications_v1_notifications__service__pb2.ListNotificationsRequest, _shop_notifications_v1_notifications__service__pb2.ListNotificationsResponse]
    """Lists the caller's messages, newest first, a page at a time. Messages that come meanwhile do not shift the pages
    that follow. Returns INVALID_ARGUMENT if the page token is not one of this method's for the same request.
    """
    MarkRead: _grpc_aio.UnaryUnaryMultiCallable[_shop_notifications_v1_notifications__service__pb2.MarkReadRequest, _shop_notifications_v1_notifications__service__pb2.MarkReadResponse]
    """Marks one of the caller's messages as read. One that is read already stays as it is. Returns NOT_FOUND with reason
    NOTIFICATION_NOT_FOUND if there is none.
    """
    Subscribe: _grpc_aio.UnaryStreamMultiCallable[_shop_notifications_v1_notifications__service__pb2.SubscribeRequest, _shop_notifications_v1_notifications__service__pb2.SubscribeResponse]
    """Tells the caller's messages in the order in which they came: those after resume_token, then each new one as it
    comes. Never ends by itself. When the service is replaced the stream ends with UNAVAILABLE and reason
    STREAM_DRAINED: call again with the last resume_token, and no message is missing and none comes twice. Returns
    INVALID_ARGUMENT if resume_token is not one of the caller's.
    """

class NotificationsServiceServicer(_abc.ABC):
    """Tells users what became of what they did, in a mailbox each. Everybody sees their own and nobody else's: whose it
    is comes from the caller's token. Messages are forgotten after a while.
    """
    @_abc.abstractmethod
    async def ListNotifications(self, request: _shop_notifications_v1_notifications__service__pb2.ListNotificationsRequest, context: _protomesh_runtime_context.Context, /) -> _shop_notifications_v1_notifications__service__pb2.ListNotificationsResponse:
        """Lists the caller's messages, newest first, a page at a time. Messages that come meanwhile do not shift the pages
        that follow. Returns INVALID_ARGUMENT if the page token is not one of this method's for the same request.
        """
    @_abc.abstractmethod
    async def MarkRead(self, request: _shop_notifications_v1_notifications__service__pb2.MarkReadRequest, context: _protomesh_runtime_context.Context, /) -> _shop_notifications_v1_notifications__service__pb2.MarkReadResponse:
        """Marks one of the caller's messages as read. One that is read already stays as it is. Returns NOT_FOUND with reason
        NOTIFICATION_NOT_FOUND if there is none.
        """
    @_abc.abstractmethod
    def Subscribe(self, request: _shop_notifications_v1_notifications__service__pb2.SubscribeRequest, context: _protomesh_runtime_context.Context, /) -> _collections_abc.AsyncIterator[_shop_notifications_v1_notifications__service__pb2.SubscribeResponse]:
        """Tells the caller's messages in the order in which they came: those after resume_token, then each new one as it
        comes. Never ends by itself. When the service is replaced the stream ends with UNAVAILABLE and reason
        STREAM_DRAINED: call again with the last resume_token, and no message is missing and none comes twice. Returns
        INVALID_ARGUMENT if resume_token is not one of the caller's.
        """

class NotificationNotFound(_protomesh_runtime_errors.DeclaredError):
    """The caller's mailbox has no such message: there never was one, or it is forgotten."""
    def __init__(self, *, notification_id: _builtins.str = ...) -> None: ...
    @_builtins.property
    def detail(self) -> _shop_notifications_v1_errors__pb2.NotificationNotFound: ...
    @_builtins.property
    def notification_id(self) -> _builtins.str: ...
