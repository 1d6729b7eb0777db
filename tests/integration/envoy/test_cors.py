from dataclasses import replace
from typing import Any

import grpc
import httpx
import pytest

from protomesh.model import Cors, TcpAddress
from tests.integration.envoy import grpc_web
from tests.integration.envoy.lab import PAGE, Lab, free_port, lab_topology, running_lab

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("path", ["/v1/items/7", "/lab.v1.LabService/GetItem", "/lab.v1.LabService/MyItem"])
async def test_a_page_of_an_allowed_origin_may_call(http: httpx.AsyncClient, path: str) -> None:
    """The preflight, which carries no token and no content type, is answered with what the protocols need."""
    asks = {
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "content-type,x-grpc-web,grpc-timeout,authorization",
    }
    answer = await http.options(path, headers=asks)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == PAGE
    assert set(asks["access-control-request-headers"].split(",")) <= set(
        answer.headers["access-control-allow-headers"].split(",")
    )
    assert "POST" in answer.headers["access-control-allow-methods"].split(",")
    assert "access-control-allow-credentials" not in answer.headers


async def test_a_page_of_another_origin_may_not(http: httpx.AsyncClient) -> None:
    """The preflight of a page that is not in the gateway's cors is not answered with a permission."""
    asks = {"origin": "https://evil.test", "access-control-request-method": "POST"}
    answer = await http.options("/lab.v1.LabService/GetItem", headers=asks)
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/mine", 401),
        ("/v1/nothing", 404),
        ("/v1/items/7?unknown=1", 400),
        ("/lab.v1.LabService/GetItem", 415),
        ("/v1/items/a%2Fb", 400),
    ],
)
async def test_a_page_can_read_why_a_rest_call_failed(
    http: httpx.AsyncClient, http2: httpx.AsyncClient, path: str, status: int
) -> None:
    """What Envoy refuses by itself carries the permission to be read, also where no route was asked."""
    for client in (http, http2):
        answer = await client.get(path, headers={"origin": PAGE})
        assert answer.status_code == status
        assert answer.headers.get_list("access-control-allow-origin") == [PAGE]
        assert "grpc-status" in answer.headers["access-control-expose-headers"].split(",")
        for headers in ({"origin": "https://evil.test"}, {}):
            other = await client.get(path, headers=headers)
            assert (other.status_code, other.json()) == (status, answer.json())
            assert not [name for name in other.headers if name.startswith("access-control-")]


async def test_each_gateway_has_origins_of_its_own() -> None:
    """A page that one gateway allows reads nothing of the other, and none reads anything where there is no cors."""
    edge = lab_topology().gateways[0]
    origins = {"shop": "https://shop.test", "admin": "https://admin.test"}
    ports = {name: free_port() for name in (*origins, "closed")}
    gateways = tuple(
        replace(
            edge,
            name=name,
            listen=TcpAddress("127.0.0.1", port),
            cors=Cors(origins=(origins[name],)) if name in origins else None,
        )
        for name, port in ports.items()
    )
    async with running_lab(gateways=gateways), httpx.AsyncClient() as client:
        for name, port in ports.items():
            for page in origins.values():
                for path in ("/lab.v1.LabService/GetItem", "/v1/nothing"):
                    answer = await client.get(f"http://127.0.0.1:{port}{path}", headers={"origin": page})
                    readable = answer.headers.get("access-control-allow-origin")
                    assert readable == (page if page == origins.get(name) else None)


@pytest.mark.parametrize(("name", "code"), [("MyItem", 16), ("AdminItem", 12), ("NoItem", 12)])
async def test_a_page_can_read_why_a_grpc_web_call_failed(http: httpx.AsyncClient, name: str, code: int) -> None:
    """Denials, internal and unknown methods: status and message are exposed to the page."""
    answer = await grpc_web.call(http, name, origin=PAGE)
    headers = answer.response.headers
    assert answer.status == code
    assert headers["access-control-allow-origin"] == PAGE
    assert {"grpc-status", "grpc-message", "grpc-status-details-bin"} <= set(
        headers["access-control-expose-headers"].split(",")
    )


async def test_a_page_can_read_an_error_of_the_service(lab: Lab, http: httpx.AsyncClient) -> None:
    """The permission is on answers of the service as well."""

    async def refuse(_: Any, context: Any) -> None:
        await context.abort(grpc.StatusCode.NOT_FOUND, "no such item")

    with lab.backend.on("GetItem", refuse):
        answer = await grpc_web.call(http, "GetItem", origin=PAGE, id="7")
    assert (answer.status, answer.details) == (5, "no such item")
    assert answer.response.headers["access-control-allow-origin"] == PAGE
