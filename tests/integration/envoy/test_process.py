import json
import os
import resource
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import psutil
import pytest

from protomesh.model import Layout
from protomesh.proxy import EnvoyFailed, EnvoyProcess, find
from tests.integration.envoy.lab import free_port


@pytest.fixture
def layout() -> Iterator[Layout]:
    """A run directory with a short name."""
    with tempfile.TemporaryDirectory(prefix="pm", dir="/tmp") as directory:
        yield Layout(run=PurePosixPath(directory), state=PurePosixPath(directory) / "state")


def bootstrap(layout: Layout, **resources: Any) -> dict[str, Any]:
    """An Envoy with nothing but its administration socket, and what a test adds."""
    admin = {"address": {"pipe": {"path": layout.envoy_admin_socket, "mode": 0o600}}}
    return {"admin": admin, "static_resources": resources}


async def test_it_starts_becomes_live_and_stops(layout: Layout) -> None:
    """Its PID is Envoy's own, its configuration is private, and nothing is left when it has stopped."""
    envoy = await EnvoyProcess.start(find(), bootstrap(layout), layout, concurrency=1)
    await envoy.wait_live()
    assert Path(psutil.Process(envoy.pid).exe()) == find().path
    assert await envoy.statistics.ready()
    assert (await envoy.statistics.gauges(r"^server\.live$")) == {"server.live": 1}
    assert stat.S_IMODE((Path(layout.run) / "envoy.json").stat().st_mode) == 0o600
    assert await envoy.stop() == 0
    assert await envoy.stop() == 0
    assert not envoy.running
    assert not psutil.pid_exists(envoy.pid)


async def test_it_may_open_as_many_files_as_it_is_allowed(layout: Layout) -> None:
    """Whatever the soft limit of who starts it: a connection is a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))
    try:
        envoy = await EnvoyProcess.start(find(), bootstrap(layout), layout, concurrency=1)
        try:
            assert psutil.Process(envoy.pid).rlimit(psutil.RLIMIT_NOFILE) == (hard, hard)
        finally:
            await envoy.stop()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


async def test_one_that_refuses_its_configuration_says_why(layout: Layout) -> None:
    """The end of its log is in the error, without the times and places of Envoy's sources."""
    broken = bootstrap(layout, clusters=[{"name": "catalog", "connect_timeout": "-1s"}])
    with pytest.raises(EnvoyFailed, match="Expected positive duration") as caught:
        await EnvoyProcess.start(find(), broken, layout, concurrency=1)
    assert "ended with exit code 1" in str(caught.value)
    assert "[critical]" not in str(caught.value)
    assert "goo.gle" not in str(caught.value)


async def test_a_second_one_cannot_take_the_first_ones_port(layout: Layout) -> None:
    """Without reuse_port a clash is an error and not two Envoys that share calls."""
    address = {"socket_address": {"address": "127.0.0.1", "port_value": free_port()}}
    chain = {
        "filters": [
            {
                "name": "tcp",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
                    "stat_prefix": "tcp",
                    "cluster": "none",
                },
            }
        ]
    }
    listener = {"name": "edge", "address": address, "enable_reuse_port": False, "filter_chains": [chain]}
    first = await EnvoyProcess.start(find(), bootstrap(layout, listeners=[listener]), layout, concurrency=1)
    try:
        await first.wait_live()
        other = Layout(run=layout.run / "b", state=layout.run / "b")
        Path(other.run).mkdir()
        with pytest.raises(EnvoyFailed, match="Address already in use"):
            await EnvoyProcess.start(find(), bootstrap(other, listeners=[listener]), other, concurrency=1)
    finally:
        await first.stop()


async def test_its_log_is_appended_to(layout: Layout) -> None:
    """What an earlier one wrote stays, and is not told as the later one's."""
    log = Path(layout.logs) / "envoy.log"
    log.parent.mkdir(parents=True)
    log.write_text("the earlier one's last words\n", encoding="utf-8")
    with pytest.raises(EnvoyFailed) as caught:
        await EnvoyProcess.start(find(), bootstrap(layout, clusters=[{"name": ""}]), layout, concurrency=1)
    assert "earlier" not in str(caught.value)
    lines = log.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "the earlier one's last words"
    assert len(lines) > 1


async def test_one_that_does_not_heed_sigterm_is_killed(layout: Layout) -> None:
    """A stopped process can't handle the signal."""
    envoy = await EnvoyProcess.start(find(), bootstrap(layout), layout, concurrency=1)
    psutil.Process(envoy.pid).suspend()
    assert await envoy.stop(grace=0.1) == -9
    assert not psutil.pid_exists(envoy.pid)


async def test_without_a_control_plane_it_is_not_live(layout: Layout) -> None:
    """It answers, but has no configuration; the error tells what was waited for."""
    ads = {"ads": {}, "resource_api_version": "V3"}
    config = bootstrap(layout) | {
        "node": {"id": "n", "cluster": "n"},
        "dynamic_resources": {
            "cds_config": ads,
            "ads_config": {
                "api_type": "DELTA_GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "xds"}}],
            },
        },
        "static_resources": {
            "clusters": [
                {
                    "name": "xds",
                    "connect_timeout": "1s",
                    "load_assignment": {
                        "cluster_name": "xds",
                        "endpoints": [
                            {"lb_endpoints": [{"endpoint": {"address": {"pipe": {"path": f"{layout.run}/no.sock"}}}}]}
                        ],
                    },
                    "typed_extension_protocol_options": {
                        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                            "explicit_http_config": {"http2_protocol_options": {}},
                        }
                    },
                }
            ]
        },
    }
    envoy = await EnvoyProcess.start(find(), config, layout, concurrency=1)
    try:
        assert not await envoy.statistics.ready()
        with pytest.raises(EnvoyFailed, match=r"^Envoy has no configuration after 0\.2 s\."):
            await envoy.wait_live(timeout=0.2)
    finally:
        await envoy.stop()


async def test_its_child_of_another_group_is_not_hit_by_ctrl_c(layout: Layout) -> None:
    """The terminal's signal goes to its group; Envoy is stopped by whoever started it, in order."""
    envoy = await EnvoyProcess.start(find(), bootstrap(layout), layout, concurrency=1)
    try:
        assert os.getpgid(envoy.pid) != os.getpgid(0)
        assert json.loads(await envoy.statistics.get("/server_info"))["state"] in {"LIVE", "INITIALIZING"}
    finally:
        await envoy.stop()
