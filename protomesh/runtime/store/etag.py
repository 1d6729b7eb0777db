"""Knowing whether a resource is still what it was when it was read: https://google.aip.dev/154."""

import base64
import hashlib

from google.protobuf.message import Message

__all__ = ["etag"]


def etag(resource: Message) -> str:
    """A short text that changes whenever any field of `resource` does; its own field `etag` does not count.

    A new version of the contract may change it too: then a caller reads again. It has no quotes around it: those
    belong to HTTP's header (RFC 9110), and this is a field.
    """
    bare = type(resource)()
    bare.CopyFrom(resource)
    bare.ClearField("etag")
    digest = hashlib.sha256(bare.SerializeToString(deterministic=True)).digest()
    return base64.urlsafe_b64encode(digest[:12]).decode()
