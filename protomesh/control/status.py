"""The state of Envoy's configuration, as plain values for whoever shows it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from protomesh.model import Origin

__all__ = ["ConfigurationStatus", "RejectedResource", "origin_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedResource:
    """A resource that Envoy refused; its last good version serves on."""

    resource: str  # its name
    reason: str  # the end of Envoy's own message
    origin: Origin | None  # where in the user's files it came from; None if nowhere


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigurationStatus:
    """One type of resource, as Envoy last answered it."""

    type_url: str  # type.googleapis.com/envoy.config.cluster.v3.Cluster
    resources: int  # that are published
    acknowledged: int  # that Envoy has taken in their newest version
    rejections: tuple[RejectedResource, ...]


def origin_of(text: str, name: str, origins: Mapping[str, Origin]) -> Origin | None:
    """Where the user wrote what Envoy complains of.

    Args:
        text: Envoy's complaint.
        name: the name of the resource that it is about.
        origins: places by strings that may be in the text: methods, REST templates, clusters. The longest that is
            there as a whole word wins; then the resource's own name; then the only place there is.
    """
    for key in sorted(origins, key=lambda key: (-len(key), key)):
        if re.search(rf"(?<![\w.]){re.escape(key)}(?![\w/])", text):
            return origins[key]
    places = set(origins.values())
    return origins.get(name) or (next(iter(places)) if len(places) == 1 else None)
