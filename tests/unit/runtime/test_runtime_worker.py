import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from grpc import aio
from grpc_health.v1 import health_pb2, health_pb2_grpc

from protomesh.runtime.launch import Launch, NotLaunched, environment

APP = """
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
import logging

from probe.v1 import AnswerResponse, AskRequest, AskResponse, FrontServiceServicer, FollowResponse, LeafServiceStub
from probe.v1 import AnswerRequest, HurryResponse, LeafServiceServicer
from protomesh.runtime import App, Mesh


@dataclass(frozen=True)
class Settings:
    greeting: str


class Front(FrontServiceServicer):
    def __init__(self, leaf, greeting):
        self.leaf, self.greeting = leaf, greeting

    async def Ask(self, request, context, /):
        logging.getLogger("app").warning("asked for %s", request.text)
        if request.text == "fail":
            raise RuntimeError("password=hunter2")
        return AskResponse(text=self.greeting + (await self.leaf.Answer(AnswerRequest(text=request.text))).text)

    async def Follow(self, request, context, /):
        import asyncio
        yield FollowResponse()
        await asyncio.Event().wait()


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    settings = mesh.settings(Settings)
    yield App(Front(mesh.client(LeafServiceStub), settings.greeting))
    print("left", flush=True)


@asynccontextmanager
async def stored(mesh: Mesh) -> AsyncGenerator[App]:
    async with mesh.database(migrations="probe_store"):
        yield App()
"""
MIGRATIONS = "raise RuntimeError('no bricks today')"


@asynccontextmanager
async def worker(folder: Path, *arguments: str, **variables: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Starts a worker as the mesh does, with the contracts that this process has."""
    folder.joinpath("probe_app.py").write_text(APP)
    migrations = folder / "probe_store" / "migrations"
    migrations.mkdir(parents=True, exist_ok=True)
    migrations.parent.joinpath("__init__.py").touch()
    migrations.joinpath("env.py").write_text(MIGRATIONS)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "protomesh.runtime",
        *arguments,
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path), **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def serving(process: asyncio.subprocess.Process) -> None:
    """Returns when the worker has said that it serves."""
    assert process.stderr is not None
    async with asyncio.timeout(30):
        line = await process.stderr.readline()
    assert json.loads(line)["event"] == "serving", line


async def test_a_worker_serves_until_it_is_told_to_end(short_path: Path, servers: Any) -> None:
    """It answers, calls others through the egress, ends streams on SIGTERM, leaves its app, and exits with 0."""
    from probe.v1 import AnswerResponse, AskRequest, FollowRequest, FrontServiceStub

    async def answer(request: Any, context: Any) -> Any:
        return AnswerResponse(text=f"{request.text} {context.request_id}")

    await servers.leaf_channel(Answer=answer)
    listen = f"unix:{short_path}/w"
    variables = environment("front", listen, servers.targets[-1], str(short_path / "data"), log="json")
    async with worker(short_path, "probe_app:app", GREETING="hello ", **variables) as process:
        await serving(process)
        async with aio.insecure_channel(listen) as channel:
            health: Any = health_pb2_grpc.HealthStub(channel)
            assert (await health.Check(health_pb2.HealthCheckRequest())).status == 1
            front = FrontServiceStub(channel)
            metadata = (("x-request-id", "r1"), ("traceparent", f"00-{'a' * 32}-{'b' * 16}-01"))
            assert (await front.Ask(AskRequest(text="you"), metadata=metadata)).text == "hello you r1"
            with pytest.raises(aio.AioRpcError):
                await front.Ask(AskRequest(text="fail"), metadata=metadata)
            stream = front.Follow(FollowRequest())
            await stream.read()
            process.send_signal(signal.SIGTERM)
            with pytest.raises(aio.AioRpcError, match="the worker is going away"):
                await stream.read()
        out, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0
    assert out == b"left\n"
    lines = [json.loads(line) for line in err.splitlines()]
    assert [line["event"] for line in lines] == [
        "asked for you",
        "asked for fail",
        "the handler failed",
        "draining",
        "ended",
    ]
    in_call = {
        "service": "front",
        "method": "probe.v1.FrontService/Ask",
        "request_id": "r1",
        "trace_id": "a" * 32,
    }
    for line in lines[:3]:
        assert line.items() >= in_call.items()
    assert "hunter2" in lines[2]["exception"]
    assert "method" not in lines[3]


@pytest.mark.parametrize(
    ("arguments", "variables", "told"),
    [
        ([], {}, "usage: python -m protomesh.runtime MODULE:APP"),
        (["probe_app:app"], {}, "PROTOMESH_SERVICE, PROTOMESH_LISTEN, PROTOMESH_EGRESS, PROTOMESH_DATA not set."),
        (["probe_app"], {"GREETING": "x"}, "'probe_app' is not MODULE:NAME"),
        (["probe_ap:app"], {"GREETING": "x"}, "there is no module probe_ap to run probe_ap:app from"),
        (["probe_app:ap"], {"GREETING": "x"}, "probe_app has no ap that makes an App"),
        (["probe_app:app"], {"GREETING": ""}, "GREETING is not set; it has to be text"),
        (["probe_app:stored"], {"PROTOMESH_DATABASE_URL": "mysql://db"}, "PROTOMESH_DATABASE_URL names 'mysql'"),
    ],
)
async def test_a_persons_mistake_is_one_sentence(
    short_path: Path, arguments: list[str], variables: dict[str, str], told: str
) -> None:
    """Exit code 2, and no traceback."""
    launched = environment("front", f"unix:{short_path}/w", "unix:/nowhere", str(short_path / "d"), log="console")
    async with worker(short_path, *arguments, **(launched if variables else {}), **variables) as process:
        _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    assert told in err.decode()
    assert "Traceback" not in err.decode()


async def test_migrations_that_fail_say_so_once(short_path: Path) -> None:
    """What the worker's log ends with is what went wrong in the migrations' own process, and no traceback of ours."""
    launched = environment("front", f"unix:{short_path}/w", "unix:/nowhere", str(short_path / "d"), log="console")
    async with worker(short_path, "probe_app:stored", **launched) as process:
        _, err = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 2
    told = err.decode()
    assert told.startswith("the migrations of probe_store failed with exit code 1:\n")
    assert told.rstrip().endswith("RuntimeError: no bricks today")
    assert told.count("Traceback") == 1


def test_the_environment_is_read_as_it_is_written() -> None:
    """What a service in another language sees is what a worker reads."""
    values = environment("orders", "unix:/a", "127.0.0.1:1", "/data", log="json", deadlines=False)
    assert values == {
        "PROTOMESH_SERVICE": "orders",
        "PROTOMESH_LISTEN": "unix:/a",
        "PROTOMESH_EGRESS": "127.0.0.1:1",
        "PROTOMESH_DATA": "/data",
        "PROTOMESH_LOG": "json",
        "PROTOMESH_DEADLINES": "off",
    }
    launch = Launch.read(values)
    assert (launch.service, launch.listen, launch.egress) == ("orders", "unix:/a", "127.0.0.1:1")
    assert (launch.data, launch.log, launch.deadlines) == (Path("/data"), "json", False)
    assert Launch.read(environment("orders", "unix:/a", "b:1", "/data", log="json")).deadlines


def test_a_worker_is_told_who_subscribes_to_what() -> None:
    """In a form that any language reads: by spaces, an equals sign and commas."""
    values = environment(
        "orders",
        "unix:/a",
        "b:1",
        "/data",
        log="json",
        subscribes=["pay.v1.Paid", "clock.v1.Struck"],
        subscribers={"orders.v1.Placed": ["mail", "stock"], "orders.v1.Cancelled": []},
    )
    assert values["PROTOMESH_SUBSCRIBES"] == "clock.v1.Struck pay.v1.Paid"
    assert values["PROTOMESH_SUBSCRIBERS"] == "orders.v1.Cancelled= orders.v1.Placed=mail,stock"
    launch = Launch.read(values)
    assert launch.subscribes == {"pay.v1.Paid", "clock.v1.Struck"}
    assert launch.subscribers == {"orders.v1.Placed": ("mail", "stock"), "orders.v1.Cancelled": ()}


def test_the_egress_can_be_set_for_each_callee() -> None:
    """By the full name of the RPC service that is called."""
    values = environment("orders", "unix:/a", "unix:/egress", "/data", log="json")
    launch = Launch.read({**values, "PROTOMESH_EGRESS_SHOP_CATALOG_V1_CATALOGSERVICE": "127.0.0.1:2"})
    assert launch.egress_for("shop.catalog.v1.CatalogService") == "127.0.0.1:2"
    assert launch.egress_for("shop.orders.v1.OrdersService") == "unix:/egress"


@pytest.mark.parametrize(
    "wrong",
    [
        {"PROTOMESH_LOG": "xml"},
        {"PROTOMESH_DEADLINES": "maybe"},
        {"PROTOMESH_DATA": ""},
        {"PROTOMESH_SUBSCRIBERS": "orders.v1.Placed"},
    ],
)
def test_an_environment_that_can_not_be_is_refused(wrong: dict[str, str]) -> None:
    """By the name of the variable."""
    values = environment("orders", "unix:/a", "unix:/egress", "/data", log="json")
    with pytest.raises(NotLaunched, match=next(iter(wrong))):
        Launch.read({**values, **wrong})
