"""The sockets of the egresses, which Envoy makes and the services' users have to own."""

import asyncio
import logging
import os

from protomesh.model import Layout, Topology
from protomesh.supervisor import Owner

__all__ = ["EgressSockets"]

_LOOK = 0.05  # seconds between two looks
_log = logging.getLogger(__name__)


class EgressSockets:
    """Gives each egress to the user whose service calls there, again and again: Envoy makes a new one when it starts.

    Until then nobody but root may connect (Envoy binds under our umask, 077). They lie in a directory in which no
    service may write, so that what is given away is what Envoy has made.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._owners: dict[str, Owner] = {}

    def own(self, topology: Topology) -> None:
        """From now on these.

        Raises:
            AccountUnusable: as `Owner.of`.
        """
        owners = {service.name: Owner.of(service) for service in topology.services.values()}
        self._owners = {name: owner for name, owner in owners.items() if owner is not None}

    def give(self) -> list[str]:
        """Gives away what is there. Returns the services whose egress is not."""
        missing = []
        for service, owner in self._owners.items():
            path = self._layout.egress_socket(service)
            try:
                if os.lstat(path).st_uid != owner.uid:
                    os.lchown(path, owner.uid, owner.gid)
            except FileNotFoundError:
                missing.append(service)
        return missing

    async def follow(self) -> None:
        """Goes on for as long as it is awaited."""
        while True:
            await asyncio.sleep(_LOOK)
            try:
                self.give()
            except OSError as error:
                _log.error("an egress can't be given to its user", extra={"why": str(error)})
                await asyncio.sleep(1)
