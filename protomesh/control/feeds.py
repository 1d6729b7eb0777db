"""What Envoy is told beside the contracts and mesh.yaml, and what changes by itself: certificates, keys, files."""

import asyncio
from collections.abc import Coroutine
from functools import partial
from pathlib import Path
from typing import Any

from protomesh.control.controller import Controller
from protomesh.control.followed_files import FollowedFiles
from protomesh.control.gateway_certificates import GatewayCertificates
from protomesh.control.identities import Identities, Lifetimes
from protomesh.control.key_source import FollowedKeys
from protomesh.control.server_authorities import ServerAuthorities
from protomesh.model import Layout, Topology

__all__ = ["Feeds"]


class Feeds:
    """Read before a topology is applied, and followed from then on."""

    def __init__(self, root: Path, layout: Layout, lifetimes: Lifetimes) -> None:
        self.identities = Identities(layout, lifetimes=lifetimes)
        self._root = root
        self._certificates = GatewayCertificates(root, layout)
        self._servers = ServerAuthorities(root)
        self._files = FollowedFiles(root)
        self._following: list[asyncio.Task[None]] = []
        self._following_keys: list[asyncio.Task[None]] = []

    async def apply(self, topology: Topology, controller: Controller) -> None:
        """Has Envoy told of a topology, after what it needs to listen and to call at all.

        Raises:
            InvalidProject: a certificate or a file can't be used; with the line of mesh.yaml.
            ConfigurationRefused: as `Controller.apply`.
        """
        await controller.set_secrets(await asyncio.to_thread(self._certificates.load, topology.gateways))
        await controller.set_secrets(await asyncio.to_thread(self._servers.load, topology.services.values()))
        if topology.mtls:
            await controller.set_secrets(await asyncio.to_thread(self.identities.issue, topology))
        await asyncio.to_thread(self._files.look, topology.gateways)
        await controller.apply(topology)

    async def follow(self, topology: Topology, controller: Controller) -> None:
        """Tells Envoy of each change from now on, until `stop`."""
        await self.follow_keys(topology, controller)
        self._following = [
            _task("certificates", self._certificates.follow(controller.set_secrets)),
            _task("servers", self._servers.follow(controller.set_secrets)),
            _task("identities", self.identities.follow(controller.set_secrets)),
            _task("files", self._files.follow(controller.read_files)),
        ]

    async def follow_keys(self, topology: Topology, controller: Controller) -> None:
        """Has the keys of each issuer that is no service of the mesh, and looks for new ones of these only."""
        _cancel(self._following_keys)
        followed = [
            FollowedKeys(self._root, provider.keys, partial(controller.set_key_set, provider.issuer))
            for provider in topology.auth
            if provider.keys.service is None
        ]
        await asyncio.gather(*(keys.look() for keys in followed))
        self._following_keys = [_task("keys", keys.follow()) for keys in followed]

    def stop(self) -> None:
        """Follows nothing any more."""
        _cancel(self._following + self._following_keys)


def _task(name: str, following: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    return asyncio.create_task(following, name=name)


def _cancel(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
