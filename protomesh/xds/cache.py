"""What is published for each node, and who follows it.

Refused
NotAcknowledged
"""

import asyncio
from collections.abc import Callable, Iterable

from protomesh.xds.order import URGENT
from protomesh.xds.resource import Key
from protomesh.xds.snapshot import Snapshot
from protomesh.xds.status import NodeStatus, Rejection
from protomesh.xds.stream import Stream

__all__ = ["ANY_NODE", "Cache", "NotAcknowledged", "Refused"]

ANY_NODE = "*"
"""Stands for every node that has no snapshot of its own."""

_SETTLE = 0.015  # seconds: changes of configuration come in bursts, and one push is cheaper than five


class Refused(Exception):  # noqa: N818 - the client did it
    """A client refused a resource that was waited for."""

    def __init__(self, type_url: str, rejection: Rejection) -> None:
        self.type_url = type_url
        self.rejection = rejection
        super().__init__(f"{type_url.rpartition('.')[2]} {rejection.name!r} was refused: {rejection.reason}")


class NotAcknowledged(TimeoutError):  # noqa: N818 - likewise
    """A client did not answer in time."""


class Cache:
    """Snapshots by node.

    A snapshot of nothing but new endpoints goes out at once; everything else waits 15 ms for more to come. Lives in
    one event loop.
    """

    def __init__(self) -> None:
        self._snapshots: dict[str, Snapshot] = {}
        self._streams: dict[Stream, Callable[[], None]] = {}
        self._due: asyncio.TimerHandle | None = None
        self._answered = asyncio.Event()
        self.answers = 0  # how often clients connected, left or answered

    def publish(self, node: str, snapshot: Snapshot) -> None:
        """Makes `snapshot` what that node should hold, or with ANY_NODE what every other node should.

        Raises:
            Inconsistent: a resource needs one that is not in the snapshot. What was published before stays.
        """
        snapshot.check_consistent()
        former = self._snapshots.get(node)
        snapshot = snapshot.after(former)
        self._snapshots[node] = snapshot
        changed = snapshot.changed_types(former)
        if former is None or (changed and changed <= URGENT):
            self._wake()
        elif changed and self._due is None and self._streams:
            self._due = asyncio.get_running_loop().call_later(_SETTLE, self._wake)

    def snapshot(self, node: str) -> Snapshot | None:
        """What that node should hold; None if nothing was published for it yet."""
        return self._snapshots.get(node) or self._snapshots.get(ANY_NODE)

    def status(self, node: str) -> NodeStatus:
        """What that node's clients said."""
        return NodeStatus(node=node, streams=tuple(stream.status() for stream in self._of(node)))

    async def wait_answered(self, since: int) -> int:
        """Returns when clients have connected, left or answered more often than `since`; returns how often by now.

        `answers` before a look at the status, then this, misses nothing that happens in between.
        """
        while self.answers <= since:
            await self._answered.wait()
        return self.answers

    async def wait_acknowledged(
        self,
        node: str,
        type_url: str,
        names: Iterable[str] | None = None,
        *,
        timeout: float,  # noqa: ASYNC109 - its error says who did not answer
    ) -> None:
        """Returns when every client of the node holds the published version of these resources.

        With `names` None it is about every resource of the type that a client subscribes to. A name that is not
        published is acknowledged once no client holds it. What is published while waiting is waited for.

        Args:
            node: the node's id.
            type_url: the resources' type.
            names: their names.
            timeout: seconds to wait at most.

        Raises:
            Refused: a client refused one of them.
            NotAcknowledged: a client did not answer in time, or none is connected.
        """
        wanted = None if names is None else tuple(names)
        try:
            async with asyncio.timeout(timeout):
                while not self._is_acknowledged(node, type_url, wanted):
                    await self._answered.wait()
        except TimeoutError:
            what = type_url.rpartition(".")[2] + ("" if wanted is None else f" {', '.join(wanted)}")
            who = f"node {node!r}" if self._of(node) else f"node {node!r}, which is not connected,"
            raise NotAcknowledged(f"{who} did not acknowledge {what} within {timeout:g} s") from None

    def attach(self, stream: Stream, wake: Callable[[], None]) -> None:
        """Has `wake` called whenever there may be something to push to that stream."""
        self._streams[stream] = wake
        self.answered()

    def detach(self, stream: Stream) -> None:
        """Forgets a stream that ended."""
        self._streams.pop(stream, None)
        self.answered()

    def answered(self) -> None:
        """Tells those who wait that a client connected, left or answered."""
        self.answers += 1
        self._answered.set()
        self._answered = asyncio.Event()

    def _of(self, node: str) -> list[Stream]:
        return [stream for stream in self._streams if stream.node == node]

    def _is_acknowledged(self, node: str, type_url: str, names: tuple[str, ...] | None) -> bool:
        snapshot = self.snapshot(node)
        streams = self._of(node)
        if snapshot is None or not streams:
            return False
        resources = snapshot.resources(type_url)
        settled = True
        for stream in streams:
            subscription = stream.follows(type_url)
            if names is not None:
                wanted: Iterable[str] = names
            elif subscription:
                wanted = (name for name in resources if subscription.covers(name))
            else:
                wanted, settled = (), settled and not resources
            for name in wanted:
                key: Key = (type_url, name)
                version = resources[name].version if name in resources else None
                if rejection := stream.refuses(key, version):
                    raise Refused(type_url, rejection)
                settled = settled and stream.took(key, version)
        return settled

    def _wake(self) -> None:
        if self._due is not None:
            self._due.cancel()
            self._due = None
        for wake in self._streams.values():
            wake()
