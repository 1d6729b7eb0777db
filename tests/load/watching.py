"""What a change of the database costs a worker with 500 streams that follow things in it.

    python tests/load/watching.py [ROUNDS]

The inventory serves 500 WatchStock streams, over 50 products: once as it is, with one look at the database for all of
them (`store.Watch`), once with a look for each stream. In turns, so that whatever else the machine does hits both
alike. A sample is the CPU of this process, which is server and client at once, and the time from the COMMIT until the
last of the ten streams of one product has been told. To stay below, beside a look for each: 20 % of its CPU.
"""

import asyncio
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from protomesh.runtime import Context  # noqa: E402 - after the path is set
from protomesh.runtime.store import Database, changes, migrated, sqlite_url  # noqa: E402
from protomesh.testing.fake import Fake  # noqa: E402
from protomesh.testing.serving import serving  # noqa: E402
from services.inventory import store  # noqa: E402
from services.inventory.domain import Stock  # noqa: E402
from services.inventory.service import Inventory  # noqa: E402
from shop.catalog.v1 import CatalogServiceStub  # noqa: E402
from shop.inventory.v1 import (  # noqa: E402
    GetStockRequest,
    InventoryServiceStub,
    WatchStockRequest,
    WatchStockResponse,
)

STREAMS = 500
PRODUCTS = 50
CHANGES = 20  # in a row


class EachLooks(Inventory):
    """An inventory whose streams look for themselves."""

    async def WatchStock(self, request: WatchStockRequest, context: Context, /) -> AsyncIterator[WatchStockResponse]:
        told = None
        async for _ in changes(self._db):
            stock = (await self.GetStock(GetStockRequest(product_id=request.product_id), context)).stock
            if stock != told:
                told = stock
                yield WatchStockResponse(stock=stock)


async def put(db: Database, product: str, pieces: int) -> None:
    """Changes the stock of a product."""
    async with db.begin() as tx:
        stock = await store.stock_of(tx, product) or Stock.none_yet(product, datetime.now(UTC))
        adjusted = stock.adjusted(pieces, datetime.now(UTC))
        assert adjusted is not None
        await store.put_stock(tx, adjusted)


async def measure(db: Database, kind: type[Inventory]) -> tuple[float, float]:
    """Milliseconds of CPU of one change, and until it is told, with every stream open."""
    servicer = kind(db, Fake(CatalogServiceStub).stub, lambda: datetime.now(UTC))
    products = [f"product-{number}" for number in range(PRODUCTS)]
    async with serving(servicer, InventoryServiceStub) as inventory:
        calls: list[Any] = [
            inventory.WatchStock(WatchStockRequest(product_id=products[number % PRODUCTS])) for number in range(STREAMS)
        ]
        streams = [aiter(call) for call in calls]
        await asyncio.gather(*(anext(stream) for stream in streams))
        cpu, begun, told = time.process_time(), time.perf_counter(), 0.0
        for number in range(CHANGES):
            product = number % PRODUCTS
            await put(db, products[product], 1)
            committed = time.perf_counter()
            await asyncio.gather(*(anext(stream) for stream in streams[product::PRODUCTS]))
            told += time.perf_counter() - committed
            # Also what every other stream does about it is a part of what it costs: a look is over in that time.
            await asyncio.sleep(max(0.0, begun + (number + 1) * 0.5 - time.perf_counter()))
        cpu = time.process_time() - cpu
        for call in calls:
            call.cancel()
    return 1000 * cpu / CHANGES, 1000 * told / CHANGES


async def main() -> None:
    """Measures both in turns."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    shares = []
    with tempfile.TemporaryDirectory() as directory:
        url = sqlite_url(Path(directory, "inventory.sqlite3"))
        await migrated(url, "services.inventory")
        async with Database(url) as db:
            for number in range(PRODUCTS):
                await put(db, f"product-{number}", 1000)
            for _ in range(rounds):
                each, once = await measure(db, EachLooks), await measure(db, Inventory)
                shares.append(once[0] / each[0])
                print(
                    f"a look each: {each[0]:.1f} ms CPU, told after {each[1]:.0f} ms; "
                    f"one for all: {once[0]:.1f} ms CPU, told after {once[1]:.0f} ms; share {shares[-1]:.3f}"
                )
    print(f"median share {statistics.median(shares):.3f}")


if __name__ == "__main__":
    asyncio.run(main())
