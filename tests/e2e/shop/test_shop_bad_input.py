import asyncio
import json
import os
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import grpc
import pytest

from shop.catalog.v1 import CatalogServiceStub, GetProductRequest, ImportProductsRequest, Product
from shop.orders.v1 import PlaceOrderRequest
from tests.e2e import reach, ways
from tests.e2e.mesh import Mesh
from tests.e2e.shop.calls import Metadata, get_product
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
    """With a 4xx and a google.rpc.Status where it looks like HTTP/1.1.

    What began as HTTP/2 and went astray has no request that a status could be about: the connection is what fails.
    """
    reader, writer = await asyncio.open_connection("127.0.0.1", shop.port)
    try:
        writer.write(content)
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(), 10)
    except ConnectionResetError:
        answer = b""
    finally:
        writer.close()
    if not content.startswith((PREFACE, b"\x16")):
        head, _, body = answer.partition(b"\r\n\r\n")
        code, status = (8, b"431") if b"a" * 40_000 in content else (3, b"400")
        assert head.startswith(b"HTTP/1.1 " + status)
        assert json.loads(body)["code"] == code


@pytest.mark.parametrize(
    ("headers", "content", "status", "code"),
    [
        # What isn't whole never becomes a call: it ends at the safety net behind the contract's second.
        (GRPC, b"", 200, "DEADLINE_EXCEEDED"),
        (GRPC, b"\0\0", 200, "DEADLINE_EXCEEDED"),
        (GRPC, b"\0\0\0\0\x64abc", 200, "DEADLINE_EXCEEDED"),
        # Whole, and no message: a gRPC server says INTERNAL of what it can't read.
        (GRPC, b"\0\0\0\0\x03\xff\xff\xff", 200, "INTERNAL"),
        (GRPC, b"\x01\0\0\0\x03abc", 200, "INTERNAL"),
        # Refused by what it announces, before a byte of it is in memory.
        (GRPC, b"\0\x7f\xff\xff\xffabc", 200, "RESOURCE_EXHAUSTED"),
        (WEB, b"", 200, "DEADLINE_EXCEEDED"),
        (WEB, b"\0\0\0\0\x64abc", 200, "DEADLINE_EXCEEDED"),
        (WEB, b"\0\0\0\0\x03\xff\xff\xff", 200, "INTERNAL"),
        # No service has a part in it: Envoy can't decode it, and says so with the HTTP status of a bad request. The
        # gRPC status is beside it in the headers, and is the one that gRPC's own table has for 400.
        (TEXT, b"this is not base64!", 400, "INTERNAL"),
        (TEXT, b"AAAAA", 400, "INTERNAL"),
    ],
    ids=[
        "no message", "half a prefix", "cut message", "no protobuf", "compressed, nobody said how", "2 GB announced",
        "web, no message", "web, cut message", "web, no protobuf", "web, no base64", "web, cut base64",
    ],
)  # fmt: skip
async def test_malformed_frames_end_with_a_status(
    shop: Mesh, headers: dict[str, str], content: bytes, status: int, code: str
) -> None:
    """Over both versions of HTTP with the same one; nothing hangs, though the caller would wait for an hour."""

    async def send(*, http2: bool) -> tuple[int, str]:
        async with reach.http(shop, http2=http2) as client:
            answer = await client.post(METHOD, content=content, headers=headers | {"grpc-timeout": "1H"})
        assert answer.headers["grpc-message"]
        return answer.status_code, _code(answer.headers["grpc-status"])

    answers = await asyncio.gather(send(http2=False), send(http2=True))
    assert set(answers) == {(status, code)}


async def test_a_message_that_is_too_large_is_refused(shop: Mesh, edge: grpc.aio.Channel, customer: Metadata) -> None:
    """More than 4 MiB: RESOURCE_EXHAUSTED, and 413 by REST. One that is just large is a matter of its rules.

    Of JSON that could be no message of that size nothing is read to its end: who listens while sending hears why.
    """
    call: Any = edge.unary_unary(METHOD)
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await call(b"x" * 5 * MEGABYTE, timeout=10)
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED

    large = GetProductRequest(product_id="a" * 3 * MEGABYTE).SerializeToString()
    with pytest.raises(grpc.aio.AioRpcError) as invalid:
        await call(large, timeout=10)
    assert invalid.value.code() is grpc.StatusCode.INVALID_ARGUMENT

    huge = PlaceOrderRequest(request_id="b" * 5 * MEGABYTE).SerializeToString()
    async with reach.http(shop, http2=False, **dict(customer)) as client:
        content = b"\0" + len(huge).to_bytes(4, "big") + huge
        web = await client.post("/shop.orders.v1.OrdersService/PlaceOrder", content=content, headers=WEB)
        assert _code(web.headers["grpc-status"]) == "RESOURCE_EXHAUSTED"
        rest = await client.post("/v1/orders", json={"request_id": "c" * 10 * MEGABYTE})
        assert (rest.status_code, rest.json()["code"]) == (413, grpc.StatusCode.RESOURCE_EXHAUSTED.value[0])

    (token,) = (value for name, value in customer if name == "authorization")
    curl = await asyncio.create_subprocess_exec(
        *("curl", "--silent", "--http1.1", "--data-binary", "@-", "--write-out", "%{http_code}", "--max-time", "20"),
        *("--header", "content-type: application/json", "--header", f"authorization: {token}"),
        f"http://{shop.gateway}/v1/orders",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    printed, _ = await curl.communicate(b'{"request_id": "' + b"c" * 100 * MEGABYTE + b'"}')
    assert printed.decode().endswith("413")
    assert grpc.StatusCode.RESOURCE_EXHAUSTED.value[0] == json.loads(printed[:-3])["code"]


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
