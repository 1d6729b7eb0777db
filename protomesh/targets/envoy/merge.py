"""One message of Envoy's API laid over another."""

from collections.abc import Mapping
from typing import Any

from protomesh.targets.envoy.names import Body

__all__ = ["merge"]


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> Body:
    """A new message: `over` wins, fields of messages are merged one by one, a list replaces a list, null removes."""
    result: Body = dict(base)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, Mapping):
            below = result.get(key)
            result[key] = merge(below if isinstance(below, Mapping) else {}, value)
        else:
            result[key] = value
    return result
