"""Two meshes, each with an Envoy of its own: a user gets from one to the other by the token, and by nothing else."""

import time
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from protomesh.model import Call, External, PythonApp, RpcService, Service, TcpAddress, UnixAddress, UserAs
from protomesh.runtime.user import user_of
from tests.integration.envoy import grpc_web
from tests.integration.envoy.lab import (
    METHODS,
    SERVICE,
    Backend,
    Item,
    Lab,
    failure,
    lab_topology,
    origin,
    running_lab,
)
from tests.integration.envoy.test_tokens import auth, header
from tests.integration.envoy.tokens import AUDIENCE, Issuer

pytestmark = pytest.mark.asyncio(loop_scope="module")

ALICE, MALLORY = Issuer(), Issuer()  # their keys have one kid
ABROAD = "abroad"
"""The audience of the other mesh."""


@dataclass
class World:
    """Here a call comes in, and goes on to the other mesh or to a server that is in none."""

    here: Lab
    there: Lab
    stranger: Backend


def served(*names: str) -> tuple[RpcService, ...]:
    """A part of the contract."""
    methods = tuple(method for method in METHODS if method.name in names)
    return (RpcService(full_name=SERVICE, methods=methods, origin=origin()),)


def elsewhere(name: str, runs: External, *methods: str) -> Service:
    """What runs somewhere else."""
    return Service(name=name, runs=runs, serves=served(*methods), origin=origin(9, "mesh.yaml"))


def calls(*services: str) -> tuple[Call, ...]:
    """All of their methods."""
    return tuple(Call(service=name, origin=origin(5, "mesh.yaml")) for name in services)


@asynccontextmanager
async def handed_on(lab: Lab, method: str, goes_on_to: str) -> AsyncGenerator[None]:
    """Lets the lab's service call another one for each call of `method`, as docs/reference/service-protocol.md says."""

    async def handler(_request: Any, context: Any) -> Any:
        travels: Sequence[tuple[str, str]] = [
            (key, value)
            for key, value in context.invocation_metadata()
            if key.startswith("x-protomesh-") and key != "x-protomesh-caller"
        ]
        async with lab.channel(f"unix:{lab.layout.egress_socket('lab')}") as call:
            return Item(id=(await call(goes_on_to, id="far", metadata=travels)).id)

    with lab.backend.on(method, handler):
        yield


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    """Both meshes know the same issuer, each by an audience of its own."""
    stranger = Backend(f"{tmp_path_factory.mktemp('s')}/s.sock")
    await stranger.start()
    theirs = auth(ALICE.key_set, audience=ABROAD)
    async with running_lab(auth=(theirs,)) as there:
        host, _, port = there.address.rpartition(":")
        known = lab_topology().services
        services = {
            "far": elsewhere(
                "far", External(address=TcpAddress(host, int(port)), user=UserAs.TOKEN), "MyItem", "AdminItem"
            ),
            "lab": Service(
                name="lab",
                runs=PythonApp(target="lab.app:app"),
                serves=served("GetItem", "EditItem", "MyLimitedItem"),
                calls=calls("far", "stranger"),
                origin=origin(3, "mesh.yaml"),
            ),
            "stranger": elsewhere(
                "stranger", External(address=UnixAddress(stranger.path), user=UserAs.NOBODY), "CreateItem"
            ),
            "legacy": known["legacy"],
        }
        async with running_lab(auth=(auth(ALICE.key_set),), services=services) as here:
            yield World(here, there, stranger)
    await stranger.stop()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def http(world: World) -> AsyncGenerator[httpx.AsyncClient]:
    """A client of the first mesh by HTTP/1.1."""
    async with httpx.AsyncClient(base_url=world.here.url, timeout=10) as client:
        yield client


def token(issuer: Issuer = ALICE, **changes: Any) -> str:
    """One for both meshes, with the scopes of EditItem."""
    return issuer.token(**({"aud": [AUDIENCE, ABROAD], "scope": "lab.read lab.write"} | changes))


async def test_the_other_mesh_verifies_the_user_itself(world: World, http: httpx.AsyncClient) -> None:
    """By every protocol that the call came in; there it is as if the user had come by themselves."""
    headers, seen = header(token(team="blue")), []
    async with handed_on(world.here, "EditItem", "MyItem"):
        async with world.here.channel() as call:
            assert (await call("EditItem", metadata=list(headers.items()))).id == "far"
        seen.append(world.there.backend.metadata)
        assert (await http.post("/v1/mine:edit", headers=headers, json={})).json()["id"] == "far"
        seen.append(world.there.backend.metadata)
        assert (await grpc_web.call(http, "EditItem", headers=headers)).status == 0
        seen.append(world.there.backend.metadata)
    assert "authorization" not in world.here.backend.metadata
    for metadata in seen:
        user = user_of(metadata)
        assert user is not None
        assert (user.subject, user.scopes) == ("alice", frozenset({"lab.read", "lab.write"}))
        assert user.claims["team"] == "blue"
        assert not {"authorization", "x-protomesh-token", "x-protomesh-caller"} & metadata.keys()


async def test_the_edge_hands_the_token_on_as_well(world: World, http: httpx.AsyncClient) -> None:
    """Where what runs elsewhere is called from outside; without a token it is not called at all."""
    headers = header(token())
    async with world.here.channel() as call:
        await call("MyItem", metadata=list(headers.items()))
        user = user_of(world.there.backend.metadata)
        assert user is not None
        assert user.subject == "alice"
        before = world.there.backend.calls["MyItem"]
        assert (await failure(call("MyItem"))).code().name == "UNAUTHENTICATED"
    assert (await http.get("/v1/mine", headers=headers)).status_code == 200
    assert world.there.backend.calls["MyItem"] == before + 1


async def test_a_token_that_is_not_for_the_other_mesh_does_not_count_there(world: World) -> None:
    """This one has let the call in; the other says no by itself, and the service here hears it."""
    async with handed_on(world.here, "EditItem", "MyItem"), world.here.channel() as call:
        before = world.there.backend.calls["MyItem"]
        metadata = list(header(token(aud=AUDIENCE)).items())
        assert (await failure(call("EditItem", metadata=metadata))).code().name == "UNKNOWN"  # what grpc makes of it
        assert world.there.backend.calls["MyItem"] == before


def wrong() -> dict[str, str]:
    """What a service here could send on in the user's name."""
    now = int(time.time())
    return {
        "expired": token(iat=now - 900, exp=now - 600),
        "of another key": token(MALLORY),
        "garbage": "garbage",
    }


@pytest.mark.parametrize("how", wrong())
async def test_the_other_mesh_believes_no_service_of_this_one(world: World, how: str) -> None:
    """A token that it can't verify is UNAUTHENTICATED, and so is a user without one."""
    before = world.there.backend.calls["MyItem"]
    said = [("x-protomesh-subject", "root"), ("x-protomesh-claims", "e30"), ("x-protomesh-scopes", "admin")]
    async with world.here.channel(f"unix:{world.here.layout.egress_socket('lab')}") as call:
        metadata = [*said, ("x-protomesh-token", f"Bearer {wrong()[how]}")]
        assert (await failure(call("MyItem", metadata=metadata))).code().name == "UNAUTHENTICATED"
        assert (await failure(call("MyItem", metadata=said))).code().name == "UNAUTHENTICATED"
    assert world.there.backend.calls["MyItem"] == before


async def test_a_service_may_have_a_token_of_its_own(world: World) -> None:
    """In a job there is no user; the user's counts where there is one."""
    async with world.here.channel(f"unix:{world.here.layout.egress_socket('lab')}") as call:
        robot = ("authorization", f"Bearer {token(sub='robot')}")
        await call("MyItem", metadata=[robot])
        assert world.there.backend.metadata["x-protomesh-subject"] == "robot"
        await call("MyItem", metadata=[robot, ("x-protomesh-token", f"Bearer {token()}")])
        assert world.there.backend.metadata["x-protomesh-subject"] == "alice"


async def test_what_a_client_forges_gets_nowhere(world: World) -> None:
    """Neither a user nor a token of the mesh's own making: not to the service here, nor beyond."""
    forged = [
        ("x-protomesh-subject", "root"),
        ("x-protomesh-scopes", "admin"),
        ("x-protomesh-claims", "e30"),
        ("x-protomesh-token", f"Bearer {token(sub='root')}"),
    ]
    async with world.here.channel() as call, handed_on(world.here, "EditItem", "MyItem"):
        await call("GetItem", metadata=forged)
        assert not [name for name in world.here.backend.metadata if name.startswith("x-protomesh-")]
        await call("EditItem", metadata=[*forged, *header(token()).items()])
        assert world.there.backend.metadata["x-protomesh-subject"] == "alice"


async def test_what_is_in_no_mesh_hears_of_nobody(world: World) -> None:
    """Neither who the user is, nor the token, nor which service calls; from egress and from the edge."""
    async with handed_on(world.here, "EditItem", "CreateItem"), world.here.channel() as call:
        await call("EditItem", metadata=list(header(token()).items()))
        assert "x-protomesh-token" in world.here.backend.metadata
        assert world.stranger.calls["CreateItem"] == 1
        assert not [name for name in world.stranger.metadata if name.startswith(("x-protomesh-", "authorization"))]
        await call("CreateItem")
        assert not [name for name in world.stranger.metadata if name.startswith("x-protomesh-")]


async def test_no_token_is_in_any_log(world: World) -> None:
    """The line of a call tells who called, and nothing that would let its reader call."""
    secret = token()
    async with handed_on(world.here, "EditItem", "MyItem"), world.here.channel() as call:
        metadata = [*header(secret).items(), ("x-request-id", "b5a0ac4c-5d9e-4b0e-9f0e-000000000001")]
        await call("EditItem", metadata=metadata)
    async with world.here.channel(f"unix:{world.here.layout.egress_socket('lab')}") as call:
        await call("MyItem", metadata=[("x-protomesh-token", f"Bearer {secret}"), ("x-request-id", "from-the-inside")])
    entry = await world.here.logged("from-the-inside")
    assert (entry["caller"], entry["listener"]) == ("lab", "egress-lab")
    for lab in (world.here, world.there):
        for log in Path(lab.layout.logs).iterdir():
            assert secret.rpartition(".")[2] not in log.read_text(encoding="utf-8")
