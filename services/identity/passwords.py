"""Passwords: hashed by Argon2id in threads of their own, so that no other call waits for one."""

import asyncio
import secrets
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

__all__ = ["Passwords"]

ResultT = TypeVar("ResultT")

# The least that OWASP's password storage cheat sheet recommends, in its leanest form: 19 MiB a hash, some 30 ms. A
# worker has two threads for it, which bounds what logins cost the others in memory and time.
_HASHER = PasswordHasher(memory_cost=19 * 1024, time_cost=2, parallelism=1)
_THREADS = 2


class Passwords:
    """Makes and compares hashes of passwords. Who comes while all threads are busy waits, for as long as its caller.

    It is a context manager: it needs a hash to compare the passwords of nobody with.
    """

    def __init__(self, hasher: PasswordHasher = _HASHER, *, threads: int = _THREADS) -> None:
        self._hasher = hasher
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="argon2")
        self._nobodys = ""

    async def hashed(self, password: str) -> str:
        """The hash to keep, with its salt and costs in it."""
        return await self._run(lambda: self._hasher.hash(_prepared(password)))

    async def match(self, password: str, password_hash: str | None) -> bool:
        """Whether the hash is that of the password. None is nobody's: that takes as long, and is False."""
        expected = self._nobodys if password_hash is None else password_hash

        def compare() -> bool:
            try:
                return self._hasher.verify(expected, _prepared(password))
            except VerifyMismatchError:
                return False

        return await self._run(compare) and password_hash is not None

    def outdated(self, password_hash: str) -> bool:
        """Whether a hash was made with other costs than today's. At the next login it can be made anew."""
        return self._hasher.check_needs_rehash(password_hash)

    async def _run(self, step: Callable[[], ResultT]) -> ResultT:
        return await asyncio.get_running_loop().run_in_executor(self._threads, step)

    async def __aenter__(self) -> Self:
        self._nobodys = await self.hashed(secrets.token_urlsafe())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)


def _prepared(password: str) -> str:
    """One spelling of what looks alike, whatever keyboard it came from (NIST SP 800-63B, section 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)
