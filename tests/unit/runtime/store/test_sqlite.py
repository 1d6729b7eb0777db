import asyncio
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import URL

from protomesh.runtime.store import Database, changes, sqlite_url
from protomesh.runtime.store.migrate import is_migrated
from protomesh.runtime.store.revisions import upgrade

PACKAGE = "protomesh.runtime.store"
SOON = timedelta(seconds=10).total_seconds()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that does not exist yet, in a directory that does not either."""
    return tmp_path / "data" / "database.sqlite3"


@pytest.fixture
def url(file: Path) -> URL:
    """Its URL."""
    return sqlite_url(file)


async def test_asking_creates_nothing(file: Path, url: URL) -> None:
    """Not even an empty file, which another process could find in the wrong mode."""
    assert not await is_migrated(url, PACKAGE)
    assert not file.exists()


def test_a_migrated_file_has_a_write_ahead_log(file: Path, url: URL) -> None:
    """Workers need it, and none of them could switch while another one is there."""
    upgrade(url, PACKAGE)
    with closing(sqlite3.connect(file)) as connection:
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_a_watcher_that_leaves_costs_nothing(url: URL) -> None:
    """Asking ends with the last one who waits."""
    upgrade(url, PACKAGE)
    async with Database(url) as db:
        feed = changes(db)
        await anext(feed)
        waiting = asyncio.ensure_future(anext(feed))
        await asyncio.wait([waiting], timeout=0.1)
        assert db.feed.watching
        waiting.cancel()
        async with asyncio.timeout(SOON):
            while db.feed.watching:
                await asyncio.sleep(0)
