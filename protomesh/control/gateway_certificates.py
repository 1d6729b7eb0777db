"""The certificates of the gateways: read when the mesh starts, and again when their files change."""

import asyncio
import ipaddress
import logging
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from protomesh.control.authority import LIFETIME, Authority
from protomesh.control.certificate import CertificateUnusable, Pair, check_authorities, check_pair
from protomesh.diagnostics import Problems
from protomesh.model import Gateway, Layout, TcpAddress, Tls
from protomesh.proxy import ConfigurationRefused
from protomesh.targets.envoy import authorities, certificate

__all__ = ["GatewayCertificates"]

_LOOKS = 1.0  # seconds between two looks at the files
_WARNS = 14  # days before the end
_RULE = "CERTIFICATE_UNUSABLE"
_log = logging.getLogger(__name__)

Secrets = Mapping[str, dict[str, Any]]
"""By name, in Envoy's words."""


class GatewayCertificates:
    """What the gateways of a mesh show, and whom they let show themselves.

    Args:
        root: The project; paths in mesh.yaml are relative to it.
        layout: Where the development CA is kept.
        now: The clock.
    """

    def __init__(self, root: Path, layout: Layout, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._root = root
        self._authority = Authority(Path(layout.development_ca).parent)
        self._now = now
        self._gateways: tuple[Gateway, ...] = ()
        self._seen: dict[str, object] = {}  # by gateway: what its files were when they were read last
        self._issued: dict[str, Pair] = {}

    def load(self, gateways: Iterable[Gateway]) -> Secrets:
        """Reads what these gateways need, and follows them from now on.

        Raises:
            InvalidProject: all that can't be used, with the line of mesh.yaml.
        """
        problems = Problems()
        secrets: dict[str, dict[str, Any]] = {}
        gateways = tuple(gateway for gateway in gateways if gateway.tls is not None)
        for gateway in gateways:
            try:
                secrets |= self._read(gateway)
            except CertificateUnusable as error:
                problems.error(gateway.origin, _RULE, str(error), "Then start again.")
        problems.raise_if_any()
        self._gateways = gateways
        return secrets

    async def follow(self, changed: Callable[[Secrets], Awaitable[None]]) -> None:
        """Reads again what has changed, for as long as it is awaited; what can't be used is said once, and left."""
        while True:
            await asyncio.sleep(_LOOKS)
            for gateway in self._gateways:
                if not await asyncio.to_thread(self._is_due, gateway):
                    continue
                try:
                    await changed(await asyncio.to_thread(self._read, gateway))
                except CertificateUnusable as error:
                    _log.error(
                        "a new certificate can't be used; the gateway goes on with the one it has",
                        extra={"gateway": gateway.name, "why": str(error)},
                    )
                except (ConfigurationRefused, TimeoutError) as error:
                    _log.error(
                        "Envoy has not taken a new certificate", extra={"gateway": gateway.name, "why": str(error)}
                    )
                else:
                    _log.info("a gateway has a new certificate", extra={"gateway": gateway.name})

    def _is_due(self, gateway: Gateway) -> bool:
        tls = _tls(gateway)
        if self._files(tls) != self._seen[gateway.name]:
            return True
        return tls.development and self._issued[gateway.name].expires - self._now() < LIFETIME / 2

    def _read(self, gateway: Gateway) -> dict[str, dict[str, Any]]:
        tls = _tls(gateway)
        self._seen[gateway.name] = self._files(tls)  # first: what changes while it is read is read again
        if tls.certificate is None or tls.key is None:
            pair = self._issued[gateway.name] = self._authority.issue(_names(gateway.listen), self._now())
        else:
            pair = check_pair(self._root / tls.certificate, self._root / tls.key, self._now())
            if (left := (pair.expires - self._now()).days) < _WARNS:
                _log.warning("a certificate ends soon", extra={"gateway": gateway.name, "days": left})
        bodies = [certificate(gateway.name, pair.chain, pair.key)]
        if tls.clients is not None:
            bodies.append(authorities(gateway.name, check_authorities(self._root / tls.clients.authorities)))
        return {body["name"]: body for body in bodies}

    def _files(self, tls: Tls) -> list[tuple[int, int, int] | None]:
        """What tells one content from another: a file that is replaced, or written in its place."""
        names = [tls.certificate, tls.key, tls.clients.authorities if tls.clients else None]
        return [_identity(self._root / name) if name is not None else None for name in names]


def _tls(gateway: Gateway) -> Tls:
    assert gateway.tls is not None, "others are not followed"
    return gateway.tls


def _identity(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


def _names(listen: TcpAddress) -> list[str]:
    """How this machine may be called by whoever reaches what listens there."""
    if not listen.wildcard:
        return [listen.host, "127.0.0.1", "::1"]
    found = [address.address for addresses in psutil.net_if_addrs().values() for address in addresses]
    return [os.uname().nodename, *(address for address in found if _is_ip(address))]


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False  # a link's own address, or one with its interface
    return True
