import asyncio
import os
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import grpc
import pytest

from shop.catalog.v1 import CatalogServiceStub, GetProductRequest, ImportProductsRequest, Product
from shop.orders.v1 import PlaceOrderRequest
from tests.e2e import reach, ways
from tests.e2e.mesh import Mesh
from tests.e2e.shop.calls import get_product
from tests.e2e.ways import unary

GRPC = {"content-type": "application/grpc", "te": "trailers"}
WEB = {"content-type": "application/grpc-web+proto", "x-grpc-web": "1"}
TEXT = {"content-type": "application/grpc-web-text", "x-grpc-web": "1"}
METHOD = "/shop.catalog.v1.CatalogService/GetProduct"
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
MEGABYTE = 1024 * 1024


def _processes(mesh: Mesh) -> dict[str, list[int]]:
    """Everything that runs, so that a crash shows even if it was repaired."""
    status = mesh.status()
    workers = {service["name"]: [worker["pid"] for worker in service["workers"]] for service in status["services"]}
    return {"mesh": [status["pid"], status["proxy"]["pid"]], **workers}


@pytest.fixture(scope="module", autouse=True)
def _nothing_has_crashed(shop: Mesh) -> Iterator[None]:
    """All that the tests of this module send leaves every process as it was."""
    before = _processes(shop)
    yield
    assert _processes(shop) == before


@pytest.fixture(autouse=True)
async def _serves_afterwards(shop: Mesh) -> AsyncGenerator[None]:
    """After each test a call on every protocol is answered as if nothing had been."""
    yield
    for way in ways.UNARY.values():
        assert (await unary(way, shop, get_product("matcha"))).product.product_id == "matcha"


@pytest.mark.parametrize(
    "content",
    [
        b"\0\x01\x02\x03 nothing of this is HTTP\r\n\r\n",
        b"GET /v1/products HTTP/1.1\r\nhost: shop\r\nbad header\r\n\r\n",
        b"GET /v1/products HTTP/1.1\r\nhost: shop\r\nx: a\0b\r\n\r\n",
        b"POST /v1/orders HTTP/1.1\r\nhost: shop\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /v1/products HTTP/1.1\r\nhost: shop\r\nx: " + b"a" * 40_000 + b"\r\n\r\n",
        PREFACE + os.urandom(512),
        PREFACE + b"\0\0\0\x04\0\0\0\0\0" + b"\xff" * 64,
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03" + os.urandom(256),
    ],
    ids=["noise", "no colon", "NUL", "two lengths", "large header", "HTTP/2 noise", "HTTP/2 frame", "TLS"],
)
async def test_what_is_no_request_ends_its_connection_only(shop: Mesh, content: bytes) -> None:
    """With a 4xx where it looks like HTTP/1.1."""
    reader, writer = await asyncio.open_connection("127.0.0.1", shop.port)
    try:
        writer.write(content)
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        answer = b""
    finally:
        writer.close()
    assert answer.startswith(b"HTTP/1.1 4") or content.startswith((PREFACE, b"\x16"))


@pytest.mark.parametrize(
    ("headers", "content", "codes"),
    [
        # What isn't whole never becomes a call: it ends at the safety net behind the contract's second.
        (GRPC, b"", {"DEADLINE_EXCEEDED"}),
        (GRPC, b"\0\0", {"DEADLINE_EXCEEDED", "INTERNAL"}),
        (GRPC, b"\0\0\0\0\x64abc", {"DEADLINE_EXCEEDED", "INTERNAL"}),
        (GRPC, b"\0\0\0\0\x03\xff\xff\xff", {"INTERNAL"}),
        (GRPC, b"\x01\0\0\0\x03abc", {"INTERNAL", "UNIMPLEMENTED"}),
        (GRPC, b"\0\x7f\xff\xff\xffabc", {"RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED"}),
        (WEB, b"", {"DEADLINE_EXCEEDED"}),
        (WEB, b"\0\0\0\0\x03\xff\xff\xff", {"INTERNAL"}),
        (TEXT, b"this is not base64!", {"INVALID_ARGUMENT", "UNKNOWN", "INTERNAL"}),
    ],
    ids=[
        "no message", "half a prefix", "cut message", "no protobuf", "compressed, nobody said how", "2 GB announced",
        "web, no message", "web, no protobuf", "web, no base64",
    ],
)  # fmt: skip
async def test_malformed_frames_end_with_a_status(
    shop: Mesh, headers: dict[str, str], content: bytes, codes: set[str]
) -> None:
    """A status that says whose mistake it was; nothing hangs, though the caller would wait for an hour."""
    async with reach.http(shop, http2=True) as client:
        answer = await client.post(METHOD, content=content, headers=headers | {"grpc-timeout": "1H"})
    found = dict(answer.headers)
    if "grpc-status" not in found and answer.content[:1] == b"\x80":  # in the trailers of gRPC-Web
        found |= dict(line.split(":", 1) for line in answer.content[5:].decode().split("\r\n") if line)
    if "grpc-status" in found:
        assert _code(found["grpc-status"]) in codes
    else:
        assert answer.status_code == 400


async def test_a_message_that_is_too_large_is_refused(shop: Mesh, edge: grpc.aio.Channel) -> None:
    """More than 4 MiB: RESOURCE_EXHAUSTED, and 413 by REST. One that is just large is a matter of its rules."""
    call: Any = edge.unary_unary(METHOD)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(b"x" * 5 * MEGABYTE, timeout=10)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

    large = GetProductRequest(product_id="a" * 3 * MEGABYTE).SerializeToString()
    with pytest.raises(grpc.aio.AioRpcError) as invalid:
        await call(large, timeout=10)
    assert invalid.value.code() is grpc.StatusCode.INVALID_ARGUMENT

    huge = PlaceOrderRequest(request_id="b" * 5 * MEGABYTE).SerializeToString()
    async with reach.http(shop) as client:
        content = b"\0" + len(huge).to_bytes(4, "big") + huge
        web = await client.post("/shop.orders.v1.OrdersService/PlaceOrder", content=content, headers=WEB)
        assert _code(web.headers["grpc-status"]) == "RESOURCE_EXHAUSTED"
        rest = await client.post("/v1/orders", json={"request_id": "c" * 20 * MEGABYTE})
        assert (rest.status_code, rest.json()["code"]) == (413, grpc.StatusCode.RESOURCE_EXHAUSTED.value[0])


async def test_each_message_of_a_stream_has_the_contracts_limit(operator: grpc.aio.Channel) -> None:
    """ImportProducts takes messages of 64 KiB, in any number."""

    async def products(size: int) -> Any:
        product = Product(product_id="too-much", title="Tea")
        product.price.currency_code = "EUR"
        yield ImportProductsRequest(product=product)
        product.description = "x" * size
        yield ImportProductsRequest(product=product)

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await CatalogServiceStub(operator).ImportProducts(products(100 * 1024))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize(
    "path", ["/shop.catalog.v1.CatalogService/Nothing", "/shop.Nothing/GetProduct", "/x", "/" + "a/" * 500]
)
async def test_unknown_methods_are_unimplemented(shop: Mesh, path: str) -> None:
    """By gRPC and gRPC-Web, over both versions of HTTP."""
    for http2 in (False, True):
        async with reach.http(shop, http2=http2) as client:
            for headers in (GRPC, WEB, TEXT):
                answer = await client.post(path, content=b"\0\0\0\0\0", headers=headers)
                assert _code(answer.headers["grpc-status"]) == "UNIMPLEMENTED"


def _code(number: str) -> str:
    return next(code.name for code in grpc.StatusCode if code.value[0] == int(number))
