import httpx
import pytest

from tests.integration.envoy import grpc_web
from tests.integration.envoy.lab import Lab, failure, running_lab

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_a_method_is_limited_for_all_protocols_together() -> None:
    """Three calls a minute: the fourth is RESOURCE_EXHAUSTED, whichever way it comes; others are not touched."""
    async with running_lab() as lab, httpx.AsyncClient(base_url=lab.url) as http, lab.channel() as call:
        await call("LimitedItem")
        first = await http.get("/v1/limited")
        assert (first.status_code, first.headers["x-ratelimit-remaining"]) == (200, "1")
        assert (await grpc_web.call(http, "LimitedItem")).status == 0

        error = await failure(call("LimitedItem"))
        assert error.code().name == "RESOURCE_EXHAUSTED"
        assert not [name for name, _ in error.trailing_metadata() if name.startswith("x-envoy-")]
        refused = await http.get("/v1/limited")
        assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (429, 8, "20")
        told = dict(error.trailing_metadata())
        assert (told["retry-after"], told["x-ratelimit-limit"]) == ("20", "3")
        assert 0 < int(told["x-ratelimit-reset"]) <= 20
        assert (await grpc_web.call(http, "LimitedItem")).status == 8

        assert lab.backend.calls["LimitedItem"] == 3
        assert (await call("GetItem", id="7")).id == "7"


async def test_a_request_may_be_as_large_as_its_method_takes_and_no_larger(lab: Lab, http: httpx.AsyncClient) -> None:
    """1,024 bytes pass; one more is RESOURCE_EXHAUSTED by gRPC and 413 by REST, and no handler sees it."""
    fits = "x" * (1024 - 3)  # and the field's tag and length
    async with lab.channel() as call:
        assert (await call("SmallItem", note=fits)).note == fits
        before = lab.backend.calls["SmallItem"]
        error = await failure(call("SmallItem", note=fits + "x"))
    assert error.code().name == "RESOURCE_EXHAUSTED"
    refused = await http.post("/v1/small", json={"note": fits + "x"})
    assert (refused.status_code, refused.json()["code"]) == (413, 8)
    assert lab.backend.calls["SmallItem"] == before
