"""The CAs of servers that run elsewhere: read when the mesh starts, and again when their files change."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from protomesh.control.certificate import CertificateUnusable, check_trusted
from protomesh.diagnostics import Problems
from protomesh.model import External, Service
from protomesh.proxy import ConfigurationRefused
from protomesh.targets.envoy import server_authorities

__all__ = ["ServerAuthorities"]

_LOOKS = 1.0  # seconds between two looks at the files
_log = logging.getLogger(__name__)

Secrets = Mapping[str, dict[str, Any]]
"""By name, in Envoy's words."""


class ServerAuthorities:
    """Whom the mesh takes for the servers at the addresses of its services.

    Args:
        root: The project; paths in mesh.yaml are relative to it.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._files: dict[str, Path] = {}  # by service
        self._told: dict[str, str] = {}
        self._problems: dict[str, str] = {}

    def load(self, services: Iterable[Service]) -> Secrets:
        """Reads what these services need, and follows it from now on.

        Raises:
            InvalidProject: all that can't be used, with the line of mesh.yaml.
        """
        problems = Problems()
        files: dict[str, Path] = {}
        told: dict[str, str] = {}
        for service in services:
            if not isinstance(service.runs, External) or service.runs.tls is None:
                continue
            file = files[service.name] = self._root / service.runs.tls.authorities
            try:
                told[service.name] = check_trusted(file)
            except CertificateUnusable as error:
                problems.error(service.origin, "CERTIFICATE_UNUSABLE", str(error), "Then start again.")
        problems.raise_if_any()
        self._files, self._told, self._problems = files, told, {}
        return {body["name"]: body for body in (server_authorities(name, found) for name, found in told.items())}

    async def follow(self, changed: Callable[[Secrets], Awaitable[None]]) -> None:
        """Tells what has changed, for as long as it is awaited; what can't be used is said once, and left."""
        while True:
            await asyncio.sleep(_LOOKS)
            for service, file in list(self._files.items()):
                try:
                    found = await asyncio.to_thread(check_trusted, file)
                    if found != self._told.get(service) and self._files.get(service) == file:
                        body = server_authorities(service, found)
                        await changed({body["name"]: body})
                        self._told[service] = found
                        _log.info("a server is known by other CAs", extra={"service": service})
                    self._problems.pop(service, None)
                except (CertificateUnusable, ConfigurationRefused, TimeoutError) as error:
                    self._complain(service, str(error))

    def _complain(self, service: str, problem: str) -> None:
        if problem != self._problems.get(service):
            extra = {"service": service, "why": problem}
            _log.error("the CAs of a server can't be used; those from before hold", extra=extra)
        self._problems[service] = problem
