"""Events whose handling ends the worker: they are not tried again and again, for all that waits behind them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from google.rpc import code_pb2
from sqlalchemy import delete, insert, select, update

from protomesh.events.v1.event_consumer_service_pb2 import Result
from protomesh.runtime.events.handling import LeftBehind
from protomesh.runtime.events.tables import DEADLY
from protomesh.runtime.store import Database

__all__ = ["DeadlyEvents"]

_DEATHS = 3
_REST = timedelta(minutes=5)

_log = structlog.get_logger("protomesh.runtime")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlyEvents:
    """Counts deaths of workers by the event that each was handling, in the service's database.

    A worker may be ended from outside at any event, or by what is nothing of the event's. That it is in the middle of
    the same one three times is taken for the event's fault: then it fails, which counts, for five minutes from the last
    death on. After them it is tried once more. So it becomes a dead letter, and one that is replayed gets its try.
    """

    database: Database
    now: Callable[[], datetime]

    async def count(self, left_behind: Iterable[LeftBehind]) -> None:
        """Counts what workers were handling when they ended."""
        for left in left_behind:
            with left:
                if left.event_id:
                    deaths = await self._count(left.event_id)
                    _log.warning("a worker ended while it handled an event", event_id=left.event_id, times=deaths)

    async def refusals(self) -> Mapping[str, Result]:
        """What is answered now for each event that is not tried, by its id."""
        since = self.now() - _REST
        async with self.database.read() as tx:
            rows = await tx.execute(select(DEADLY).where(DEADLY.c.deaths >= _DEATHS, DEADLY.c.last_time > since))
            return {row.event_id: _refusal(row.deaths, row.last_time + _REST) for row in rows}

    async def forget(self, *, before: datetime) -> None:
        """Drops what was counted before a moment."""
        async with self.database.begin() as tx:
            await tx.execute(delete(DEADLY).where(DEADLY.c.last_time < before))

    async def _count(self, event_id: str) -> int:
        async with self.database.begin() as tx:
            deaths = 1 + (await tx.scalar(select(DEADLY.c.deaths).where(DEADLY.c.event_id == event_id)) or 0)
            values = {"deaths": deaths, "last_time": self.now()}
            if deaths == 1:
                await tx.execute(insert(DEADLY).values(event_id=event_id, **values))
            else:
                await tx.execute(update(DEADLY).where(DEADLY.c.event_id == event_id).values(values))
        return deaths


def _refusal(deaths: int, until: datetime) -> Result:
    return Result(
        outcome=Result.OUTCOME_FAILED,
        code=code_pb2.ABORTED,
        message=f"{deaths} workers ended while they handled it; not tried before {until.astimezone(UTC):%H:%M:%S} UTC",
    )
