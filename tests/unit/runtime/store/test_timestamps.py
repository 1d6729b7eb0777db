from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import Column, MetaData, Table, insert, select
from sqlalchemy.exc import StatementError

from protomesh.runtime.store import Database, UtcDateTime

MOMENTS = Table("moments", MetaData(), Column("moment", UtcDateTime))


@pytest.fixture
async def moments(db: Database) -> Database:
    """A database with a table of moments."""
    async with db.begin() as tx:
        await (await tx.connection()).run_sync(MOMENTS.create)
    return db


async def test_a_moment_comes_back_as_the_same_moment(moments: Database) -> None:
    """With a time zone, whatever zone it was given in, to the microsecond."""
    given = datetime(2026, 3, 29, 2, 30, 0, 123456, tzinfo=timezone(timedelta(hours=2)))
    async with moments.begin() as tx:
        await tx.execute(insert(MOMENTS).values(moment=given))
        found = (await tx.execute(select(MOMENTS.c.moment).where(MOMENTS.c.moment == given))).scalar_one()
    assert found == given
    assert found.tzinfo is UTC


async def test_nothing_stays_nothing(moments: Database) -> None:
    """NULL is None."""
    async with moments.begin() as tx:
        await tx.execute(insert(MOMENTS).values(moment=None))
        assert (await tx.execute(select(MOMENTS.c.moment))).scalar_one() is None


async def test_a_moment_without_a_time_zone_is_refused(moments: Database) -> None:
    """Nobody can tell which one it means."""
    async with moments.begin() as tx:
        with pytest.raises(StatementError, match="no time zone"):
            await tx.execute(insert(MOMENTS).values(moment=datetime(2026, 1, 1)))  # noqa: DTZ001 - the subject
