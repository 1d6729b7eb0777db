"""The environment in which a service runs: all that one in any language has to know of the mesh."""

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from protomesh.runtime.cannot_start import CannotStart
from protomesh.runtime.identity import IdentityFiles

__all__ = ["Launch", "NotLaunched", "environment"]

SERVICE = "PROTOMESH_SERVICE"
LISTEN = "PROTOMESH_LISTEN"
EGRESS = "PROTOMESH_EGRESS"
DATA = "PROTOMESH_DATA"
LOG = "PROTOMESH_LOG"
DEADLINES = "PROTOMESH_DEADLINES"
SUBSCRIBES = "PROTOMESH_SUBSCRIBES"
SUBSCRIBERS = "PROTOMESH_SUBSCRIBERS"
PUBLISHERS = "PROTOMESH_PUBLISHERS"
EVENTS_URL = "PROTOMESH_EVENTS_URL"
EVENTS_PREFIX = "PROTOMESH_EVENTS_PREFIX"
TLS_IDENTITY = "PROTOMESH_TLS_IDENTITY"
TLS_AUTHORITIES = "PROTOMESH_TLS_AUTHORITIES"
ENVOY = "mesh"  # the name in the certificate that Envoy shows to services
_REQUIRED = (SERVICE, LISTEN, EGRESS, DATA)


class NotLaunched(CannotStart):
    """The environment is not that of a service; the message says what is missing and how a service is started."""


def environment(
    service: str,
    listen: str,
    egress: str,
    data: str,
    *,
    log: str,
    deadlines: bool = True,
    subscribes: Collection[str] = (),
    subscribers: Mapping[str, Collection[str]] | None = None,
    publishers: Mapping[str, Collection[str]] | None = None,
    events_url: str = "",
    events_prefix: str = "",
    tls_identity: str = "",
    tls_authorities: str = "",
) -> dict[str, str]:
    """What a service's process is started with, whatever language it is written in.

    Args:
        service: Its name in mesh.yaml.
        listen: Where it has to answer: `unix:/path` or `host:port`.
        egress: Where it calls other services: Envoy, as `unix:/path` or `host:port`.
        data: The directory for its own data, which all its workers share.
        log: `json` or `console`.
        deadlines: False suspends the contract's deadlines, for a worker that a person stops in a debugger.
        subscribes: Full names of the events that it wants to be told of.
        subscribers: The services to tell, by the full name of each event that it may publish.
        publishers: The services that may publish, by the full name of each event that it wants to be told of.
        events_url: The broker that carries events. Empty if the mesh does.
        events_prefix: What the names of streams at the broker begin with.
        tls_identity: The file with its private key and certificate. Empty if it has to speak plain text.
        tls_authorities: The file with the CA certificates of those that it trusts.
    """
    values = {SERVICE: service, LISTEN: listen, EGRESS: egress, DATA: data, LOG: log}
    if not deadlines:
        values[DEADLINES] = "off"
    if subscribes:
        values[SUBSCRIBES] = " ".join(sorted(subscribes))
    if subscribers:
        values[SUBSCRIBERS] = _written(subscribers)
    if events_url:
        values[EVENTS_URL], values[EVENTS_PREFIX] = events_url, events_prefix
        if publishers:
            values[PUBLISHERS] = _written(publishers)
    if tls_identity:
        values[TLS_IDENTITY], values[TLS_AUTHORITIES] = tls_identity, tls_authorities
    return values


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """That environment, read."""

    service: str
    listen: str
    egress: str
    data: Path
    log: str = "console"
    deadlines: bool = True
    subscribes: frozenset[str] = frozenset()
    subscribers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    publishers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    events_url: str = field(default="", repr=False)  # it may have a password in it
    events_prefix: str = ""
    tls: IdentityFiles | None = None
    environ: Mapping[str, str]

    @classmethod
    def read(cls, environ: Mapping[str, str] | None = None) -> Self:
        """Reads the environment, by default the process's own.

        Raises:
            NotLaunched: something is missing or has a value that it can't have.
        """
        values = os.environ if environ is None else environ
        missing = [name for name in _REQUIRED if not values.get(name)]
        if missing:
            raise NotLaunched(
                f"{', '.join(missing)} not set. A worker is started by the mesh: `protomesh up` runs all services, "
                "`protomesh run SERVICE` this one in your terminal."
            )
        log = values.get(LOG) or "console"
        if log not in {"json", "console"}:
            raise NotLaunched(f"{LOG} is json or console, not {log!r}")
        if values.get(EVENTS_URL) and not values.get(EVENTS_PREFIX):
            raise NotLaunched(f"{EVENTS_URL} is set and {EVENTS_PREFIX} is not: streams at the broker need a name")
        tls = [values.get(TLS_IDENTITY, ""), values.get(TLS_AUTHORITIES, "")]
        if any(tls) and not all(tls):
            raise NotLaunched(f"{TLS_IDENTITY} and {TLS_AUTHORITIES} come together, and one of them is not set")
        deadlines = values.get(DEADLINES) or "on"
        if deadlines not in {"on", "off"}:
            raise NotLaunched(f"{DEADLINES} is on or off, not {deadlines!r}")
        return cls(
            service=values[SERVICE],
            listen=values[LISTEN],
            egress=values[EGRESS],
            data=Path(values[DATA]),
            log=log,
            deadlines=deadlines == "on",
            subscribes=frozenset(values.get(SUBSCRIBES, "").split()),
            subscribers=_by_event(SUBSCRIBERS, values.get(SUBSCRIBERS, "")),
            publishers=_by_event(PUBLISHERS, values.get(PUBLISHERS, "")),
            events_url=values.get(EVENTS_URL, ""),
            events_prefix=values.get(EVENTS_PREFIX, ""),
            tls=IdentityFiles(*map(Path, tls)) if all(tls) else None,
            environ=values,
        )

    def egress_for(self, rpc_service: str) -> str:
        """Where one RPC service is called: PROTOMESH_EGRESS, or a variable of its own.

        For shop.catalog.v1.CatalogService that is PROTOMESH_EGRESS_SHOP_CATALOG_V1_CATALOGSERVICE.
        """
        return self.environ.get(f"{EGRESS}_{rpc_service.upper().replace('.', '_')}") or self.egress


def _written(services: Mapping[str, Collection[str]]) -> str:
    return " ".join(f"{event}={','.join(names)}" for event, names in sorted(services.items()))


def _by_event(variable: str, text: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for entry in text.split():
        event, equals, names = entry.partition("=")
        if not event or not equals:
            raise NotLaunched(f"{variable} is EVENT=SERVICE,SERVICE for each event, not {entry!r}")
        found[event] = tuple(name for name in names.split(",") if name)
    return found
