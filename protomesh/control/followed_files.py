"""The folders that gateways answer, followed: a new build is shown without a restart."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from pathlib import Path

from protomesh.diagnostics import InvalidProject
from protomesh.model import Gateway
from protomesh.proxy import ConfigurationRefused

__all__ = ["FollowedFiles"]

_LOOKS = 0.5  # seconds between two looks at the folders
_log = logging.getLogger(__name__)

State = frozenset[tuple[str, int, int, int]]


class FollowedFiles:
    """Looks whether files have come, changed or gone."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._gateways: tuple[Gateway, ...] = ()
        self._shown: State | None = None

    def look(self, gateways: tuple[Gateway, ...]) -> None:
        """Follows the folders of these gateways. Comes before they are read: what changes meanwhile is read again."""
        self._gateways = gateways
        self._shown = self._state()

    async def follow(self, changed: Callable[[], Awaitable[None]]) -> None:
        """Calls `changed` once a build is over: two looks see the same, and not what was seen before.

        What can't be shown is said once, and what was shown before stays.
        """
        before: State | None = self._shown
        while True:
            await asyncio.sleep(_LOOKS)
            if not any(gateway.files for gateway in self._gateways):
                continue
            now = await asyncio.to_thread(self._state)
            if now is not None and now == before != self._shown:
                self._shown = now
                await self._tell(changed)
            before = now

    async def _tell(self, changed: Callable[[], Awaitable[None]]) -> None:
        try:
            await changed()
        except (ConfigurationRefused, InvalidProject) as error:
            _log.error("new files can't be shown; those from before stay", extra={"why": str(error)})
        else:
            _log.info("new files are shown")

    def _state(self) -> State | None:
        """What tells one content of the folders from another; None while files come and go."""
        folders = {self._root / route.folder for gateway in self._gateways for route in gateway.files}
        try:
            files = [path for folder in folders for path in folder.rglob("*") if not path.is_dir()]
            found = [(str(path), path.lstat()) for path in files]
        except OSError:
            return None
        return frozenset((path, stat.st_ino, stat.st_mtime_ns, stat.st_size) for path, stat in found)
