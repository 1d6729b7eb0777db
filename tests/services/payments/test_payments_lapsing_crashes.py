"""The job that lets go of what is held for too long, killed from outside around each of its commits."""

import asyncio
import json
import tempfile
import uuid
from collections import defaultdict
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from google.type.money_pb2 import Money
from sqlalchemy import select, update

from protomesh.runtime import User
from protomesh.runtime.store import Database
from protomesh.testing.database import Databases
from services.payments.bank import LocalBank
from services.payments.domain import PaymentState
from services.payments.store import PaymentRow
from shop.payments.v1 import AuthorizePaymentRequest, PaymentsServiceStub
from tests.services.forks import Fork, Forks
from tests.services.kills import rounds
from tests.services.workers import SOON

pytestmark = pytest.mark.soak

ALICE = User("alice")
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


@asynccontextmanager
async def listening() -> AsyncGenerator[tuple[str, asyncio.Event]]:
    """A unix socket, and whether a worker has said there that it has stopped."""
    stopped = asyncio.Event()

    async def hear(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        stopped.set()
        await reader.read()
        writer.close()

    with tempfile.TemporaryDirectory(prefix="pm-") as sockets:
        async with await asyncio.start_unix_server(hear, f"{sockets}/told"):
            yield f"{sockets}/told", stopped


async def age(db: Database) -> None:
    """Makes every payment old."""
    async with db.begin() as tx:
        await tx.execute(update(PaymentRow).values(update_time=LONG_AGO))


async def all_released(db: Database) -> None:
    """Waits until nothing is held any more."""
    async with asyncio.timeout(SOON):
        while True:
            async with db.read() as tx:
                states = set(await tx.scalars(select(PaymentRow.state)))
            if states == {PaymentState.RELEASED.value}:
                return
            await asyncio.sleep(0.02)


def authorize() -> AuthorizePaymentRequest:
    """A new request for a payment."""
    money = Money(currency_code="EUR", units=5)
    return AuthorizePaymentRequest(
        request_id=str(uuid.uuid4()), order_id="order-1", amount=money, card_number="4000000000000101"
    )


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("state", ["releasing", "released"])
async def test_a_worker_killed_while_it_lets_go(
    payments_forks: Forks, database: Databases, tmp_path: Path, moment: str, state: str
) -> None:
    """The next one does, and each amount is let go once."""
    db = await database("services.payments")
    variables = {
        "PROTOMESH_DATABASE_URL": db.url.render_as_string(hide_password=False),
        "PROVIDER_LEDGER": str(tmp_path / "ledger"),
    }

    def worker(**more: str) -> AbstractAsyncContextManager[tuple[Fork, PaymentsServiceStub]]:
        return payments_forks.worker(PaymentsServiceStub, tmp_path / "payments", ALICE, **variables, **more)

    held = 0
    async with listening() as (told, stopped):
        for kills in rounds():
            async with worker() as (_, payments):
                await asyncio.gather(*(payments.AuthorizePayment(authorize()) for _ in range(kills)))
            held += kills
            for _ in range(kills):
                await age(db)
                stopped.clear()
                async with worker(STOP_AT=json.dumps([moment, state, told])) as (process, _):
                    async with asyncio.timeout(SOON):
                        await stopped.wait()
                    process.kill()
            await age(db)
            async with worker():
                await all_released(db)
    done = defaultdict[str, list[str]](list)
    for entry in LocalBank(tmp_path / "ledger", lambda: LONG_AGO).entries():
        done[entry.key].append(entry.operation.value)
    assert list(done.values()) == [["authorize", "release"]] * held
