from typing import Any

import grpc
import httpx
import pytest

from tests.integration.envoy import grpc_web
from tests.integration.envoy.lab import PAGE, Lab

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


@pytest.mark.parametrize(("path", "status"), [("/v1/mine", 401), ("/v1/nothing", 404), ("/v1/items/7?unknown=1", 400)])
async def test_a_page_can_read_why_a_rest_call_failed(http: httpx.AsyncClient, path: str, status: int) -> None:
    """What Envoy refuses by itself carries the permission to be read."""
    answer = await http.get(path, headers={"origin": PAGE})
    assert answer.status_code == status
    assert answer.headers["access-control-allow-origin"] == PAGE


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
