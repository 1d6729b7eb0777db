"""How long PlaceOrder takes: the whole saga through the edge, by several callers at once.

    python tests/load/checkout.py [SECONDS]

The shop is copied to a directory of its own and run there on a free port. Each caller is a customer with a token who
orders again as soon as the order before is placed, two products that everybody wants. To stay below: a p99 of 500 ms
with 8 callers, of 1 s with 20; and no call may fail.
"""

import asyncio
import json
import statistics
import sys
import time
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from shop.identity.v1 import IdentityServiceStub, LoginRequest, RegisterRequest  # noqa: E402 - after the path is set
from shop.orders.v1 import OrdersServiceStub, PlaceOrderRequest  # noqa: E402
from tests.e2e.mesh import Mesh  # noqa: E402
from tests.load.figures import Figure, shop  # noqa: E402

BOUNDS = {8: 500, 20: 1000}  # milliseconds, by the number of callers
PRODUCTS = ("matcha", "earl-grey-tea")
CARD = "4000000000000101"
DELIVERY = 10_000  # pieces; the most that one scan may say


async def customer(edge: grpc.aio.Channel) -> tuple[tuple[str, str], ...]:
    """Metadata with the token of somebody new."""
    identity = IdentityServiceStub(edge)
    email, password = f"{uuid.uuid4().hex}@example.com", "correct horse battery"
    await patiently(lambda: identity.Register(RegisterRequest(email=email, password=password)))
    answer = await patiently(lambda: identity.Login(LoginRequest(email=email, password=password)))
    return (("authorization", f"Bearer {answer.tokens.access_token}"),)


async def patiently(call: Callable[[], Awaitable[Any]]) -> Any:
    """Calls again for as long as the contract's rate limit says no, two minutes at most."""
    for _ in range(120):
        try:
            return await call()
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.RESOURCE_EXHAUSTED:
                raise
            await asyncio.sleep(1)
    raise TimeoutError


async def order(orders: Any, metadata: tuple[tuple[str, str], ...], until: float) -> list[float]:
    """Orders again and again; milliseconds of each order."""
    took = []
    while time.monotonic() < until:
        lines = [PlaceOrderRequest.Line(product_id=product, quantity=1) for product in PRODUCTS]
        request = PlaceOrderRequest(request_id=str(uuid.uuid4()), lines=lines, card_number=CARD)
        began = time.perf_counter()
        await orders.PlaceOrder(request, metadata=metadata)
        took.append(1000 * (time.perf_counter() - began))
    return took


async def measure(mesh: Mesh, callers: int, seconds: float) -> list[float]:
    """Milliseconds of every order that so many callers placed."""
    async with grpc.aio.insecure_channel(mesh.gateway) as edge:
        tokens = [await customer(edge) for _ in range(callers)]
        orders: Any = OrdersServiceStub(edge)
        until = time.monotonic() + seconds
        return [each for some in await asyncio.gather(*(order(orders, t, until) for t in tokens)) for each in some]


def checkout(seconds: float) -> list[Figure]:
    """A figure for each number of callers."""
    figures = []
    with shop() as mesh:
        mesh.protomesh("up", check=True)
        scans = [{"request_id": str(uuid.uuid4()), "product_id": product, "delta": DELIVERY} for product in PRODUCTS]
        mesh.protomesh("call", "AdjustStock", "-", stdin="\n".join(map(json.dumps, scans)), check=True)
        asyncio.run(measure(mesh, 2, 2))  # warms up
        for callers, bound in BOUNDS.items():
            took = asyncio.run(measure(mesh, callers, seconds))
            p99 = statistics.quantiles(took, n=100)[98]
            print(
                f"{callers:2} callers: {len(took) / seconds:.0f} orders/s, p50 {statistics.median(took):.0f} ms, "
                f"p99 {p99:.0f} ms, most {max(took):.0f} ms (p99 below {bound} ms)"
            )
            figures.append(Figure(name=f"PlaceOrder, p99 of {callers} callers", unit="ms", bound=bound, samples=[p99]))
    return figures


if __name__ == "__main__":
    found = checkout(float(sys.argv[1]) if len(sys.argv) > 1 else 20)
    sys.exit(any(figure.median > figure.bound for figure in found))
