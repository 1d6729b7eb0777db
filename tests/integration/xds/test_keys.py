"""Keys on their way: from the issuer through its egress to the control plane, and by ADS to a real Envoy."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import grpc.aio
import pytest

from protomesh.contract import compile_project
from protomesh.control.key_source import FollowedKeys
from protomesh.control.service_api import ServiceApi
from protomesh.model import Layout, Topology
from protomesh.proxy import Schemas
from protomesh.runtime.launch import Launch, environment
from protomesh.runtime.mesh import Mesh
from tests.integration.envoy.lab import free_port
from tests.integration.envoy.tokens import AUDIENCE, ISSUER, Issuer
from tests.integration.xds.desk import desk
from tests.integration.xds.healthy import wait_healthy
from tests.integration.xds.plane import plane

PROTO = """\
syntax = "proto3";
package desk.v1;
import "protomesh/v1/options.proto";

service DeskService {
  option (protomesh.v1.service) = {timeout: "2s", audience: AUDIENCE_USER};
  rpc Sit(SitRequest) returns (SitResponse);
  rpc Watch(WatchRequest) returns (stream WatchResponse);
}
message SitRequest {}
message SitResponse {}
message WatchRequest { string resume_token = 1; }
message WatchResponse {}
"""
PARTNER = "https://partner.test"
MESH = """\
name: office
gateways: [{{listen: "127.0.0.1:{port}"}}]
auth:
  - {{issuer: "{issuer}", audience: {audience}, jwks: {{{keys}}}}}
  - {{name: partner, issuer: "{partner}", audience: {audience}, jwks: {{file: partner.json}}}}
services:
  desk: {{run: desk.app:app, serves: [desk.v1.DeskService]}}
  gate: {{run: gate.app:app}}
"""


@dataclass
class Office:
    """A mesh with an issuer, whose control plane and Envoy run; and the service behind is a few lines of the test."""

    topology: Topology
    layout: Layout
    edge: grpc.aio.Channel
    more: asyncio.Event

    def mesh(self, service: str) -> Mesh:
        """What a worker of a service gets."""
        egress = f"unix:{self.layout.egress_socket(service)}"
        variables = environment(service, "unix:/unused", egress, str(self.layout.data(service)), log="json")
        return Mesh(Launch.read(variables))

    async def publish(self, key_set: str, *, service: str = "gate") -> None:
        """As a service does."""
        async with self.mesh(service) as mesh:
            await mesh.publish_keys(key_set)

    async def sit(self, issuer: Issuer, **changes: Any) -> str:
        """Calls with a token; the status that this ends with."""
        call: Any = self.edge.unary_unary("/desk.v1.DeskService/Sit")
        try:
            await call(b"", metadata=issuer.bearer(**changes), timeout=10)
        except grpc.aio.AioRpcError as error:
            return error.code().name
        return "OK"

    def watch(self, issuer: Issuer, **changes: Any) -> Any:
        """A stream with a token."""
        start: Any = self.edge.unary_stream("/desk.v1.DeskService/Watch")
        return start(b"", metadata=issuer.bearer(**changes))


@pytest.fixture
async def office(run_directory: Path, schemas: Schemas) -> AsyncIterator[Office]:
    """Everything runs; no key has been published yet."""
    async with running(run_directory, schemas) as office:
        yield office


@asynccontextmanager
async def running(run_directory: Path, schemas: Schemas, keys: str = "service: gate") -> AsyncIterator[Office]:
    """One run of the mesh; several may follow each other in one directory. `keys` is where they come from."""
    port = free_port()
    folder = run_directory / "protos" / "desk" / "v1"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "desk.proto").write_text(PROTO)
    (run_directory / "mesh.yaml").write_text(
        MESH.format(port=port, issuer=ISSUER, partner=PARTNER, audience=AUDIENCE, keys=keys)
    )
    topology = compile_project(run_directory, variables={}).topology
    more = asyncio.Event()
    async with plane(run_directory, schemas) as control, AsyncExitStack() as stack:
        controller = control.controller
        await controller.apply(topology)
        api = ServiceApi(control.layout, controller.publish_key_set)
        await api.start()
        stack.push_async_callback(api.stop)
        for provider in topology.auth:
            if provider.keys.service is None:
                keys_of = FollowedKeys(run_directory, provider.keys, partial(controller.set_key_set, provider.issuer))
                stack.callback(asyncio.create_task(keys_of.follow()).cancel)
        envoy = await stack.enter_async_context(control.envoy(topology))
        endpoint = await stack.enter_async_context(desk(f"{run_directory}/desk.sock", more))
        edge = await stack.enter_async_context(grpc.aio.insecure_channel(f"127.0.0.1:{port}"))
        await controller.set_endpoints("desk", [endpoint])
        await wait_healthy(envoy, "desk", 1)
        await edge.channel_ready()
        yield Office(topology, control.layout, edge, more)


async def test_a_token_is_valid_as_soon_as_its_key_has_been_published(office: Office) -> None:
    """`publish_keys` returns when Envoy verifies with the new set: the very next call passes, or is refused."""
    old, new = Issuer("key-1"), Issuer("key-2")
    assert await office.sit(old) == "UNAUTHENTICATED"
    await office.publish(old.key_set)
    assert await office.sit(old) == "OK"
    for _ in range(10):  # rotated to and fro: there is no moment at which Envoy has neither
        await office.publish(_both(old, new))
        assert (await office.sit(old), await office.sit(new)) == ("OK", "OK")
        await office.publish(new.key_set)
        assert (await office.sit(old), await office.sit(new)) == ("UNAUTHENTICATED", "OK")
        old, new = new, old


async def test_a_mesh_that_starts_again_knows_the_keys_it_had(run_directory: Path, schemas: Schemas) -> None:
    """From the first call on, and before its issuer has said a word; a file that was spoilt counts for nothing."""
    issuer = Issuer()
    async with running(run_directory, schemas) as office:
        await office.publish(issuer.key_set)
        kept = Path(office.layout.key_set_file(ISSUER))
    assert kept.stat().st_mode & 0o777 == 0o600
    async with running(run_directory, schemas) as office:
        assert await office.sit(issuer) == "OK"
    kept.write_text(kept.read_text()[:-5])
    async with running(run_directory, schemas) as office:
        assert await office.sit(issuer) == "UNAUTHENTICATED"
        await office.publish(issuer.key_set)
        assert await office.sit(issuer) == "OK"


async def test_keys_of_a_file_rotate_under_load(run_directory: Path, schemas: Schemas) -> None:
    """Both are there for a while, as every issuer does it: no call fails, and no stream is cut."""
    old, new = Issuer("key-1"), Issuer("key-2")
    file = run_directory / "keys.json"
    file.write_text(old.key_set)
    async with running(run_directory, schemas, "file: keys.json") as office:
        await _until(office, old, "OK")
        stream = office.watch(old)
        assert await stream.read() == b""
        statuses, signing, done = Counter[str](), [old], asyncio.Event()

        async def caller() -> None:
            while not done.is_set():
                statuses[await office.sit(signing[0])] += 1

        callers = [asyncio.create_task(caller()) for _ in range(3)]
        file.write_text(_both(old, new))
        await _until(office, new, "OK")
        signing[0] = new
        called = statuses.total()
        while statuses.total() < called + 10:  # what was signed before is not on its way any more
            await asyncio.sleep(0.01)
        file.write_text(new.key_set)
        await _until(office, old, "UNAUTHENTICATED")
        done.set()
        await asyncio.gather(*callers)
        assert set(statuses) == {"OK"}
        office.more.set()
        assert await stream.read() == b""
        assert await stream.code() is grpc.StatusCode.OK


async def test_the_keys_of_each_issuer_rotate_by_themselves(run_directory: Path, schemas: Schemas) -> None:
    """While those of one come and go, from a file and from a service, no call with the other's fails."""
    own, partner = Issuer(), Issuer()  # with one kid
    async with running(run_directory, schemas) as office:
        await office.publish(own.key_set)
        assert await office.sit(own) == "OK"
        assert await office.sit(partner, iss=PARTNER) == "UNAUTHENTICATED"
        (run_directory / "partner.json").write_text(partner.key_set)
        await _until(office, partner, "OK", iss=PARTNER)
        stream = office.watch(partner, iss=PARTNER)
        assert await stream.read() == b""
        for _ in range(3):
            own = Issuer("key-2")
            await office.publish(own.key_set)
            assert (await office.sit(own), await office.sit(partner, iss=PARTNER)) == ("OK", "OK")
        (run_directory / "partner.json").write_text(Issuer().key_set)
        statuses = Counter[str]()
        async with asyncio.timeout(20):
            while await office.sit(partner, iss=PARTNER) == "OK":
                statuses[await office.sit(own)] += 1
        assert set(statuses) == {"OK"}
        office.more.set()
        assert await stream.read() == b""
        assert await stream.code() is grpc.StatusCode.OK
    async with running(run_directory, schemas) as office:
        assert await office.sit(own) == "OK"
        assert await office.sit(own, iss=PARTNER) == "UNAUTHENTICATED"


async def test_streams_outlive_new_keys(office: Office) -> None:
    """Whoever is in stays in: a new set restarts no listener, and cuts nothing."""
    issuer = Issuer()
    await office.publish(issuer.key_set)
    stream = office.watch(issuer)
    assert await stream.read() == b""
    await office.publish(Issuer("another").key_set)
    assert await office.sit(issuer) == "UNAUTHENTICATED"
    office.more.set()
    assert await stream.read() == b""
    assert await stream.code() is grpc.StatusCode.OK


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ("", "it is not JSON"),
        ("[]", "it has no keys"),
        ('{"keys": []}', "it has no keys"),
        ('{"keys": [{"kid": "a"}]}', "keys[0] is no key: it has no kty"),
        ('{"keys": [{"kty": "EC"}]}', "keys[0] has no kid"),
        ('{"keys": [{"kty": "EC", "kid": "a"}, {"kty": "EC", "kid": "a"}]}', "two keys have the kid 'a'"),
        ('{"keys": [{"kty": "oct", "kid": "a", "k": "c2VjcmV0"}]}', "'a' is a private or symmetric one"),
        ('{"keys": [{"kty": "EC", "kid": "a", "crv": "P-256", "x": "AA", "y": "AA"}]}', "Envoy refuses it"),
        ('{"keys": [' + " " * 65536 + "]}", "it has more than 65536 bytes"),
    ],
)
async def test_what_is_no_set_of_public_keys_is_refused(office: Office, wrong: str, told: str) -> None:
    """INVALID_ARGUMENT says why, and the keys that were there stay."""
    issuer = Issuer()
    await office.publish(issuer.key_set)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await office.publish(wrong)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert told in (refused.value.details() or "")
    assert "c2VjcmV0" not in (refused.value.details() or "")
    assert await office.sit(issuer) == "OK"


async def test_only_the_issuer_publishes_keys(office: Office) -> None:
    """Another service has no such method at its egress, nor has the edge."""
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await office.publish(Issuer().key_set, service="desk")
    assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    call: Any = office.edge.unary_unary("/protomesh.keys.v1.KeySetService/PublishKeySet")
    with pytest.raises(grpc.aio.AioRpcError) as unknown:
        await call(b"")
    assert unknown.value.code() is grpc.StatusCode.UNIMPLEMENTED


async def _until(office: Office, issuer: Issuer, status: str, **changes: Any) -> None:
    async with asyncio.timeout(20):
        while await office.sit(issuer, **changes) != status:
            await asyncio.sleep(0.05)


def _both(one: Issuer, other: Issuer) -> str:
    return json.dumps({"keys": [*json.loads(one.key_set)["keys"], *json.loads(other.key_set)["keys"]]})
