import asyncio
import os
import signal
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.model import Call, Command, External, Layout, Origin, TcpAddress
from protomesh.supervisor import Agent, AlreadyAttached, ServicesFailed, UnknownService, WorkerFailed
from protomesh.supervisor.process import Process
from tests.unit.supervisor.programs import Control, eventually, service

State = admin.ServiceStatus.State


async def test_every_worker_serves_on_a_socket_of_its_own(agent: Agent, control: Control) -> None:
    """When start() returns the control plane knows all endpoints."""
    await agent.start({"catalog": service("catalog", workers=2), "orders": service("orders")})

    catalog, orders = agent.statuses()
    assert (catalog.state, orders.state) == (State.STATE_SERVING, State.STATE_SERVING)
    assert len(set(control.last("catalog"))) == 2
    assert control.last("catalog") == list(catalog.endpoints)
    assert all(psutil.pid_exists(worker.pid) and worker.serving for worker in catalog.workers)


async def test_stopping_leaves_neither_process_nor_socket(agent: Agent, layout: Layout) -> None:
    """Workers drain, and their sockets go with them."""
    await agent.start({"catalog": service("catalog", workers=2)})
    pids = [worker.pid for worker in agent.statuses()[0].workers]

    await agent.stop()

    assert not any(psutil.pid_exists(pid) for pid in pids)
    assert [path.name for path in Path(layout.run).rglob("*") if not path.is_dir()] == ["state.json"]
    assert (Path(layout.logs) / "catalog.log").read_text().count("drained") == 2


async def test_a_restart_reports_the_new_before_the_old_ends(agent: Agent, control: Control) -> None:
    """The service has an endpoint at each moment, and the new worker's path is new."""
    await agent.start({"catalog": service("catalog")})
    (old,) = control.last("catalog")
    before = len(control.reports)

    await agent.restart("catalog")

    (new,) = control.last("catalog")
    assert new != old
    assert [addresses for _, addresses in control.reports[before:]] == [[old, new], [new]]
    assert len(agent.statuses()[0].workers) == 1


async def test_a_new_worker_that_fails_leaves_the_old_one_alone(agent: Agent, control: Control, root: Path) -> None:
    """A restart with broken code is an error message and no outage."""
    await agent.start({"catalog": service("catalog", FAIL_WHEN=str(root / "broken"))})
    before = control.last("catalog")
    (root / "broken").touch()

    with pytest.raises(WorkerFailed, match="exited with status 3 before it served") as caught:
        await agent.restart("catalog")

    assert caught.value.log == ("started as catalog", "no database")
    assert control.last("catalog") == before
    assert agent.statuses()[0].state == State.STATE_SERVING


async def test_endpoints_that_envoy_does_not_accept_keep_the_old_worker(agent: Agent, control: Control) -> None:
    """Without an acknowledgement nobody is asked to drain."""
    await agent.start({"catalog": service("catalog")})
    pid = agent.statuses()[0].workers[0].pid
    control.acknowledges = False

    with pytest.raises(WorkerFailed, match="Envoy did not accept its endpoints: no Envoy"):
        await agent.restart("catalog")

    assert agent.statuses()[0].workers[0].pid == pid
    assert psutil.pid_exists(pid)


async def test_a_crash_removes_the_endpoint_and_starts_another(agent: Agent, control: Control) -> None:
    """The report comes at once, the new worker after a moment."""
    await agent.start({"catalog": service("catalog", workers=2)})
    worker = agent.statuses()[0].workers[0]

    os.kill(worker.pid, signal.SIGKILL)
    await eventually(lambda: len(control.last("catalog")) == 1)
    assert worker.address not in control.last("catalog")
    assert "killed by SIGKILL" in agent.statuses()[0].problem

    await eventually(lambda: len(control.last("catalog")) == 2)
    await eventually(lambda: [w.restarts for w in agent.statuses()[0].workers] == [1, 0])
    assert not Path(worker.address.removeprefix("unix:")).exists()


async def test_a_service_that_cannot_start_says_why(agent: Agent, root: Path) -> None:
    """Which one, how it ended and its last words; it is tried again and recovers when the reason is gone."""
    (root / "broken").touch()

    with pytest.raises(ServicesFailed) as caught:
        await agent.start({"catalog": service("catalog", FAIL_WHEN=str(root / "broken")), "orders": service("orders")})

    assert list(caught.value.failures) == ["catalog"]
    catalog, orders = agent.statuses()
    assert catalog.state == State.STATE_BACKING_OFF
    assert list(catalog.last_log_lines) == ["started as catalog", "no database"]
    assert orders.state == State.STATE_SERVING

    (root / "broken").unlink()
    await eventually(lambda: agent.statuses()[0].state == State.STATE_SERVING)


async def test_a_missing_program_is_named(agent: Agent) -> None:
    """Not a traceback of exec()."""
    missing = replace(service("rates"), runs=Command(argv=("rates-server", "--fast")))

    with pytest.raises(ServicesFailed, match="rates: rates-server is not on PATH"):
        await agent.start({"rates": missing})


async def test_an_attached_worker_takes_all_calls_until_it_leaves(
    agent: Agent, control: Control, root: Path, tmp_path: Path
) -> None:
    """A terminal's worker is alone in the endpoints; the service's own come back when it is gone."""
    await agent.start({"catalog": service("catalog")})
    own = control.last("catalog")

    async with agent.attach("catalog") as attachment:
        with pytest.raises(AlreadyAttached):
            async with agent.attach("catalog"):
                pass
        process = Process.spawn(
            service("catalog").runs.argv,  # type: ignore[union-attr] # it is a Command
            env={**os.environ, **attachment.environment},
            cwd=root,
            log=tmp_path / "log",
        )
        await agent.wait_attached("catalog", attachment)
        assert control.last("catalog") == [str(attachment.address)]
        assert agent.statuses()[0].state == State.STATE_ATTACHED
        await process.stop(timedelta(seconds=5))

    assert control.last("catalog") == own
    assert agent.statuses()[0].state == State.STATE_SERVING


async def test_a_changed_mesh_starts_stops_and_restarts(agent: Agent, control: Control) -> None:
    """Only what changed is touched."""
    await agent.start({name: service(name) for name in ("catalog", "orders", "payments")})
    pids = {status.name: status.workers[0].pid for status in agent.statuses()}

    changes = await agent.apply(
        {
            "catalog": service("catalog"),
            "orders": service("orders", LEVEL="debug"),
            "rates": service("rates", workers=2),
        }
    )

    assert changes == ["restarted orders", "started rates", "stopped payments"]
    catalog, orders, rates = agent.statuses()
    assert catalog.workers[0].pid == pids["catalog"]
    assert orders.workers[0].pid != pids["orders"]
    assert len(rates.workers) == 2
    assert not psutil.pid_exists(pids["payments"])

    assert await agent.apply({"catalog": service("catalog"), "rates": service("rates")}) == [
        "restarted rates",
        "stopped orders",
    ]
    assert len(control.last("rates")) == 1


async def test_what_runs_elsewhere_is_shown_and_not_started(agent: Agent, control: Control) -> None:
    """`address:` in mesh.yaml is no process, and Envoy has it from mesh.yaml."""
    legacy = replace(service("legacy"), runs=External(address=TcpAddress("127.0.0.1", 9000)))

    await agent.start({"legacy": legacy})

    assert control.reports == []
    assert list(agent.statuses()[0].endpoints) == ["127.0.0.1:9000"]
    assert agent.statuses()[0].state == State.STATE_EXTERNAL
    with pytest.raises(UnknownService):
        await agent.restart("legacy")


async def test_a_status_change_is_announced(agent: Agent) -> None:
    """Whoever shows the status needs not ask again and again."""
    await agent.start({"catalog": service("catalog")})
    agent.changed.clear()

    os.kill(agent.statuses()[0].workers[0].pid, signal.SIGKILL)

    async with asyncio.timeout(10):
        await agent.changed.wait()


async def test_callees_outlive_their_callers_where_calls_are_in_progress(agent: Agent, layout: Layout) -> None:
    """The caller has written that it has drained before the callee is asked to; then both are gone."""
    calls = (Call(service="catalog", origin=Origin(file="mesh.yaml")),)
    await agent.start({"catalog": service("catalog"), "orders": replace(service("orders"), calls=calls)})
    caller, callee = (
        psutil.Process(status.workers[0].pid) for status in sorted(agent.statuses(), key=lambda s: s.name != "orders")
    )
    log = Path(layout.logs) / "catalog.log"
    seen: list[bool] = []

    async def look() -> None:
        while caller.is_running():
            seen.append("drained" in log.read_text())
            await asyncio.sleep(0.01)

    looking = asyncio.create_task(look())
    await agent.stop(callers_first=True)
    await looking

    assert seen
    assert not any(seen)
    assert "drained" in log.read_text()
    assert not callee.is_running()
