"""Who is who inside a mesh with mutual TLS: certificates for Envoy and for each service's workers, renewed live."""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from protomesh.atomic_file import write_atomically
from protomesh.control.certificate import Pair
from protomesh.control.issuer import Issuer
from protomesh.model import Layout, Topology
from protomesh.proxy import ConfigurationRefused
from protomesh.runtime.launch import ENVOY
from protomesh.supervisor import Owner, Secured
from protomesh.targets.envoy import inside_secrets

__all__ = ["Identities", "Lifetimes"]

_log = logging.getLogger(__name__)

Secrets = Mapping[str, dict[str, Any]]
"""By name, in Envoy's words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetimes:
    """How long what is issued holds. All is issued anew when a third of `certificate` is over."""

    certificate: timedelta = timedelta(hours=24)
    authority: timedelta = timedelta(days=7)  # between two new keys of a CA; not less than `certificate`

    @property
    def look(self) -> float:
        """Seconds between two looks at the clock, which may have jumped."""
        return min(1.0, self.certificate.total_seconds() / 20)


class Identities:
    """Two CAs: one for the proxies, which workers trust, and one for workers, which Envoy trusts.

    Neither trusts its own kind, so that a worker's certificate opens no other worker, and a service's no egress but
    its own.

    Args:
        layout: Where services find what is theirs.
        now: The clock.
    """

    def __init__(
        self,
        layout: Layout,
        *,
        lifetimes: Lifetimes = Lifetimes(),
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._layout = layout
        self._lifetimes = lifetimes
        self._now = now
        self._proxies = Issuer("protomesh proxies", lifetimes.authority)
        self._workers = Issuer("protomesh workers", lifetimes.authority)
        self._topology: Topology | None = None
        self._owners: dict[str, tuple[int, int]] = {}  # user and group, by service; ours if it is not here
        self._written: set[str] = set()  # the services that have a file
        self._proxy: Pair | None = None
        self._renewing = threading.Lock()  # a reload may come while what is due is renewed, each in a thread

    def issue(self, topology: Topology) -> Secrets:
        """Writes what each service needs to its files, and returns what Envoy needs. Renews it from now on.

        Raises:
            AccountUnusable: a service's user can't be had.
            OSError: a file can't be written.
        """
        owners = {name: Owner.of(service) for name, service in topology.services.items()}
        self._owners = {name: (owner.uid, owner.gid) for name, owner in owners.items() if owner is not None}
        self._topology = topology
        return self.renew()

    def renew(self) -> Secrets:
        """The same again for the topology that was last issued for.

        Raises:
            OSError: a file can't be written.
        """
        with self._renewing:
            assert self._topology is not None, "issued before it is renewed"
            return self._issue(self._topology)

    def _issue(self, topology: Topology) -> Secrets:
        now, lifetime = self._now(), self._lifetimes.certificate
        self._proxies.renew(now)
        self._workers.renew(now)
        everybody = 0o644 if self._owners else 0o600  # these are certificates, and no secret
        write_atomically(Path(self._layout.authorities_file), self._proxies.authorities, private=True, mode=everybody)
        for name, service in topology.services.items():
            if service.supervised:
                # The name is for gRPC's clients, which know no SPIFFE: the mesh's own, when it asks for health.
                pair = self._workers.issue(topology.identity_of(name), [name], now, lifetime)
                file = Path(self._layout.identity_file(name))
                self._written.add(name)
                write_atomically(file, pair.key + pair.chain, private=True, owner=self._owners.get(name))
        self._proxy = self._proxies.issue(topology.proxy_identity, [ENVOY, "localhost"], now, lifetime)
        return inside_secrets(self._proxy.chain, self._proxy.key, self._workers.authorities)

    def forget(self) -> None:
        """Removes the files of services that are there no more, once their workers have ended."""
        with self._renewing:
            assert self._topology is not None, "issued before"
            started = {name for name, service in self._topology.services.items() if service.supervised}
            for name in self._written - started:
                Path(self._layout.identity_file(name)).unlink(missing_ok=True)
                self._written.remove(name)

    def secured(self, service: str) -> Secured:
        """How the mesh itself comes to a worker of that service."""
        assert self._proxy is not None, "issued before anything starts"
        return Secured(
            name=service,
            authorities=self._workers.authorities.encode(),
            key=self._proxy.key.encode(),
            chain=self._proxy.chain.encode(),
        )

    async def follow(self, changed: Callable[[Secrets], Awaitable[None]]) -> None:
        """Renews what is due, for as long as it is awaited; what fails is said and tried again."""
        while True:
            await asyncio.sleep(self._lifetimes.look)
            if not self.is_due():
                continue
            try:
                await changed(await asyncio.to_thread(self.renew))
            except (ConfigurationRefused, TimeoutError) as error:  # the latter is an OSError, too
                _log.error("Envoy has not taken a new certificate", extra={"why": str(error)})
            except OSError as error:
                _log.error("certificates can't be renewed", extra={"why": str(error)})
            else:
                _log.info("services and Envoy have new certificates")

    def is_due(self) -> bool:
        """Whether what has been issued should be renewed."""
        return self._proxy is not None and self._proxy.expires - self._now() < self._lifetimes.certificate * 2 / 3
