"""All types on one stream: what may be sent now, and what has to wait for an answer first."""

import itertools

from protomesh.xds.order import ROOTS, pushed_before, removed_before, sorted_for_push, warmed_by, warms_with
from protomesh.xds.resource import Key, Resource
from protomesh.xds.snapshot import Snapshot
from protomesh.xds.status import Rejection, StreamStatus
from protomesh.xds.subscription import Request, Response, Subscription

__all__ = ["Stream"]


class Stream:
    """One client's aggregated stream, without the network.

    Three rules span types. A resource waits until what it needs, of a type that is sent earlier, has been taken. After
    a changed cluster its endpoints follow at once, asked for or not. And a resource is removed only when nothing that
    the client holds needs it any more.
    """

    def __init__(self, peer: str = "") -> None:
        self.peer = peer
        self.node: str | None = None  # as its first request said
        self._subscriptions: dict[str, Subscription] = {}
        self._nonces = map(str, itertools.count(1))
        self._warming: set[Key] = set()  # to be sent again once the client, which came back, asks for the type
        self._returning = False  # holds things from an earlier stream, and may not have said all of them yet

    def receive(self, request: Request) -> None:
        """Takes in what the client sent."""
        if self.node is None:
            self.node = request.node
        subscription = self._subscriptions.get(request.type_url)
        if subscription is None:
            self._open(request)
        else:
            subscription.receive(request)

    def arrived(self) -> None:
        """Tells that a client that came back has had the time to say everything that it holds."""
        self._returning = False

    def push(self, snapshot: Snapshot) -> list[Response]:
        """What to send now, in order, on the way to `snapshot`."""
        responses: list[Response] = []
        needed: frozenset[Key] | None = None

        def removable(key: Key) -> bool:
            nonlocal needed
            if needed is None:
                needed = frozenset(itertools.chain.from_iterable(s.needed() for s in self._subscriptions.values()))
            return key not in needed and not self._may_be_needed(key[0], snapshot)

        for type_url, subscription in self._subscriptions.items():
            subscription.recognize(snapshot.resources(type_url))
        for type_url in sorted_for_push(self._subscriptions):
            subscription = self._subscriptions[type_url]
            sent = subscription.respond(
                snapshot.resources(type_url),
                ready=lambda resource: self._is_ready(resource, snapshot),
                removable=lambda name, type_url=type_url: removable((type_url, name)),  # type: ignore[misc] # a default binds the loop's variable
            )
            for response in sent:
                self._warm(response)
            if sent:
                needed = None  # what is under way counts as held
            responses += sent
        return responses

    def took(self, key: Key, version: str | None) -> bool:
        """Whether the client said that it holds that version; with None, that it no longer holds the resource."""
        subscription = self._subscriptions.get(key[0])
        if subscription is None or not subscription.covers(key[1]):
            return version is None
        return subscription.took(key[1], version)

    def refuses(self, key: Key, version: str | None) -> Rejection | None:
        """The client's refusal of that version, if it refused it."""
        subscription = self._subscriptions.get(key[0])
        return subscription.refuses(key[1], version) if subscription else None

    def follows(self, type_url: str) -> Subscription | None:
        """The subscription to that type, if the client has one."""
        return self._subscriptions.get(type_url)

    def status(self) -> StreamStatus:
        """Where the client stands."""
        return StreamStatus(
            peer=self.peer,
            types={
                type_url: self._subscriptions[type_url].status() for type_url in sorted_for_push(self._subscriptions)
            },
        )

    def _open(self, request: Request) -> None:
        subscription = self._subscriptions[request.type_url] = Subscription(request.type_url, self._nonces)
        subscription.receive(request)
        self._returning = self._returning or bool(request.initial_versions)
        for key in [key for key in self._warming if key[0] == request.type_url]:
            self._warming.remove(key)
            subscription.send_again(key[1])
        if not warmed_by(request.type_url) <= self._subscriptions.keys():
            # Envoy asks for clusters first, unless one of them was warming when the stream broke: then it keeps
            # silent about clusters until it has the endpoints, of which it says that it holds them.
            for name in request.initial_versions:
                subscription.send_again(name)

    def _is_ready(self, resource: Resource, snapshot: Snapshot) -> bool:
        for key in resource.needs:
            type_url, name = key
            subscription = self._subscriptions.get(type_url)
            # What is sent later (a listener's routes) is only asked for once this resource is there.
            if not pushed_before(type_url, resource.type_url):
                continue
            if subscription is None and type_url in ROOTS and self._returning:
                return False  # it will ask, and until then holds no new cluster that new routes could name
            # What the client does not follow it will not answer.
            if subscription is None or not subscription.covers(name):
                continue
            need = snapshot.get(key)
            if need is None or subscription.settled(need):
                continue
            if subscription.refuses(name, need.version) and not self._subscriptions[resource.type_url].holds(
                resource.name
            ):
                # A client that has nothing yet is better off with the part that works. One that has an older version
                # keeps it: that one finds all it needs.
                continue
            return False
        return True

    def _may_be_needed(self, type_url: str, snapshot: Snapshot) -> bool:
        """Whether something that the client holds from an earlier stream might need a resource of that type."""
        if self._returning and any(
            removed_before(other, type_url) and other not in self._subscriptions for other in snapshot.types
        ):
            return True  # its routes, say, are still to be heard of
        for other, subscription in self._subscriptions.items():
            if other == type_url:
                continue
            replaced, removed = subscription.holds_unknown(snapshot.resources(other))
            if replaced or (removed and removed_before(other, type_url)):
                return True
        return False

    def _warm(self, response: Response) -> None:
        again = warms_with(response.type_url)
        for resource in response.resources:
            for type_url, name in resource.needs:
                if type_url not in again:
                    continue
                if subscription := self._subscriptions.get(type_url):
                    subscription.send_again(name)
                else:
                    self._warming.add((type_url, name))
