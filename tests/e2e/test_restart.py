import asyncio

from tests.e2e.load import under_load
from tests.e2e.mesh import Mesh


async def test_a_restart_under_load_fails_no_call(running: Mesh) -> None:
    """Two workers are replaced twice while unary calls, slow calls and streams go on."""
    before = {worker["pid"] for worker in running.service("echo")["workers"]}

    async with under_load(running.gateway) as load:
        for _ in range(2):
            await asyncio.to_thread(running.protomesh, "restart", "echo", check=True)
        served = load.outcomes["OK"]

    assert load.failures == {}
    assert served > 100
    assert before.isdisjoint(worker["pid"] for worker in running.service("echo")["workers"])


async def test_a_lone_worker_is_replaced_without_a_failed_call(mesh: Mesh) -> None:
    """At no moment the service has no worker that Envoy trusts."""
    text = (mesh.root / "mesh.yaml").read_text()
    (mesh.root / "mesh.yaml").write_text(text.replace("    workers: 2\n", ""))
    await asyncio.to_thread(mesh.protomesh, "up", check=True)

    async with under_load(mesh.gateway) as load:
        for _ in range(3):
            await asyncio.to_thread(mesh.protomesh, "restart", "echo", check=True)

    assert load.failures == {}
    assert len(mesh.service("echo")["workers"]) == 1


def test_an_unknown_service_is_an_error_of_the_input(running: Mesh) -> None:
    """The exit code tells it from a worker that does not start."""
    done = running.protomesh("restart", "nothing")

    assert (done.returncode, done.stderr) == (2, "the mesh runs no service nothing\n")
