"""The discovery messages between their bytes and plain values."""

from typing import Any
from weakref import WeakKeyDictionary

from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message_factory import GetMessageClass

from protomesh.xds.resource import Resource
from protomesh.xds.subscription import Request, Response

__all__ = ["Wire"]

_PACKAGE = "envoy.service.discovery.v3"


class Wire:
    """Reads requests and writes responses with the message types of a descriptor pool.

    The pool is the caller's, so that the schema is the one of the client that runs and nothing is registered in the
    process-wide pool.
    """

    def __init__(self, pool: DescriptorPool) -> None:
        self._request: Any = GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.DeltaDiscoveryRequest"))
        self._response: Any = GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.DeltaDiscoveryResponse"))
        self._written: WeakKeyDictionary[Resource, bytes] = WeakKeyDictionary()

    def read(self, data: bytes) -> Request:
        """Reads a DeltaDiscoveryRequest."""
        message = self._request.FromString(data)
        return Request(
            type_url=message.type_url,
            node=message.node.id,
            subscribe=tuple(message.resource_names_subscribe),
            unsubscribe=tuple(message.resource_names_unsubscribe),
            initial_versions=dict(message.initial_resource_versions),
            nonce=message.response_nonce,
            error=message.error_detail.message if message.HasField("error_detail") else None,
        )

    def write(self, response: Response) -> bytes:
        """Writes a DeltaDiscoveryResponse.

        Serialized messages one after the other are the serialized form of the merged message, so each resource is
        written once and its bytes go to every stream.
        """
        head = self._response(
            type_url=response.type_url, nonce=response.nonce, removed_resources=response.removed
        ).SerializeToString()
        return b"".join((head, *map(self._entry, response.resources)))

    def _entry(self, resource: Resource) -> bytes:
        written = self._written.get(resource)
        if written is None:
            body = {"type_url": resource.type_url, "value": resource.body}
            entry = {"name": resource.name, "version": resource.version, "resource": body}
            written = self._written[resource] = self._response(resources=[entry]).SerializeToString()
        return written
