"""Certificates are read at the start and when their files change."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from protomesh.control import gateway_certificates
from protomesh.control.authority import LIFETIME
from protomesh.control.gateway_certificates import GatewayCertificates
from protomesh.diagnostics import InvalidProject
from protomesh.model import Clients, Gateway, Layout, Origin, TcpAddress, Tls
from tests.pki import Pki

ORIGIN = Origin(file="mesh.yaml", line=3, column=5)


class Clock:
    """Stands still until it is told."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


class Told:
    """What Envoy would be told."""

    def __init__(self) -> None:
        self.secrets: asyncio.Queue[Any] = asyncio.Queue()

    async def __call__(self, secrets: Any) -> None:
        self.secrets.put_nowait(secrets)


def gateway(tls: Tls | None) -> Gateway:
    """One on loopback."""
    return Gateway(name="edge", listen=TcpAddress("127.0.0.1", 8443), tls=tls, origin=ORIGIN)


def certificates(root: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> GatewayCertificates:
    """Of a project at `root`."""
    layout = Layout(run=PurePosixPath(root / "run"), state=PurePosixPath(root / ".protomesh"))
    return GatewayCertificates(root, layout, now=now)


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_certificates, "_LOOKS", 0.01)


def test_every_gateway_s_files_are_read(tmp_path: Path) -> None:
    """Relative to the project; nothing for one that takes plain text."""
    pki = Pki(tmp_path / "certs")
    pki.issue("edge", names=["localhost"])
    tls = Tls(certificate="certs/edge.pem", key="certs/edge.key", clients=Clients(authorities=f"certs/{pki.file.name}"))
    loaded = certificates(tmp_path).load([gateway(tls), gateway(None)])
    assert list(loaded) == ["certificate-edge", "clients-edge"]
    chain = loaded["certificate-edge"]["tls_certificate"]["certificate_chain"]["inline_string"]
    assert chain == (tmp_path / "certs/edge.pem").read_text()


def test_what_can_not_be_used_is_told_with_its_line(tmp_path: Path) -> None:
    """Of all gateways at once."""
    missing = Tls(certificate="edge.pem", key="edge.key")
    with pytest.raises(InvalidProject) as refused:
        certificates(tmp_path).load([gateway(missing), gateway(Tls(certificate="more.pem", key="more.key"))])
    assert [str(problem).split(" ")[:3] for problem in refused.value.problems] == [
        ["mesh.yaml:3:5:", "CERTIFICATE_UNUSABLE", str(tmp_path / "edge.pem")],
        ["mesh.yaml:3:5:", "CERTIFICATE_UNUSABLE", str(tmp_path / "more.pem")],
    ]


async def test_a_new_certificate_is_told_and_a_bad_one_is_not(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A pair of which one half is there is said once, and waited for."""
    pki = Pki(tmp_path)
    pki.issue("edge")
    following, told = certificates(tmp_path), Told()
    following.load([gateway(Tls(certificate="edge.pem", key="edge.key"))])
    task = asyncio.create_task(following.follow(told))
    try:
        (tmp_path / "edge.key").write_text(pki.issue("other").key.read_text())
        async with asyncio.timeout(10):
            while "a new certificate can't be used" not in caplog.text:
                await asyncio.sleep(0.01)
        (tmp_path / "edge.pem").write_text((tmp_path / "other.pem").read_text())
        async with asyncio.timeout(10):
            new = await told.secrets.get()
    finally:
        task.cancel()
    key = new["certificate-edge"]["tls_certificate"]["private_key"]["inline_string"]
    assert key == (tmp_path / "other.key").read_text()
    assert caplog.text.count("a new certificate can't be used") == 1
    assert "PRIVATE" not in caplog.text


async def test_the_development_certificate_is_renewed_before_it_ends(tmp_path: Path) -> None:
    """When half of its life is over, by the same CA."""
    clock, told = Clock(), Told()
    following = certificates(tmp_path, clock)
    first = following.load([gateway(Tls())])
    authority = (tmp_path / ".protomesh/tls/ca.pem").read_text()
    task = asyncio.create_task(following.follow(told))
    try:
        await asyncio.sleep(0.05)
        assert told.secrets.empty()
        clock.now += LIFETIME * 0.6
        async with asyncio.timeout(10):
            renewed = await told.secrets.get()
    finally:
        task.cancel()
    assert renewed["certificate-edge"] != first["certificate-edge"]
    assert (tmp_path / ".protomesh/tls/ca.pem").read_text() == authority
