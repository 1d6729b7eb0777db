"""A mesh with a development certificate, as a newcomer meets it; and one whose certificate is not there."""

import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub

from protomesh.testing.mesh import started
from tests.e2e.mesh import Mesh, eventually
from tests.pki import Pki

PLAIN = '  - listen: "127.0.0.1:${PORT:-8080}"\n'


def set_tls(mesh: Mesh, tls: str) -> None:
    """Gives the gateway this `tls:`."""
    file = mesh.root / "mesh.yaml"
    text = file.read_text()
    assert PLAIN in text
    file.write_text(text.replace(PLAIN, f"{PLAIN}    tls: {tls}\n"))


def test_a_development_certificate_needs_nothing_but_trust(mesh: Mesh) -> None:
    """`up` says whom to trust; who does calls at localhost, over another start too, and nobody calls without TLS."""
    set_tls(mesh, "dev")
    far = Pki(mesh.root / "certs", "first").file
    file = mesh.root / "mesh.yaml"
    file.write_text(
        file.read_text() + '  far: {address: "127.0.0.1:1", tls: {ca: certs/first-ca.pem, name: far.test}}\n'
    )
    log = mesh.root / ".protomesh/logs/mesh.log"
    for round_ in range(2):
        printed = mesh.protomesh("up", check=True).stdout
        assert "CA        .protomesh/tls/ca.pem" in printed
        assert f"curl --cacert .protomesh/tls/ca.pem https://127.0.0.1:{mesh.port}/v1/" in printed
        context = ssl.create_default_context(cafile=str(mesh.root / ".protomesh/tls/ca.pem"))
        for host in ("localhost", "127.0.0.1"):
            assert httpx.get(f"https://{host}:{mesh.port}/healthz", verify=context).status_code == 200
        assert mesh.call("echo.v1.ClockService/GetZone")["zone"] == "UTC"
        if round_ == 1:  # and the CA of a server elsewhere is followed
            far.write_bytes(Pki(mesh.root / "certs", "second").file.read_bytes())
            eventually(lambda: "a server is known by other CAs" in log.read_text(), "the new CA is taken")
        mesh.protomesh("down", check=True)


async def test_a_test_s_channel_trusts_it(mesh: Mesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The fixture `mesh` runs a copy, which has a CA of its own."""
    monkeypatch.setenv("PYTHON", mesh.env["PYTHON"])
    set_tls(mesh, "dev")
    with started(mesh.root, tmp_path / "copies") as running:
        async with running.channel() as channel:
            health: Any = HealthStub(channel)
            answer = await health.Check(HealthCheckRequest(), timeout=10)
    assert answer.status == HealthCheckResponse.SERVING


def test_what_can_not_be_used_is_said_with_its_line(mesh: Mesh) -> None:
    """Nothing is started, and nothing left."""
    set_tls(mesh, "{cert: certs/edge.pem, key: certs/edge.key}")
    done = mesh.protomesh("up")
    assert done.returncode != 0
    assert f"mesh.yaml:4:5: CERTIFICATE_UNUSABLE {mesh.root}/certs/edge.pem is not there" in done.stdout + done.stderr
    assert not mesh.processes()
