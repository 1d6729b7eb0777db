"""An issuer's keys from a file or a URL: looked at again and again, and told when they are others."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.request import HTTPRedirectHandler, Request, build_opener

from protomesh.control.key_set import LARGEST, InvalidKeySet, check_key_set
from protomesh.model import KeySource
from protomesh.proxy import ConfigurationRefused

__all__ = ["FollowedKeys"]

_FILE_SECONDS = 1.0  # between two looks
_URL_SECONDS = 60.0
_ANSWER_SECONDS = 5.0
_log = logging.getLogger(__name__)


class _NoRedirect(HTTPRedirectHandler):
    """Whoever answers decides who gets in, so it has to be who was named."""

    def redirect_request(self, *_: object) -> None:
        return None


class FollowedKeys:
    """The keys of an issuer that does not publish them itself.

    What can't be had, or is no key set, is said once in the log; tokens are verified with what was there before.

    Args:
        root: The project; a file is relative to it.
        source: Where the keys are; one of a service of the mesh has nothing to follow.
        changed: Is told each new set; returns when Envoy verifies with it.
    """

    def __init__(self, root: Path, source: KeySource, changed: Callable[[str], Awaitable[None]]) -> None:
        self._root = root
        self._source = source
        self._changed = changed
        self._told = ""
        self._problem = ""

    async def look(self) -> None:
        """Looks once, and tells what is new."""
        try:
            found = await asyncio.to_thread(self._read)
            check_key_set(found)
            if found != self._told:
                await self._changed(found)
                self._told = found
                _log.info("tokens are verified with other keys", extra={"source": self._name})
            self._problem = ""
        except (OSError, ValueError, InvalidKeySet, ConfigurationRefused, TimeoutError) as error:
            self._complain(str(error))

    async def follow(self) -> None:
        """Looks for as long as it is awaited."""
        while True:
            await asyncio.sleep(_URL_SECONDS if self._source.url else _FILE_SECONDS)
            await self.look()

    @property
    def _name(self) -> str:
        return self._source.url or self._source.file or ""

    def _read(self) -> str:
        if self._source.url is None:
            return (self._root / self._name).read_text(encoding="utf-8")
        request = Request(self._source.url, headers={"accept": "application/json"})  # noqa: S310 - https, or loopback
        with build_opener(_NoRedirect).open(request, timeout=_ANSWER_SECONDS) as answer:
            content: bytes = answer.read(LARGEST + 1)
        return content.decode()

    def _complain(self, problem: str) -> None:
        if problem != self._problem:
            _log.error("the keys of the issuer can't be had", extra={"source": self._name, "why": problem})
        self._problem = problem
