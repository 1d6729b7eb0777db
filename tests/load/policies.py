#!/usr/bin/env python3
"""What the whole policy set costs Envoy: CPU of a call with it, over that of a call that is proxied and nothing else.

    python tests/load/policies.py           # prints microseconds of CPU for each round, exits 1 if the median misses 55

Three Envoys of one version, one thread each: one answers, one stands before it with a route and nothing else, and one
as a mesh's edge does: a token whose signature is in the cache, scopes, a rate limit, statistics, the access log, and
whatever else the edge looks at. Both take the same calls by the same client, HTTP/2, in turns; the client waits for
answers, so what is compared is CPU and not speed.
"""

import asyncio
import statistics
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import grpc.aio
import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from protomesh.model import (  # noqa: E402 - after the path is set
    Audience,
    External,
    Layout,
    RateLimit,
    RpcService,
    TcpAddress,
    UnixAddress,
)
from protomesh.proxy import EnvoyProcess, find  # noqa: E402
from protomesh.targets.envoy import render, static_bootstrap  # noqa: E402
from protomesh.targets.envoy.cluster import http2  # noqa: E402
from protomesh.targets.envoy.names import typed  # noqa: E402
from tests.integration.envoy.lab import SERVICE, free_port, lab_topology, method, origin  # noqa: E402
from tests.integration.envoy.test_tokens import auth  # noqa: E402
from tests.integration.envoy.tokens import Issuer  # noqa: E402

BOUND = 55.0  # microseconds
ROUNDS = 7
CALLS = 4000  # a round
TOGETHER = 16
_MANAGER = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
_ROUTER = {"name": "router", "typed_config": typed("envoy.extensions.filters.http.router.v3.Router")}


def _listener(address: dict[str, Any], route: dict[str, Any], **options: Any) -> dict[str, Any]:
    manager = typed(
        _MANAGER,
        stat_prefix="plain",
        http_filters=[_ROUTER],
        route_config={
            "virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [{"match": {"prefix": "/"}, **route}]}]
        },
    )
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]
    return {"name": "plain", "address": address, "filter_chains": [{"filters": filters}], **options}


def _upstream(layout: Layout, socket: str) -> dict[str, Any]:
    """Answers every call at once, with OK in its headers."""
    ok = {"header": {"key": "grpc-status", "value": "0"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
    route = {"direct_response": {"status": 200}, "response_headers_to_add": [ok]}
    return _bootstrap(layout, listeners=[_listener({"pipe": {"path": socket}}, route)])


def _plain(layout: Layout, port: int, socket: str) -> dict[str, Any]:
    """Proxies, and does nothing else."""
    endpoint = {"endpoint": {"address": {"pipe": {"path": socket}}}}
    cluster = {
        "name": "upstream",
        "type": "STATIC",
        "load_assignment": {"cluster_name": "upstream", "endpoints": [{"lb_endpoints": [endpoint]}]},
        "typed_extension_protocol_options": http2(),
    }
    address = {"socket_address": {"address": "127.0.0.1", "port_value": port}}
    return _bootstrap(layout, listeners=[_listener(address, {"route": {"cluster": "upstream"}})], clusters=[cluster])


def _edge(layout: Layout, port: int, socket: str, issuer: Issuer) -> dict[str, Any]:
    """The edge of a mesh, as it is rendered, before the same upstream."""
    guarded = method(
        "EditItem",
        audience=Audience.USER,
        scopes=("lab.read", "lab.write"),
        rate_limit=RateLimit(requests=1_000_000, per=timedelta(seconds=1)),
    )
    whole = lab_topology(port, auth=(auth(issuer.key_set),))
    service = replace(
        whole.services["lab"],
        runs=External(address=UnixAddress(socket)),
        serves=(RpcService(full_name=SERVICE, methods=(guarded,), origin=origin()),),
    )
    gateway = replace(whole.gateways[0], listen=TcpAddress("127.0.0.1", port), routes=())
    topology = replace(whole, services={"lab": service}, gateways=(gateway,))
    return static_bootstrap(render(topology, layout), layout, {})


def _bootstrap(layout: Layout, **resources: Any) -> dict[str, Any]:
    admin = {"address": {"pipe": {"path": layout.envoy_admin_socket, "mode": 0o600}}}
    return {"admin": admin, "static_resources": resources}


@asynccontextmanager
async def running(name: str, directory: Path, configure: Any) -> AsyncIterator[EnvoyProcess]:
    """One of the three."""
    run = directory / name
    run.mkdir()
    layout = Layout(run=PurePosixPath(run), state=PurePosixPath(run) / "state")
    Path(layout.logs).mkdir(parents=True)
    envoy = await EnvoyProcess.start(find(), configure(layout), layout, concurrency=1)
    try:
        await envoy.wait_live()
        yield envoy
    finally:
        await envoy.stop()


async def called(channel: grpc.aio.Channel, token: str, calls: int) -> None:
    """So many calls, some at a time. Each has to end with OK; no message comes, so to gRPC it is a stream of none."""
    left = iter(range(calls))
    start: Any = channel.unary_stream(f"/{SERVICE}/EditItem")

    async def caller() -> None:
        for _ in left:
            call = start(b"", timeout=10, metadata=(("authorization", token),))
            async for _ in call:
                raise AssertionError("upstream sends no message")

    await asyncio.gather(*(caller() for _ in range(TOGETHER)))


async def refused(channel: grpc.aio.Channel) -> None:
    """A caller without a token is not let in: the policies are there."""
    start: Any = channel.unary_stream(f"/{SERVICE}/EditItem")
    assert await start(b"", timeout=10).code() is grpc.StatusCode.UNAUTHENTICATED


def cpu(envoy: EnvoyProcess) -> float:
    """Seconds, user and system, since it started."""
    times = psutil.Process(envoy.pid).cpu_times()
    return float(times.user + times.system)


async def main() -> int:
    """Measures in turns, so that a machine whose speed drifts is the same for both."""
    issuer, differences = Issuer(), []
    token = f"Bearer {issuer.token(scope='lab.read lab.write')}"
    ports = {"plain": free_port(), "edge": free_port()}
    with tempfile.TemporaryDirectory(prefix="pm", dir="/tmp") as directory:
        socket = f"{directory}/upstream.sock"
        async with AsyncExitStack() as stack:
            root = Path(directory)
            await stack.enter_async_context(running("upstream", root, lambda layout: _upstream(layout, socket)))
            envoys = {
                "plain": await stack.enter_async_context(
                    running("plain", root, lambda layout: _plain(layout, ports["plain"], socket))
                ),
                "edge": await stack.enter_async_context(
                    running("edge", root, lambda layout: _edge(layout, ports["edge"], socket, issuer))
                ),
            }
            channels = {
                name: await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))
                for name, port in ports.items()
            }
            await refused(channels["edge"])
            for name in envoys:  # connections, and the signature into the cache
                await called(channels[name], token, CALLS // 4)
            for number in range(ROUNDS):
                cost = {}
                for name in envoys if number % 2 else reversed(envoys):
                    before = cpu(envoys[name])
                    await called(channels[name], token, CALLS)
                    cost[name] = (cpu(envoys[name]) - before) / CALLS * 1e6
                differences.append(cost["edge"] - cost["plain"])
                print(f"plain {cost['plain']:.0f} us, edge {cost['edge']:.0f} us; more {differences[-1]:.1f} us")
    median = statistics.median(differences)
    print(f"policies cost {median:.1f} us of CPU a call, bound {BOUND:.0f}")
    return int(median > BOUND)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
