"""What callers see while a reload has changed the mesh and its new workers do not serve yet."""

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any

import grpc
import pytest
from google.rpc import code_pb2

from protomesh.admin.v1 import admin_service_pb2 as admin
from protomesh.admin.v1.admin_service_pb2_grpc import AdminServiceStub
from protomesh.control.channel import unix_channel
from tests.e2e import grpc_web, reach
from tests.e2e.mesh import Mesh

GET_ZONE = "/echo.v1.ClockService/GetZone"
PROMPTLY = 3.0  # seconds; the method's deadline is 5
CLOCK = """\
  clock:
    command: ["${PYTHON:-python3}", clock/server.py]
"""
# Starts when the file `go` is there.
GATED = """\
  clock:
    command: [sh, -c, "until [ -e go ]; do sleep 0.05; done; exec ${PYTHON:-python3} clock/server.py"]
"""


class Zone:
    """Calls GetZone again and again, and notes how each call ended."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.outcomes: list[tuple[str, str]] = []
        self._get: Any = channel.unary_unary(GET_ZONE)

    async def ask(self) -> str:
        """One call. Returns its code.

        Raises:
            AssertionError: it took long.
        """
        asked = time.monotonic()
        try:
            await self._get(b"", timeout=20)
            outcome = ("OK", "")
        except grpc.aio.AioRpcError as error:
            outcome = (error.code().name, error.details() or "")
        assert time.monotonic() - asked < PROMPTLY, outcome
        self.outcomes.append(outcome)
        return outcome[0]

    async def ask_until(self, *codes: str) -> None:
        """Calls until one ends so."""
        async with asyncio.timeout(30):
            while await self.ask() not in codes:
                await asyncio.sleep(0.01)

    @property
    def codes(self) -> list[str]:
        """The codes in the order in which they came first."""
        return list(dict.fromkeys(code for code, _ in self.outcomes))


@pytest.fixture
async def zone(mesh: Mesh) -> AsyncGenerator[Zone]:
    """A caller from outside."""
    async with reach.edge(mesh) as channel:
        yield Zone(channel)


async def reload(mesh: Mesh) -> list[str]:
    """Reads the project again; returns what was done."""
    async with unix_channel(reach.layout(mesh).admin_socket) as channel:
        response = await AdminServiceStub(channel).Reload(admin.ReloadRequest(), timeout=60)
    return list(response.changes)


def edit(mesh: Mesh, old: str, new: str) -> None:
    """Replaces a text of mesh.yaml."""
    file = mesh.root / "mesh.yaml"
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


async def test_a_new_service_is_unavailable_until_it_serves(mesh: Mesh, zone: Zone) -> None:
    """Its methods exist from the reload on: whoever calls is told to come back, on every way in, at once."""
    served = (mesh.root / "mesh.yaml").read_text()
    (mesh.root / "mesh.yaml").write_text(served.partition(CLOCK)[0])
    await asyncio.to_thread(mesh.protomesh, "up", check=True)
    await zone.ask()

    (mesh.root / "mesh.yaml").write_text(served.replace(CLOCK, GATED))
    reloading = asyncio.create_task(reload(mesh))
    await zone.ask_until("UNAVAILABLE")
    async with reach.operator(mesh) as channel:
        operators = Zone(channel)
        await operators.ask()
    async with reach.http(mesh) as client, grpc_web.call(client, GET_ZONE, b"") as web:
        assert [message async for message in web.messages()] == []
    assert not reloading.done()
    (mesh.root / "go").touch()

    assert await asyncio.wait_for(reloading, 60) == ["started clock"]
    assert await zone.ask() == "OK"
    assert zone.codes == ["UNIMPLEMENTED", "UNAVAILABLE", "OK"]
    assert all(text for code, text in (*zone.outcomes, *operators.outcomes) if code == "UNAVAILABLE")
    assert operators.codes == ["UNAVAILABLE"]
    assert web.status.code == code_pb2.UNAVAILABLE


async def test_a_renamed_service_is_unavailable_until_it_serves(mesh: Mesh, zone: Zone) -> None:
    """It is never unknown, and no call waits for it."""
    await asyncio.to_thread(mesh.protomesh, "up", check=True)
    await zone.ask()

    edit(mesh, CLOCK, GATED.replace("clock:", "watch:"))
    reloading = asyncio.create_task(reload(mesh))
    await zone.ask_until("UNAVAILABLE")
    (mesh.root / "go").touch()
    await zone.ask_until("OK")

    assert await asyncio.wait_for(reloading, 60) == ["started watch", "stopped clock"]
    assert await zone.ask() == "OK"
    assert zone.codes == ["OK", "UNAVAILABLE"]
    assert all(text for code, text in zone.outcomes if code == "UNAVAILABLE")
    assert {service["name"] for service in mesh.status()["services"]} == {"echo", "front", "watch"}


async def test_a_new_service_that_does_not_start_stays_unavailable(mesh: Mesh, zone: Zone) -> None:
    """The reload says why; everything else goes on, and so does this one when its reason is gone."""
    await asyncio.to_thread(mesh.protomesh, "up", check=True)
    edit(mesh, CLOCK, CLOCK.replace("clock:", "watch:").replace("clock/server.py", "watch.py"))

    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await reload(mesh)

    assert "watch: exited with status" in (failed.value.details() or "")
    assert await zone.ask() == "UNAVAILABLE"
    assert (await asyncio.to_thread(mesh.call, "Say", {"text": "x"}))["text"] == "x"
    (mesh.root / "watch.py").write_text((mesh.root / "clock/server.py").read_text().replace("parent.parent", "parent"))
    await zone.ask_until("OK")
