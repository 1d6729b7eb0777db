"""Who is who inside a mesh: written for services, told to Envoy, renewed in time."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from cryptography import x509

from protomesh.control.identities import Identities, Lifetimes
from protomesh.model import Command, External, Layout, Origin, Service, TcpAddress, Topology
from protomesh.runtime.identity import IdentityFiles
from protomesh.targets.envoy import INSIDE_SECRETS

ORIGIN = Origin(file="mesh.yaml", line=1, column=1)
SHORT = Lifetimes(certificate=timedelta(seconds=0.3), authority=timedelta(seconds=0.3))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """Of a run."""
    return Layout(run=PurePosixPath(tmp_path), state=PurePosixPath(tmp_path))


def topology(*names: str) -> Topology:
    """A mesh of these services, and one that runs elsewhere."""
    services = {name: Service(name=name, runs=Command(argv=("x",)), serves=(), origin=ORIGIN) for name in names}
    elsewhere = replace(services[names[0]], name="far", runs=External(address=TcpAddress("127.0.0.1", 1)))
    return Topology(
        name="shop", services={**services, "far": elsewhere}, gateways=(), mtls=True, descriptors=b"", origin=ORIGIN
    )


def uris(chain: str) -> list[str]:
    """The SPIFFE IDs in a certificate."""
    certificate = x509.load_pem_x509_certificate(chain.encode())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.UniformResourceIdentifier)


def test_every_service_that_the_mesh_starts_has_its_own(layout: Layout) -> None:
    """In files of which nobody else can read anything; Envoy is told its own and whom to trust."""
    secrets = Identities(layout).issue(topology("catalog", "orders"))
    assert sorted(secrets) == sorted(name for _, name in INSIDE_SECRETS)
    for name in ("catalog", "orders"):
        file = Path(layout.identity_file(name))
        assert file.stat().st_mode & 0o777 == 0o600
        identity = IdentityFiles(file, Path(layout.authorities_file)).read()
        assert uris(identity.chain.decode()) == [f"spiffe://shop/service/{name}"]
    assert not Path(layout.identity_file("far")).exists()
    assert Path(layout.authorities_file).name not in {f"{name}.pem" for name in ("proxies", "catalog")}
    shown = secrets["inside-proxy"]["tls_certificate"]["certificate_chain"]["inline_string"]
    assert uris(shown) == ["spiffe://shop/proxy"]


def test_a_service_that_is_gone_has_none(layout: Layout) -> None:
    """Its key is removed when it is forgotten, which is after its workers have ended; the others' stay."""
    identities = Identities(layout)
    identities.issue(topology("catalog", "orders", "stock"))
    now = topology("catalog")
    far = replace(now.services["far"], name="stock")
    identities.issue(replace(now, services={**now.services, "stock": far}))
    assert Path(layout.identity_file("orders")).exists()
    identities.forget()
    found = {name: Path(layout.identity_file(name)).exists() for name in ("catalog", "orders", "stock")}
    assert found == {"catalog": True, "orders": False, "stock": False}


async def test_it_is_renewed_in_time_and_a_failure_is_not_the_end(
    layout: Layout, caplog: pytest.LogCaptureFixture
) -> None:
    """Envoy that does not answer is told again; each time with another certificate."""
    identities = Identities(layout, lifetimes=SHORT)
    first = identities.issue(topology("catalog"))
    told: asyncio.Queue[Any] = asyncio.Queue()

    async def changed(secrets: Any) -> None:
        told.put_nowait(secrets)
        if told.qsize() == 1:
            raise TimeoutError("no answer")

    following = asyncio.create_task(identities.follow(changed))
    async with asyncio.timeout(10):
        while told.qsize() < 3:
            await asyncio.sleep(0.01)
    following.cancel()
    assert len({str(secrets) for secrets in (first, *(told.get_nowait() for _ in range(3)))}) == 4
    assert "Envoy has not taken a new certificate" in caplog.text


async def test_nothing_is_renewed_that_has_not_lived_for_a_third(layout: Layout) -> None:
    """The clock decides."""
    clock = datetime.now(UTC)
    identities = Identities(layout, lifetimes=replace(SHORT, certificate=timedelta(hours=24)), now=lambda: clock)
    identities.issue(topology("catalog"))
    written = Path(layout.identity_file("catalog"))
    before = written.read_bytes()
    assert not identities.is_due()
    clock += timedelta(hours=7.9)
    assert not identities.is_due()
    clock += timedelta(hours=0.2)
    assert identities.is_due()
    assert written.read_bytes() == before
