from typing import Any

import grpc
import httpx
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.integration.envoy import grpc_web
from tests.integration.envoy.lab import Lab, failure

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.mark.parametrize("name", ["AdminItem", "NoItem"])
async def test_an_internal_method_is_as_unknown_as_one_that_does_not_exist(
    lab: Lab, http: httpx.AsyncClient, name: str
) -> None:
    """By gRPC and gRPC-Web both are UNIMPLEMENTED, word for word the same, and no service hears of it."""
    before = lab.backend.calls.total()
    async with lab.channel() as call:
        error = await failure(call(name))
    assert (error.code().name, error.details()) == ("UNIMPLEMENTED", "no such method")
    answer = await grpc_web.call(http, name)
    assert (answer.status, answer.details) == (12, "no such method")
    assert lab.backend.calls.total() == before


async def test_a_user_method_is_closed_while_nobody_verifies_tokens(lab: Lab, http: httpx.AsyncClient) -> None:
    """With and without a token it is UNAUTHENTICATED by gRPC, gRPC-Web and REST; its handler never runs."""
    token = "Bearer eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl"
    forged = "Bearer eyJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJ1cm46cHJvdG9tZXNoOm5vYm9keSJ9.c2lnbmF0dXJl"
    before = lab.backend.calls["MyItem"]
    async with lab.channel() as call:
        for value in (None, token, forged):
            metadata = [("authorization", value)] if value else None
            assert (await failure(call("MyItem", metadata=metadata))).code().name == "UNAUTHENTICATED"
            answer = await http.get("/v1/mine", headers={"authorization": value} if value else None)
            assert (answer.status_code, answer.json()["code"]) == (401, 16)
    assert (await grpc_web.call(http, "MyItem")).status == 16
    assert lab.backend.calls["MyItem"] == before


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", ""])
async def test_a_method_takes_grpc_only(lab: Lab, http: httpx.AsyncClient, content_type: str) -> None:
    """Another content type is 415 and a google.rpc.Status; grpcio itself would not look at it."""
    before = lab.backend.calls.total()
    headers = {"content-type": content_type} if content_type else {}
    answer = await http.post("/lab.v1.LabService/GetItem", content=b"{}", headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, 3)
    assert "application/grpc" in answer.json()["message"]
    assert lab.backend.calls.total() == before


@pytest.mark.parametrize("verb", ["GET", "OPTIONS", "PUT", "DELETE"])
async def test_a_method_is_called_by_post_only(lab: Lab, http: httpx.AsyncClient, verb: str) -> None:
    """No other verb reaches a service, whatever content type comes with it."""
    answers = [
        await http.request(verb, path, headers=headers)
        for path in ("/lab.v1.LabService/GetItem", "/grpc.health.v1.Health/Check")
        for headers in ({"content-type": "application/grpc"}, {"origin": "https://evil.test"}, {})
    ]
    for answer in answers:
        assert answer.status_code in {404, 415} or answer.headers["grpc-status"] in {"2", "12"}
        assert (await lab.logged(answer.headers["x-request-id"]))["upstream"] is None


async def test_a_prefix_goes_to_its_service_as_it_is(http: httpx.AsyncClient) -> None:
    """What a monolith still answers keeps its path and query; it speaks HTTP/1.1."""
    answer = await http.get("/legacy/orders/1?full=yes")
    assert (answer.status_code, answer.text) == (200, "GET /legacy/orders/1?full=yes HTTP/1.1")


async def test_healthz_says_whether_the_exposed_services_are_well(http: httpx.AsyncClient) -> None:
    """It tells nothing about the mesh's inside, in headers neither."""
    answer = await http.get("/healthz")
    assert (answer.status_code, answer.text) == (200, "")
    assert not [name for name in answer.headers if name.startswith("x-envoy-")]


async def test_clients_see_nothing_of_envoy_and_say_nothing_for_the_mesh(lab: Lab, http: httpx.AsyncClient) -> None:
    """No server header comes out, no x-protomesh-* header of a client gets in; each answer has its request ID."""
    headers = {"x-protomesh-caller": "evil", "x-protomesh-subject": "admin", "x-protomesh-anything": "1"}
    answer = await http.get("/v1/items/7", headers=headers)
    assert answer.status_code == 200
    assert "server" not in answer.headers
    assert answer.headers["x-request-id"] == lab.backend.metadata["x-request-id"]
    assert not [name for name in lab.backend.metadata if name.startswith("x-protomesh-")]


@pytest.mark.parametrize("path", ["/v1/items/a%2Fb", "/v1/items/a%5Cb"])
async def test_a_path_with_escaped_slashes_is_refused(http: httpx.AsyncClient, path: str) -> None:
    """Two parts of the way must never read one path as two different ones."""
    answer = await http.get(path)
    assert (answer.status_code, answer.json()["code"]) == (400, 3)
    assert answer.json()["message"] == "a path may not have an escaped slash in it, %2F or %5C"


@pytest.mark.parametrize(("face", "api"), [("edge", "edge-api"), ("operator", "operator-api")])
async def test_each_face_has_an_api_of_its_own(lab: Lab, face: str, api: str) -> None:
    """grpc.health.v1 at the edge knows what the edge shows, at the operator's socket everything."""
    address = lab.address if face == "edge" else f"unix:{lab.layout.operator_socket}"
    async with grpc.aio.insecure_channel(address, options=[("grpc.default_authority", "lab")]) as channel:
        stub: Any = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=api))
        watched = await stub.Watch(health_pb2.HealthCheckRequest(service=api)).read()
        other = await failure(stub.Check(health_pb2.HealthCheckRequest(service="lab")))
    serving = health_pb2.HealthCheckResponse.SERVING
    assert (answer.status, watched.status) == (serving, serving)
    assert other.code().name == "NOT_FOUND"


async def test_reflection_goes_to_the_meshs_own(lab: Lab) -> None:
    """Both versions have a route; here nobody serves it, so it is the API that does not know it, and not Envoy."""
    async with grpc.aio.insecure_channel(lab.address) as channel:
        for version in ("v1", "v1alpha"):
            path = f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo"
            call: Any = channel.unary_unary(path)
            error = await failure(call(b""))
            assert (error.code().name, error.details()) == ("UNIMPLEMENTED", "Method not found!")
