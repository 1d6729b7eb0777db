"""The real services around the orders, each on its own database, and workers of the orders to kill."""

import asyncio
import json
import tempfile
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest
from grpc.aio import AioRpcError
from sqlalchemy import URL, update

from protomesh.runtime import Context, User
from protomesh.runtime.server import Server
from protomesh.runtime.store import Database
from protomesh.testing.database import Databases
from protomesh.testing.serving import serving
from services.catalog.service import Catalog
from services.inventory.service import Inventory
from services.orders.store import OrderRow
from services.payments.bank import LocalBank
from services.payments.service import Payments
from shop.catalog.v1 import CatalogServiceStub
from shop.inventory.v1 import (
    ConfirmReservationRequest,
    ConfirmReservationResponse,
    ReleaseRequest,
    ReleaseResponse,
    ReserveRequest,
    ReserveResponse,
)
from shop.orders.v1 import OrderCancelled, OrderConfirmed, OrdersServiceStub
from shop.payments.v1 import (
    AuthorizePaymentRequest,
    AuthorizePaymentResponse,
    CapturePaymentRequest,
    CapturePaymentResponse,
    RefundPaymentRequest,
    RefundPaymentResponse,
)
from tests.services.forks import Fork, Forks
from tests.services.orders.books import LINES, Books
from tests.services.workers import SOON

__all__ = ["ALICE", "Point", "WholeShop", "whole_shop"]

ALICE = User("alice")
_LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

RequestT = TypeVar("RequestT")
ResponseT = TypeVar("ResponseT")


@dataclass(frozen=True, slots=True)
class Point:
    """Where a worker of the orders is when it is killed.

    `step` is what a commit keeps, see `tests.services.stops`, or a method that the worker calls: before it is carried
    out, or before its answer comes.
    """

    moment: str
    step: str

    @property
    def called(self) -> bool:
        """Whether it is around a call, rather than around a commit."""
        return self.step[0].isupper()

    def __str__(self) -> str:
        return f"{self.moment}-{self.step.replace(' ', '-')}"


class Gate:
    """Stops every call of one method while it is shut, and hears of a worker that has stopped at a commit."""

    def __init__(self) -> None:
        self._shut: Point | None = None
        self.waiting = 0

    def shut(self, at: Point) -> None:
        """Stops the calls that come from now on."""
        self._shut, self.waiting = at, 0

    def open(self) -> None:
        """Lets the calls pass that come from now on. Those that wait belong to somebody who is gone."""
        self._shut = None

    async def through(
        self,
        handler: Callable[[RequestT, Context], Awaitable[ResponseT]],
        request: RequestT,
        context: Context,
    ) -> ResponseT:
        """Carries a call out."""
        await self._pass(Point("before", handler.__name__))
        response = await handler(request, context)
        await self._pass(Point("after", handler.__name__))
        return response

    async def hear(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Takes the word of a worker, until that is gone."""
        self.waiting += 1
        await reader.read()
        writer.close()

    async def _pass(self, here: Point) -> None:
        if self._shut == here:
            self.waiting += 1
            await asyncio.Event().wait()


class GatedInventory(Inventory):
    """The inventory behind a gate."""

    gate: Gate

    async def Reserve(self, request: ReserveRequest, context: Context, /) -> ReserveResponse:
        return await self.gate.through(super().Reserve, request, context)

    async def ConfirmReservation(
        self, request: ConfirmReservationRequest, context: Context, /
    ) -> ConfirmReservationResponse:
        return await self.gate.through(super().ConfirmReservation, request, context)

    async def Release(self, request: ReleaseRequest, context: Context, /) -> ReleaseResponse:
        return await self.gate.through(super().Release, request, context)


class GatedPayments(Payments):
    """The payments behind a gate."""

    gate: Gate

    async def AuthorizePayment(self, request: AuthorizePaymentRequest, context: Context, /) -> AuthorizePaymentResponse:
        return await self.gate.through(super().AuthorizePayment, request, context)

    async def CapturePayment(self, request: CapturePaymentRequest, context: Context, /) -> CapturePaymentResponse:
        return await self.gate.through(super().CapturePayment, request, context)

    async def RefundPayment(self, request: RefundPaymentRequest, context: Context, /) -> RefundPaymentResponse:
        return await self.gate.through(super().RefundPayment, request, context)


@dataclass(frozen=True, slots=True, kw_only=True)
class WholeShop:
    """What the orders need, in this process, and where it is."""

    folder: Path
    forks: Forks
    gate: Gate
    told: str  # the gate's unix socket
    books: Books
    environment: dict[str, str] = field(repr=False)

    @asynccontextmanager
    async def worker(self, **variables: str) -> AsyncGenerator[tuple[Fork, OrdersServiceStub]]:
        """A worker of the orders, in a process of its own, that carries on what others do not answer to in time."""
        made = {**self.environment, "CHECKOUT_LEASE": "5s", **variables}
        async with self.forks.worker(OrdersServiceStub, self.folder / "orders", ALICE, **made) as running:
            yield running

    async def killed(self, at: Point, *calls: Callable[[OrdersServiceStub], Awaitable[object]]) -> None:
        """Starts a worker, calls it, and kills it at a point; one of a call of its own, when all have come there."""
        stop = {"CHECKOUT_LEASE": "1h"}  # it lapses when the test says so
        if not at.called:
            stop["STOP_AT"] = json.dumps([at.moment, at.step, self.told])
        self.gate.shut(at)
        async with self.worker(**stop) as (process, orders):
            acting = [asyncio.ensure_future(call(orders)) for call in calls]
            pieces = len(LINES) if at.step in {"Reserve", "ConfirmReservation", "Release"} else 1
            async with asyncio.timeout(SOON):
                while self.gate.waiting < (max(1, len(acting)) * pieces if at.called else 1):
                    assert [call for call in acting if call.done()] == []
                    process.check()
                    await asyncio.sleep(0.002)
            process.kill()
            for call in acting:
                with pytest.raises(AioRpcError):
                    await call
        self.gate.open()

    async def lapse(self) -> None:
        """Lets the lease of every run lapse."""
        async with self.books.orders.begin() as tx:
            await tx.execute(update(OrderRow).where(OrderRow.lease_time.is_not(None)).values(lease_time=_LONG_AGO))


@asynccontextmanager
async def whole_shop(forks: Forks, orders_url: URL, others: Databases, folder: Path) -> AsyncGenerator[WholeShop]:
    """The real services; the inventory and the payments behind a gate, in this process."""

    def now() -> datetime:
        return datetime.now(UTC)

    gate = Gate()
    bank = LocalBank(folder / "ledger", now)
    inventory_db = await others("services.inventory")
    products = Catalog(await others("services.catalog"), now)
    async with AsyncExitStack() as stack:
        sockets = stack.enter_context(tempfile.TemporaryDirectory(prefix="pm-"))
        catalog = await stack.enter_async_context(serving(products, CatalogServiceStub))
        inventory = GatedInventory(inventory_db, catalog, now)
        payments = GatedPayments(await others("services.payments"), bank, now, timedelta(seconds=10))
        inventory.gate = payments.gate = gate
        environment = {
            "PROTOMESH_DATABASE_URL": orders_url.render_as_string(hide_password=False),
            # Nobody answers by that name, so that events stay where they were published.
            "PROTOMESH_SUBSCRIBERS": " ".join(
                f"{event.DESCRIPTOR.full_name}=nobody" for event in (OrderConfirmed, OrderCancelled)
            ),
        }
        for name, servicer in {
            "SHOP_CATALOG_V1_CATALOGSERVICE": products,
            "SHOP_INVENTORY_V1_INVENTORYSERVICE": inventory,
            "SHOP_PAYMENTS_V1_PAYMENTSSERVICE": payments,
        }.items():
            server = Server([servicer])
            environment[f"PROTOMESH_EGRESS_{name}"] = server.listen(f"unix:{sockets}/{name}")
            await server.start()
            stack.push_async_callback(server.drain, timedelta(0))
        await stack.enter_async_context(await asyncio.start_unix_server(gate.hear, f"{sockets}/told"))
        orders_db = await stack.enter_async_context(Database(orders_url, patience=timedelta(seconds=30)))
        books = Books(bank=bank, inventory=inventory_db, orders=orders_db)
        await books.fill()
        yield WholeShop(
            folder=folder, forks=forks, gate=gate, told=f"{sockets}/told", books=books, environment=environment
        )
