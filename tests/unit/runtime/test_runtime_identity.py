"""Mutual TLS of a worker, over TCP: what it shows, whom it lets in, and how that changes while it serves."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc import aio

from protomesh.runtime import renewed_channel
from protomesh.runtime.identity import Identity, IdentityFiles, IdentityUnusable
from protomesh.runtime.launch import Launch, NotLaunched
from protomesh.runtime.renewed_channel import RenewedChannel
from protomesh.runtime.server import Server
from tests.pki import Pki

CHECK = "/grpc.health.v1.Health/Check"
WATCH = "/grpc.health.v1.Health/Watch"


class Side:
    """One that shows certificates of `own` and trusts `other`."""

    def __init__(self, directory: Path, own: Pki, other: Pki) -> None:
        directory.mkdir()
        self._own, self._other = own, other
        self._pair, self._authorities = directory / "identity.pem", directory / "authorities.pem"
        self.files = IdentityFiles(self._pair, self._authorities)
        self.renew()

    def renew(self, own: Pki | None = None, others: tuple[Pki, ...] = ()) -> None:
        """Another certificate, of another CA if there is one; and others to trust."""
        self._own = own or self._own
        issued = self._own.issue("it", names=["localhost"])
        trusted = b"".join(one.file.read_bytes() for one in (self._other, *others))
        for file, content in (
            (self._authorities, trusted),
            (self._pair, issued.key.read_bytes() + issued.certificate.read_bytes()),
        ):
            new = file.with_suffix(".new")
            new.write_bytes(content)
            new.replace(file)


class Two:
    """A worker and whoever calls it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.workers, self.proxies = Pki(directory / "w", "workers"), Pki(directory / "p", "proxies")
        self.worker = Side(directory / "worker", self.workers, self.proxies)
        self.caller = Side(directory / "caller", self.proxies, self.workers)


@pytest.fixture
def two(tmp_path: Path) -> Two:
    """With a CA each."""
    return Two(tmp_path)


@asynccontextmanager
async def served(files: IdentityFiles) -> AsyncIterator[str]:
    """Its health, on a TCP port."""
    server = Server([])
    address = server.listen("127.0.0.1:0", files.server_credentials())
    await server.start()
    yield address.replace("127.0.0.1", "localhost")
    await server.drain()


async def answer(address: str, credentials: grpc.ChannelCredentials) -> str:
    """The code of a health check on a connection of its own."""
    async with aio.secure_channel(address, credentials) as channel:
        check: Any = channel.unary_unary(CHECK)
        try:
            await check(b"", timeout=10)
        except aio.AioRpcError as error:
            return error.code().name
    return "OK"


async def test_only_those_come_in_whom_the_authorities_have_signed(two: Two) -> None:
    """Nobody without a certificate, nobody with one of its own kind."""
    async with served(two.worker.files) as address:
        caller = two.caller.files.read()
        assert await answer(address, caller.channel_credentials()) == "OK"
        assert await answer(address, grpc.ssl_channel_credentials(caller.authorities)) == "UNAVAILABLE"
        own = two.worker.files.read()
        same_kind = Identity(key=own.key, chain=own.chain, authorities=caller.authorities)
        assert await answer(address, same_kind.channel_credentials()) == "UNAVAILABLE"
        async with aio.insecure_channel(address) as channel:
            check: Any = channel.unary_unary(CHECK)
            with pytest.raises(aio.AioRpcError):
                await check(b"", timeout=10)


async def test_each_handshake_is_made_with_what_is_new(two: Two) -> None:
    """The worker's certificate and the CAs that it trusts; what is half written is left alone."""
    new_workers, new_proxies = Pki(two.directory / "w2", "workers2"), Pki(two.directory / "p2", "proxies2")
    async with served(two.worker.files) as address:
        newcomer = Side(two.directory / "new", new_proxies, new_workers)
        assert await answer(address, newcomer.files.read().channel_credentials()) == "UNAVAILABLE"
        two.worker.renew(new_workers, (new_proxies,))
        assert await answer(address, newcomer.files.read().channel_credentials()) == "OK"
        (two.directory / "worker" / "identity.pem").write_text("nothing")
        assert await answer(address, newcomer.files.read().channel_credentials()) == "OK"


async def test_new_calls_go_by_a_new_channel_and_a_stream_stays(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    """The channel of the old certificate is closed when its last call has ended."""
    monkeypatch.setattr(renewed_channel, "_LOOKS", 0.0)
    made: list[aio.Channel] = []

    async with served(two.worker.files) as address:

        def connect(identity: Identity) -> aio.Channel:
            made.append(aio.secure_channel(address, identity.channel_credentials()))
            return made[-1]

        channel = RenewedChannel(two.caller.files, connect)
        check, watch = channel.unary_unary(CHECK), channel.unary_stream(WATCH)
        stream = watch(b"", timeout=30)
        assert await stream.read()
        for renewals in range(1, 4):
            two.caller.renew()
            assert await check(b"", timeout=10)
            assert len(made) == 1 + renewals
        assert await check(b"", timeout=10)
        assert len(made) == 4
        await until(made[2].get_state, grpc.ChannelConnectivity.SHUTDOWN)
        assert not stream.done()
        assert made[0].get_state() is not grpc.ChannelConnectivity.SHUTDOWN
        stream.cancel()
        await until(made[0].get_state, grpc.ChannelConnectivity.SHUTDOWN)
        assert await check(b"", timeout=10)
        await channel.close()
        assert all(one.get_state() is grpc.ChannelConnectivity.SHUTDOWN for one in made)


async def until(state: Any, wanted: grpc.ChannelConnectivity) -> None:
    """Waits for it."""
    async with asyncio.timeout(10):
        while state() is not wanted:
            await asyncio.sleep(0.01)


def test_what_can_not_be_used_is_said(tmp_path: Path) -> None:
    """With the file, and nothing of what is in it."""
    pair, authorities = tmp_path / "a.pem", tmp_path / "b.pem"
    with pytest.raises(IdentityUnusable, match=r"can't read .*a\.pem: No such file"):
        IdentityFiles(pair, authorities).read()
    pair.write_text("secret")
    authorities.write_text("x")
    with pytest.raises(IdentityUnusable, match="does not hold a private key and then its certificate") as refused:
        IdentityFiles(pair, authorities).read()
    assert "secret" not in str(refused.value)


def test_both_files_are_named_or_none() -> None:
    """One alone would be half of mutual TLS."""
    told = dict.fromkeys(("PROTOMESH_SERVICE", "PROTOMESH_LISTEN", "PROTOMESH_EGRESS", "PROTOMESH_DATA"), "x")
    assert Launch.read(told).tls is None
    with pytest.raises(NotLaunched, match="come together"):
        Launch.read({**told, "PROTOMESH_TLS_IDENTITY": "x"})
