import asyncio
import threading
from collections.abc import AsyncGenerator
from typing import Literal

import pytest
from argon2 import PasswordHasher

from services.identity.passwords import Passwords

CHEAP = PasswordHasher(memory_cost=8, time_cost=1, parallelism=1)


class Counting(PasswordHasher):
    """A hasher that says how often it compared, what with, and how many of it were at work at once."""

    def __init__(self) -> None:
        super().__init__(memory_cost=8, time_cost=1, parallelism=1)
        self.compared: list[str | bytes] = []
        self.most = 0
        self.go = threading.Event()
        self._at_work = 0
        self._lock = threading.Lock()

    def verify(self, hash: str | bytes, password: str | bytes) -> Literal[True]:  # noqa: A002 - the library's name
        """Compares once it may."""
        with self._lock:
            self._at_work += 1
            self.most = max(self.most, self._at_work)
            self.compared.append(hash)
        self.go.wait(10)
        with self._lock:
            self._at_work -= 1
        return super().verify(hash, password)


@pytest.fixture
async def passwords() -> AsyncGenerator[Passwords]:
    """Real hashes at no cost."""
    async with Passwords(CHEAP) as made:
        yield made


async def test_a_password_matches_its_hash_and_no_other(passwords: Passwords) -> None:
    """To the letter."""
    kept = await passwords.hashed("correct horse battery")
    assert await passwords.match("correct horse battery", kept)
    assert not await passwords.match("Correct horse battery", kept)
    assert not await passwords.match("correct horse battery", await passwords.hashed("something else"))


async def test_what_looks_alike_is_one_password(passwords: Passwords) -> None:
    """An accent typed as one sign or as two."""
    assert await passwords.match("caf\u0065\u0301 au lait", await passwords.hashed("caf\u00e9 au lait"))


async def test_nobodys_password_is_compared_too() -> None:
    """With a hash of the same costs, so that it takes as long; and it never matches."""
    hasher = Counting()
    hasher.go.set()
    async with Passwords(hasher) as passwords:
        somebodys = await passwords.hashed("correct horse battery")
        assert not await passwords.match("wrong horse battery", somebodys)
        assert not await passwords.match("wrong horse battery", None)
    assert len(hasher.compared) == 2
    costs = [str(compared).rsplit("$", 2)[0] for compared in hasher.compared]
    assert costs[0] == costs[1]


async def test_no_more_are_compared_at_once_than_there_are_threads() -> None:
    """The others wait, and the event loop does not."""
    hasher = Counting()
    async with Passwords(hasher, threads=2) as passwords:
        kept = await passwords.hashed("correct horse battery")
        logins = [asyncio.create_task(passwords.match("correct horse battery", kept)) for _ in range(6)]
        async with asyncio.timeout(10):
            while len(hasher.compared) < 2:
                await asyncio.sleep(0)
        hasher.go.set()
        assert await asyncio.gather(*logins) == [True] * 6
    assert hasher.most == 2


async def test_who_hangs_up_while_waiting_costs_nothing() -> None:
    """What has not begun is not begun any more."""
    hasher = Counting()
    async with Passwords(hasher, threads=1) as passwords:
        kept = await passwords.hashed("correct horse battery")
        logins = [asyncio.create_task(passwords.match("correct horse battery", kept)) for _ in range(3)]
        async with asyncio.timeout(10):
            while not hasher.compared:
                await asyncio.sleep(0)
        logins[1].cancel()
        await asyncio.wait([logins[1]])
        hasher.go.set()
        assert await logins[0]
        assert await logins[2]
    assert len(hasher.compared) == 2


async def test_a_hash_of_other_costs_is_outdated(passwords: Passwords) -> None:
    """Costs grow over the years."""
    old = PasswordHasher(memory_cost=16, time_cost=1, parallelism=1).hash("correct horse battery")
    assert await passwords.match("correct horse battery", old)
    assert passwords.outdated(old)
    assert not passwords.outdated(await passwords.hashed("correct horse battery"))
