"""Tools that other people wrote, as their users run them. grpcurl is in test_shop_surface.py."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from protomesh.clients.tools import Tools
from tests.e2e import reach
from tests.e2e.mesh import COMMAND, ROOT, Mesh, free_port
from tests.e2e.shop.calls import Metadata
from tests.e2e.shop.contracts import EXPOSED, SERVICES

HEALTH_PROBE = {"github.com/grpc-ecosystem/grpc-health-probe": "v0.4.61"}
OPENAPI_CLIENT = {"openapi-python-client": "0.29.1"}
NOT_FOUND = 5


def _run(
    *command: str | Path, folder: Path, environment: Mapping[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command,
        cwd=folder,
        env=os.environ | dict(environment or {}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.fixture(scope="session")
def health_probe() -> Path:
    """grpc-health-probe, built once for a checkout."""
    tools = Tools(ROOT)
    go = tools.find("go", "the tests build grpc-health-probe: install Go 1.26 or newer")

    def install(folder: Path) -> None:
        for module, version in HEALTH_PROBE.items():
            built = {"GOBIN": str(folder)}
            tools.run([go, "install", "-p", "1", f"{module}@{version}"], cwd=folder, environment=built)

    return tools.installed("grpc-health-probe", HEALTH_PROBE, install) / "grpc-health-probe"


@pytest.fixture(scope="session")
def openapi_client() -> Path:
    """openapi-python-client with what it needs, in other versions than the project; once for a checkout."""
    tools = Tools(ROOT)
    pins = OPENAPI_CLIENT | {"python": sys.version}

    def install(folder: Path) -> None:
        wanted = [f"{name}=={version}" for name, version in OPENAPI_CLIENT.items()]
        quiet = ("--quiet", "--no-input", "--disable-pip-version-check")
        tools.run([sys.executable, "-m", "pip", "install", *quiet, "--target", folder, *wanted], cwd=folder)

    return tools.installed("openapi-python-client", pins, install)


@pytest.mark.parametrize("protocol", ["grpc", "grpcweb"])
def test_buf_curl_lists_and_calls(shop: Mesh, customer: Metadata, protocol: str) -> None:
    """By reflection: what the edge exposes, an answer, an error with what the contract declares, a token, a stream."""
    url = f"http://{shop.gateway}"
    buf = (COMMAND.with_name("buf"), "curl", "--protocol", protocol, "--http2-prior-knowledge")

    def curl(*arguments: str) -> "subprocess.CompletedProcess[str]":
        return _run(*buf, *arguments, folder=shop.run)

    listed = set(curl("--list-methods", url).stdout.split())
    assert set(EXPOSED) == {method for method in listed if method.startswith("shop.")}

    get = f"{url}/shop.catalog.v1.CatalogService/GetProduct"
    assert json.loads(curl("-d", '{"product_id": "matcha"}', get).stdout)["product"]["title"] == "Ceremonial Matcha"
    missing = curl("-d", '{"product_id": "no-such-tea"}', get)
    assert missing.returncode == NOT_FOUND << 3
    assert "shop.catalog.v1.ProductNotFound" in missing.stderr

    me = f"{url}/shop.identity.v1.IdentityService/GetMe"
    token = dict(customer)["authorization"]
    assert json.loads(curl("-H", f"authorization: {token}", me).stdout)["user"]["email"].endswith("@example.com")

    watch = (*buf, "-d", '{"product_id": "matcha"}', f"{url}/shop.inventory.v1.InventoryService/WatchStock")
    with subprocess.Popen(watch, cwd=shop.run, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        message = ""
        while not message.endswith("\n}\n"):  # the first message; the next comes when the stock changes
            line = watching.stdout.readline()
            assert line, message
            message += line
        watching.terminate()
    assert json.loads(message)["stock"]["productId"] == "matcha"


@pytest.mark.timeout(600)  # the first one in a checkout builds it
def test_grpc_health_probe_tells_who_serves(shop: Mesh, health_probe: Path) -> None:
    """As in a container's liveness check: at the edge, at a unix socket, of what is not there, and of nobody."""

    def probe(address: str, service: str = "") -> "subprocess.CompletedProcess[str]":
        return _run(health_probe, "-addr", address, "-service", service, folder=shop.run)

    for service in ("", *SERVICES):
        serving = probe(shop.gateway, service)
        assert (serving.returncode, "status: SERVING" in serving.stdout + serving.stderr) == (0, True)
    assert probe(f"unix:{reach.layout(shop).operator_socket}", SERVICES[0]).returncode == 0
    unknown = probe(shop.gateway, "shop.Nothing")
    assert (unknown.returncode, "there is no service shop.Nothing" in unknown.stderr) == (3, True)
    assert probe(f"127.0.0.1:{free_port()}").returncode == 2  # nobody is connected to


@pytest.mark.timeout(600)  # the first one in a checkout installs what makes it
def test_a_client_that_is_made_of_the_openapi_document_orders(shop: Mesh, openapi_client: Path, tmp_path: Path) -> None:
    """openapi-python-client takes all of /docs/openapi.json, and a customer gets what they want with it."""
    (tmp_path / "options.yml").write_text("post_hooks: []\n")  # it would call a formatter
    url = f"http://{shop.gateway}"
    made = _run(
        *(sys.executable, "-m", "openapi_python_client", "generate"),
        *("--url", f"{url}/docs/openapi.json", "--config", tmp_path / "options.yml"),
        *("--meta", "none", "--output-path", tmp_path / "imported", "--fail-on-warning"),
        folder=tmp_path,
        environment={"PYTHONPATH": str(openapi_client)},
    )
    assert made.returncode == 0, made.stdout + made.stderr

    program = Path(__file__).with_name("imported_client.py")
    paths = {"PYTHONPATH": os.pathsep.join((str(tmp_path), str(openapi_client)))}
    done = _run(sys.executable, program, url, folder=tmp_path, environment=paths)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said.pop("state") in ("STATE_PLACED", "STATE_CONFIRMED")
    assert said == {
        "found": "Ceremonial Matcha",
        "missing": [404, NOT_FOUND, said["missing"][2]],
        "lines": [["matcha", 2]],
        "stranger": 401,
    }
    assert "type.googleapis.com/shop.catalog.v1.ProductNotFound" in said["missing"][2]
