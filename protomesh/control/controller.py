"""When Envoy is told what: the topology and the endpoints of now, made into snapshots and published.

ConfigurationRefused   from protomesh.proxy: Envoy would not take it, and nothing was published
"""

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from protomesh.control.dry_run import dry_run, refusal
from protomesh.control.key_set import KeySetFile
from protomesh.control.status import ConfigurationStatus, RejectedResource, origin_of
from protomesh.control.web_pages import web_pages
from protomesh.model import Endpoint, Layout, Topology
from protomesh.proxy import ConfigurationRefused, EnvoyBinary, Schemas
from protomesh.targets.envoy import (
    ENDPOINTS,
    EXTENSION,
    INSIDE_SECRETS,
    SECRET,
    Configuration,
    Override,
    Pages,
    apply_overrides,
    load_assignment,
    load_overrides,
    needed,
    needed_upstream,
    render,
)
from protomesh.xds import PUSH_ORDER, Cache, Refused, Rejection, Resource, Server, Snapshot

__all__ = ["Controller"]

_ACKNOWLEDGED_WITHIN = 5.0  # seconds


class Controller:
    """Holds what a mesh should look like now and keeps Envoy told, over ADS on `layout.control_socket`.

    `start`, then `apply` a topology; both before Envoy starts, or it waits. The project directory, from which
    `envoy/overrides` are read, is the one that holds `layout.state`.
    """

    def __init__(self, binary: EnvoyBinary, schemas: Schemas, layout: Layout) -> None:
        self._binary = binary
        self._schemas = schemas
        self._layout = layout
        self._cache = Cache()
        self._server = Server(self._cache, schemas.pool)
        self._changing = asyncio.Lock()
        self._node = ""
        self._topology: Topology | None = None
        self._configuration = Configuration(())
        self._overrides: Sequence[Override] = ()
        self._pages: Pages = {}
        self._key_sets: dict[str, str] = {}  # by issuer
        self._suspended: frozenset[str] = frozenset()
        self._endpoints: dict[str, tuple[Endpoint, ...]] = {}
        self._secrets: dict[str, Mapping[str, Any]] = {}

    async def start(self) -> None:
        """Begins to serve ADS."""
        await self._server.start(f"unix:{self._layout.control_socket}")

    async def stop(self) -> None:
        """Ends ADS. Envoy serves on with what it holds."""
        await self._server.stop()

    async def apply(self, topology: Topology) -> None:
        """Publishes the configuration of a topology, once Envoy itself has accepted it in a dry run.

        Returns without waiting for the running Envoy's answer: see `configuration_status`.

        Raises:
            ConfigurationRefused: Envoy would refuse it. The text begins with the line in the user's files, where
                there is one. What was published before stays.
            InvalidProject: the problems of envoy/overrides and of files to be answered; likewise.
        """
        async with self._changing:
            await self._change(topology, self._suspended & topology.services.keys())

    async def suspend(self, service: str) -> None:
        """Lets calls to a service take as long as they like, for as long as a person debugs it.

        Raises:
            KeyError: there is no such service.
            ConfigurationRefused: as `apply`.
        """
        async with self._changing:
            topology = self._known(service)
            await self._change(topology, self._suspended | {service})

    async def resume(self, service: str) -> None:
        """Ends what `suspend` began. A service that is gone meanwhile is no error."""
        async with self._changing:
            if self._topology is not None and service in self._suspended:
                await self._change(self._topology, self._suspended - {service})

    async def read_files(self) -> None:
        """Publishes what is now in the folders that gateways answer, if there is a topology already.

        Raises:
            ConfigurationRefused: as `apply`.
            InvalidProject: likewise.
        """
        async with self._changing:
            if self._topology is not None:
                await self._change(self._topology, self._suspended)

    async def set_endpoints(
        self,
        service: str,
        endpoints: Sequence[Endpoint],
        *,
        timeout: float = _ACKNOWLEDGED_WITHIN,  # noqa: ASYNC109 - its error says what was waited for
    ) -> None:
        """Replaces the places where a service answers; returns when Envoy calls these and no others.

        Nothing but endpoints is published. If Envoy does not answer they are published nevertheless, and it takes
        them when it comes back.

        Raises:
            KeyError: the mesh starts no such service.
            TimeoutError: Envoy did not acknowledge within `timeout` seconds.
            ConfigurationRefused: Envoy refused them.
        """
        if not self._known(service).services[service].supervised:
            raise KeyError(service)
        self._endpoints[service] = tuple(endpoints)
        snapshot = self._cache.snapshot(self._node) or Snapshot()
        self._cache.publish(self._node, snapshot.with_resources(self._located(service)))
        try:
            await self._cache.wait_acknowledged(self._node, ENDPOINTS, [service], timeout=timeout)
        except Refused as refused:
            reason = refused.rejection.reason
            raise ConfigurationRefused(reason, resource=f"the endpoints of {service}") from refused

    async def set_secrets(
        self,
        secrets: Mapping[str, Mapping[str, Any]],
        *,
        timeout: float = _ACKNOWLEDGED_WITHIN,  # noqa: ASYNC109 - as above
    ) -> None:
        """Replaces certificates, by name; returns when Envoy shows these to whoever connects from now on.

        Those that nothing needs yet are kept for the topology that does: set them before it is applied. If Envoy
        refuses some, all stay as they are.

        Raises:
            TimeoutError: Envoy did not acknowledge within `timeout` seconds; it takes them when it comes back.
            ConfigurationRefused: Envoy refused one.
        """
        async with self._changing:
            former = dict(self._secrets)
            self._secrets.update(secrets)
            snapshot = self._cache.snapshot(self._node) or Snapshot()
            used = [name for name in secrets if snapshot.get((SECRET, name)) is not None]
            if not used:
                return
            self._cache.publish(self._node, snapshot.with_resources(*map(self._secret, used)))
            try:
                await self._cache.wait_acknowledged(self._node, SECRET, used, timeout=timeout)
            except Refused as refused:
                self._secrets = former
                self._cache.publish(self._node, snapshot)
                raise ConfigurationRefused(refused.rejection.reason, resource=refused.rejection.name) from refused

    async def set_key_set(
        self,
        issuer: str,
        key_set: str,
        *,
        timeout: float = _ACKNOWLEDGED_WITHIN,  # noqa: ASYNC109 - as above
    ) -> None:
        """Replaces the keys of one issuer; returns when Envoy verifies its tokens with these and no others.

        They stay for later topologies and runs. If Envoy refuses them it goes on with those it has.

        Raises:
            KeyError: the mesh takes no tokens of that issuer.
            TimeoutError: Envoy did not acknowledge within `timeout` seconds; it takes them when it comes back.
            ConfigurationRefused: Envoy refused them.
        """
        async with self._changing:
            if self._topology is None or issuer not in {provider.issuer for provider in self._topology.auth}:
                raise KeyError(issuer)
            former = self._key_sets.get(issuer, "")
            self._key_sets[issuer] = key_set
            try:
                self._refresh(self._topology)
                await self._cache.wait_acknowledged(self._node, EXTENSION, timeout=timeout)
            except Refused as refused:
                self._key_sets[issuer] = former
                self._refresh(self._topology)
                raise ConfigurationRefused(refused.rejection.reason, resource="the key set") from refused
            await asyncio.to_thread(self._kept(issuer).write, key_set)

    async def publish_key_set(self, key_set: str) -> None:
        """As `set_key_set`, for the issuer whose keys come from a service of the mesh.

        Raises:
            KeyError: the mesh has none.
        """
        providers = self._topology.auth if self._topology is not None else ()
        issuer = next((provider.issuer for provider in providers if provider.keys.service is not None), None)
        if issuer is None:
            raise KeyError("auth")
        await self.set_key_set(issuer, key_set)

    def configuration_status(self) -> tuple[ConfigurationStatus, ...]:
        """What Envoy has taken and what it refused, by type in the order in which types are sent."""
        snapshot = self._cache.snapshot(self._node)
        if snapshot is None:
            return ()
        node = self._cache.status(self._node)
        statuses = []
        for type_url in sorted(snapshot.types, key=PUSH_ORDER.index):
            taken = node.acknowledged(type_url)
            resources = snapshot.resources(type_url)
            statuses.append(
                ConfigurationStatus(
                    type_url=type_url,
                    resources=len(resources),
                    acknowledged=sum(taken.get(name) == resource.version for name, resource in resources.items()),
                    rejections=tuple(self._rejected(type_url, rejection) for rejection in node.rejections(type_url)),
                )
            )
        return tuple(statuses)

    async def wait_acknowledged(self, *, timeout: float = _ACKNOWLEDGED_WITHIN) -> None:  # noqa: ASYNC109 - likewise
        """Returns when Envoy has taken everything that is published.

        Raises:
            TimeoutError: it has not within `timeout` seconds for each type.
            ConfigurationRefused: it refused something; the text begins with the line in the user's files.
        """
        snapshot = self._cache.snapshot(self._node) or Snapshot()
        for type_url in sorted(snapshot.types, key=PUSH_ORDER.index):
            try:
                await self._cache.wait_acknowledged(self._node, type_url, timeout=timeout)
            except Refused as refused:
                rejected = self._rejected(type_url, refused.rejection)
                raise refusal(rejected.reason, rejected.resource, rejected.origin) from refused

    async def wait_answered(self, since: int) -> int:
        """Returns when Envoy has connected, left or answered more often than `since`; returns how often by now.

        For whoever shows `configuration_status` as it changes; begin with 0.
        """
        return await self._cache.wait_answered(since)

    async def _change(self, topology: Topology, suspended: frozenset[str]) -> None:
        self._overrides = await asyncio.to_thread(load_overrides, Path(self._layout.state).parent)
        self._pages = await asyncio.to_thread(web_pages, Path(self._layout.state).parent, topology)
        await self._have_key_sets(topology)
        configuration = self._render(topology, suspended)
        resources = tuple(self._encode(configuration))
        await dry_run(self._binary, configuration, self._layout)
        # Nothing is awaited from here on: whoever looks sees all of the change or nothing.
        located = [self._located(name) for name, service in topology.services.items() if service.supervised]
        inside = INSIDE_SECRETS if topology.mtls else ()
        edges = (secret for gateway in topology.gateways for secret in needed(gateway))
        named = [*inside, *needed_upstream(topology.services.values()), *edges]
        secrets = [self._secret(name) for _, name in named]
        node = self._node or topology.name  # a running Envoy keeps the name it started with
        self._cache.publish(node, Snapshot((*resources, *located, *secrets)))
        self._node = node
        self._topology, self._configuration, self._suspended = topology, configuration, suspended
        self._endpoints = {name: places for name, places in self._endpoints.items() if name in topology.services}

    async def _have_key_sets(self, topology: Topology) -> None:
        """Has for each issuer what the last run had, until there is something newer."""
        for provider in topology.auth:
            if provider.issuer not in self._key_sets:
                self._key_sets[provider.issuer] = await asyncio.to_thread(self._kept(provider.issuer).read)

    def _kept(self, issuer: str) -> KeySetFile:
        return KeySetFile(Path(self._layout.key_set_file(issuer)))

    def _render(self, topology: Topology, suspended: frozenset[str]) -> Configuration:
        known = topology.with_key_sets(self._key_sets)
        return apply_overrides(render(known, self._layout, suspended, self._pages), self._overrides)

    def _refresh(self, topology: Topology) -> None:
        """Publishes what Envoy has accepted in a dry run already, but for the keys."""
        snapshot = self._cache.snapshot(self._node) or Snapshot()
        resources = self._encode(self._render(topology, self._suspended))
        self._cache.publish(self._node, snapshot.with_resources(*resources))

    def _encode(self, configuration: Configuration) -> list[Resource]:
        encoded = []
        for rendered in configuration.resources():
            try:
                body = self._schemas.encode(rendered.type_url, rendered.body)
            except ConfigurationRefused as refused:
                origin = origin_of(refused.reason, rendered.name, rendered.origins)
                raise refusal(refused.reason, refused.resource, origin) from refused
            encoded.append(Resource(type_url=rendered.type_url, name=rendered.name, body=body, needs=rendered.needs))
        return encoded

    def _located(self, service: str) -> Resource:
        """The endpoints of a service, as they are now."""
        body = load_assignment(service, self._endpoints.get(service, ()))
        return Resource(type_url=ENDPOINTS, name=service, body=self._schemas.encode(ENDPOINTS, body))

    def _secret(self, name: str) -> Resource:
        return Resource(type_url=SECRET, name=name, body=self._schemas.encode(SECRET, dict(self._secrets[name])))

    def _known(self, service: str) -> Topology:
        if self._topology is None or service not in self._topology.services:
            raise KeyError(service)
        return self._topology

    def _rejected(self, type_url: str, rejection: Rejection) -> RejectedResource:
        rendered = self._configuration.get(type_url, rejection.name)
        if rendered is not None:
            origin = origin_of(rejection.reason, rejection.name, rendered.origins)
        else:
            service = self._topology.services.get(rejection.name) if self._topology else None
            origin = service.origin if service else None
        return RejectedResource(resource=rejection.name, reason=rejection.reason, origin=origin)
