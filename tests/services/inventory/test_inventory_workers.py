"""The inventory's workers as the mesh has them: several processes on one database, of which any may be killed."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import grpc
import pytest
from grpc.aio import AioRpcError

from protomesh.runtime import User
from protomesh.testing.database import Databases
from protomesh.testing.fake import Fake
from shop.catalog.v1 import CatalogServiceStub
from shop.inventory.v1 import (
    AdjustStockRequest,
    AdjustStockResponse,
    InventoryServiceStub,
    WatchStockRequest,
    WatchStockResponse,
)
from tests.services.inventory.warehouse import KETTLES, adjust, reserve, scan, stock
from tests.services.workers import SOON, worker

Start = Callable[[], AbstractAsyncContextManager[tuple[asyncio.subprocess.Process, InventoryServiceStub]]]

KETTLE = "gooseneck-kettle"


@pytest.fixture
async def start(database: Databases, catalog: Fake[CatalogServiceStub], tmp_path: Path) -> AsyncGenerator[Start]:
    """Starts a worker of an inventory whose reservations expire soon."""
    variables = {
        "PROTOMESH_DATABASE_URL": str(database.url("services.inventory")),
        "RESERVATION_LIFETIME": "1s",
    }
    async with catalog:
        variables["PROTOMESH_EGRESS_SHOP_CATALOG_V1_CATALOGSERVICE"] = catalog.connect()
        yield lambda: worker("inventory", InventoryServiceStub, tmp_path, User("nobody"), **variables)


class Watcher:
    """Somebody who watches the kettles, and goes on where it left off."""

    def __init__(self) -> None:
        self.told: list[WatchStockResponse] = []

    async def follow(self, inventory: InventoryServiceStub, responses: int, last: int | None = None) -> None:
        """Watches at a worker until so many more responses have come, or one that has the last number on hand."""
        token = self.told[-1].resume_token if self.told else ""
        call = inventory.WatchStock(WatchStockRequest(product_id=KETTLE, resume_token=token))
        try:
            async with asyncio.timeout(SOON):
                async for response in call:
                    self.told.append(response)
                    responses -= 1
                    if not responses or response.stock.on_hand == last:
                        break
        finally:
            call.cancel()

    @property
    def on_hand(self) -> list[int]:
        """What it was told, in order."""
        return [response.stock.on_hand for response in self.told]


async def test_a_watcher_is_told_every_change_that_another_worker_makes(start: Start) -> None:
    """One after the other; and after its own worker was killed it goes on at the other one."""
    watcher = Watcher()
    async with start() as (process, one), start() as (_, two):
        await watcher.follow(one, 1)
        following = asyncio.create_task(watcher.follow(one, 1000))
        for number in range(1, 11):
            [made] = await adjust(two, scan(1))
            async with asyncio.timeout(SOON):
                while watcher.on_hand[-1] != KETTLES + number:
                    assert not following.done()
                    await asyncio.sleep(0.005)
            assert watcher.told[-1].stock == made.stock
        assert watcher.on_hand == [KETTLES + number for number in range(11)]
        process.kill()
        with pytest.raises(AioRpcError) as gone:
            await following
        assert gone.value.code() is grpc.StatusCode.UNAVAILABLE

        following = asyncio.create_task(watcher.follow(two, 1))
        done, _ = await asyncio.wait([following], timeout=0.5)
        assert not done  # what it has been told is not told again
        [made] = await adjust(two, scan(1))
        await following
        assert watcher.told[-1].stock == made.stock


async def test_a_watcher_who_keeps_losing_its_connection_misses_nothing_and_hears_nothing_twice(start: Start) -> None:
    """While both workers change the stock, and it comes back to either."""
    watcher, scans = Watcher(), 40
    async with start() as (_, one), start() as (_, two):
        changing = asyncio.gather(*(adjust(each, *(scan(1) for _ in range(scans))) for each in (one, two)))
        times, last = 0, KETTLES + 2 * scans
        while not watcher.told or watcher.on_hand[-1] != last:
            await watcher.follow((one, two)[times % 2], 1 + times % 3, last)
            times += 1
        await changing
        assert watcher.told[-1].stock == await stock(two)
    assert watcher.on_hand == sorted(set(watcher.on_hand))  # each change is one more
    assert times > 2


async def killed_while_scanning(
    process: asyncio.subprocess.Process,
    inventory: InventoryServiceStub,
    scans: list[AdjustStockRequest],
    acknowledged: dict[str, AdjustStockResponse],
) -> None:
    """Sends all scans at once, and kills the worker when it has acknowledged a few."""

    async def scanner() -> AsyncIterator[AdjustStockRequest]:
        for each in scans:
            yield each
        await asyncio.Event().wait()  # there might be more

    before = len(acknowledged)
    async for answer in inventory.AdjustStock(scanner()):
        acknowledged[answer.request_id] = answer
        if len(acknowledged) == before + 5:
            process.kill()


async def test_a_scanner_whose_worker_is_killed_counts_every_scan_once(start: Start) -> None:
    """With SIGKILL, with scans that are kept and not acknowledged; sent again, each is acknowledged as at first."""
    scans = [scan(1 + number % 5) for number in range(90)]
    acknowledged: dict[str, AdjustStockResponse] = {}
    for sent in (30, 60, 90):
        async with start() as (process, inventory):
            left = [each for each in scans[:sent] if each.request_id not in acknowledged]
            with pytest.raises(AioRpcError) as gone:
                await killed_while_scanning(process, inventory, left, acknowledged)
            assert gone.value.code() is grpc.StatusCode.UNAVAILABLE
    async with start() as (_, inventory):
        answers = await adjust(inventory, *scans)
        on_hand = KETTLES
        for each, answer in zip(scans, answers, strict=True):
            on_hand += each.delta
            assert answer.stock.on_hand == on_hand
            assert acknowledged.get(each.request_id, answer) == answer
        assert (await stock(inventory)).on_hand == on_hand


async def test_reservations_expire_although_a_worker_was_killed(start: Start) -> None:
    """The job is one worker's; when that one ends it is the other's, and pieces come back once."""
    async with start() as (process, one), start() as (_, two):
        await one.Reserve(reserve(2))
        process.kill()
        await process.wait()
        await two.Reserve(reserve(1))
        async with asyncio.timeout(SOON):
            async for told in two.WatchStock(WatchStockRequest(product_id=KETTLE)):
                assert 0 <= told.stock.reserved <= 3
                if told.stock.available == KETTLES:
                    break
        assert (await stock(two)).on_hand == KETTLES
