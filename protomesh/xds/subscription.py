"""One type of resource on one stream: what the client asked for, was sent and took."""

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from protomesh.xds.resource import Key, Resource
from protomesh.xds.status import Rejection, TypeStatus, short_reason

__all__ = ["WILDCARD", "Request", "Response", "Subscription"]

WILDCARD = "*"
_UNCERTAIN = ""  # no resource's version: whatever there is to say about the name is said


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A DeltaDiscoveryRequest as plain values."""

    type_url: str
    node: str = ""  # only on the first request of a stream
    subscribe: tuple[str, ...] = ()
    unsubscribe: tuple[str, ...] = ()
    initial_versions: Mapping[str, str] = field(default_factory=dict)  # what the client holds from an earlier stream
    nonce: str = ""  # of the response that it answers; empty if it answers none
    error: str | None = None  # why it refuses that response; None if it takes it


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A DeltaDiscoveryResponse as plain values."""

    type_url: str
    nonce: str
    resources: tuple[Resource, ...] = ()
    removed: tuple[str, ...] = ()


class Subscription:
    """The state of one type on one stream, by the rules of the incremental protocol. Knows no gRPC.

    What the client will hold once it has taken everything (`_known`) and what it said that it took (`_accepted`) are
    kept apart: the first decides what to send, the second what may be relied on.
    """

    def __init__(self, type_url: str, nonces: Iterable[str] | None = None) -> None:
        self.type_url = type_url
        self.wildcard = False
        self.names: set[str] = set()
        self._nonces = iter(nonces if nonces is not None else map(str, itertools.count(1)))
        self._opened = False
        self._known: dict[str, str | None] = {}  # None: the client was told that there is no such resource
        self._accepted: dict[str, Resource | str] = {}  # only the version of what an earlier stream brought
        self._refused: dict[str, Rejection] = {}
        self._in_flight: dict[str, dict[str, Resource | None]] = {}  # None: a removal
        self._halves: list[tuple[str, ...]] = []  # of refused responses, each to be tried by itself
        self._owes_answer = False  # the first request of a wildcard is answered even if there is nothing
        self._answered: Mapping[str, Resource] | None = None  # nothing is left to send of exactly this

    def receive(self, request: Request) -> None:
        """Takes in a request: an answer to a response, a change of the subscription, or both.

        A stale nonce is no reason to ignore either: unlike in the state-of-the-world variant each response stands
        for itself.
        """
        self._answered = None
        if not self._opened:
            self._open(request)
            return
        if (items := self._in_flight.pop(request.nonce, None)) is not None:
            if request.error is None:
                self._take(items)
            else:
                self._refuse(items, request.error)
        for name in request.unsubscribe:
            self._unsubscribe(name)
        for name in request.subscribe:
            self._subscribe(name)

    def respond(
        self,
        resources: Mapping[str, Resource],
        *,
        ready: Callable[[Resource], bool] = lambda _: True,
        removable: Callable[[str], bool] = lambda _: True,
    ) -> list[Response]:
        """What to send now so that the client comes to hold `resources`, as far as it subscribes to them.

        Args:
            resources: what the client should hold, by name.
            ready: whether a resource may be sent yet; one that may not is looked at again next time.
            removable: whether a resource that the client holds may be removed yet.
        """
        if self._answered is resources:
            return []
        due: dict[str, Resource | None] = {}
        waiting = False
        for name in sorted(self.names.union(resources, self._known, self._refused) if self.wildcard else self.names):
            resource = resources.get(name)
            if not self._is_due(name, resource):
                continue
            if ready(resource) if resource else not self.holds(name) or removable(name):
                due[name] = resource
            else:
                waiting = True
        responses = [
            self._send({name: due.pop(name) for name in half if name in due})
            for half in self._halves
            if due.keys() & half
        ]
        self._halves.clear()
        if due or (self._owes_answer and not responses and not waiting):
            responses.append(self._send(due))
        self._owes_answer = self._owes_answer and not responses
        self._answered = None if waiting else resources
        return responses

    def recognize(self, resources: Mapping[str, Resource]) -> None:
        """Finds out what the resources of an earlier stream are, as far as they are still the published ones."""
        for name, accepted in self._accepted.items():
            if isinstance(accepted, str) and (resource := resources.get(name)) and resource.version == accepted:
                self._accepted[name] = resource

    def send_again(self, name: str) -> None:
        """Makes the next `respond` send a resource although the client holds it, if the client subscribes to it."""
        if self._known.get(name) is not None:
            self._known[name] = _UNCERTAIN
            self._answered = None

    def covers(self, name: str) -> bool:
        """Whether the client subscribes to that name."""
        return self.wildcard or name in self.names

    def holds(self, name: str) -> bool:
        """Whether the client has taken some version of the resource, or may be about to."""
        return name in self._accepted or any(items.get(name) for items in self._in_flight.values())

    def settled(self, resource: Resource) -> bool:
        """Whether the client works with this version, or with an older one because it refused this one."""
        accepted = self._accepted.get(resource.name)
        if accepted is None or self.awaits(resource.name):
            return False
        return resource.version == _version(accepted) or self.refuses(resource.name, resource.version) is not None

    def awaits(self, name: str) -> bool:
        """Whether something about that name was sent and not yet answered."""
        return any(name in items for items in self._in_flight.values())

    def took(self, name: str, version: str | None) -> bool:
        """Whether the client said that it holds that version; with None, that it no longer holds the resource."""
        if version is None:
            return not self.holds(name) and not self.awaits(name)
        accepted = self._accepted.get(name)
        return accepted is not None and _version(accepted) == version

    def refuses(self, name: str, version: str | None) -> Rejection | None:
        """The client's refusal of that version, if it refused it."""
        rejection = self._refused.get(name)
        return rejection if rejection and rejection.version == version else None

    def needed(self) -> Iterable[Key]:
        """What the resources need that the client holds or may be about to hold."""
        in_flight = (resource for items in self._in_flight.values() for resource in items.values())
        for resource in itertools.chain(self._accepted.values(), in_flight):
            if isinstance(resource, Resource):
                yield from resource.needs

    def holds_unknown(self, resources: Mapping[str, Resource]) -> tuple[bool, bool]:
        """Whether the client holds versions of an earlier stream of which nobody knows what they need.

        Returns:
            Whether there are such that will be replaced, and such that will be removed.
        """
        names = [name for name, accepted in self._accepted.items() if isinstance(accepted, str)]
        return any(name in resources for name in names), any(name not in resources for name in names)

    def status(self) -> TypeStatus:
        """Where the client stands."""
        return TypeStatus(
            subscribed=None if self.wildcard else frozenset(self.names),
            acknowledged={name: _version(accepted) for name, accepted in sorted(self._accepted.items())},
            in_flight=frozenset(itertools.chain.from_iterable(self._in_flight.values())),
            rejections=tuple(self._refused[name] for name in sorted(self._refused)),
        )

    def _open(self, request: Request) -> None:
        self._opened = True
        self.names = set(request.subscribe) - {WILDCARD}
        # A first request that names nothing asks for everything: the older spelling of "*".
        self.wildcard = WILDCARD in request.subscribe or not request.subscribe
        self._owes_answer = self.wildcard and not request.initial_versions
        held = {name: version for name, version in request.initial_versions.items() if self.covers(name)}
        self._known.update(held)
        self._accepted.update(held)

    def _subscribe(self, name: str) -> None:
        if name == WILDCARD:
            self.wildcard = self._owes_answer = True
            self._known = dict.fromkeys([*self._known, *self._accepted], _UNCERTAIN)
        else:
            self.names.add(name)
            # Asked again is answered again: the client may have dropped what it had.
            self._known.pop(name, None)

    def _unsubscribe(self, name: str) -> None:
        if name == WILDCARD:
            self.wildcard = self._owes_answer = False
            for covered in (self._known.keys() | self._accepted.keys() | self._refused.keys()) - self.names:
                self._forget(covered)
            return
        self.names.discard(name)
        if self.wildcard:
            # Still covered: the client must hear whether it keeps the resource.
            self._known[name] = _UNCERTAIN
        else:
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._known.pop(name, None)
        self._accepted.pop(name, None)
        self._refused.pop(name, None)

    def _is_due(self, name: str, resource: Resource | None) -> bool:
        version = resource.version if resource else None
        if (rejection := self._refused.get(name)) and rejection.version != version:
            del self._refused[name]  # nobody wants any more what was refused
        elif rejection:
            return False
        return name not in self._known or self._known[name] != version

    def _send(self, items: dict[str, Resource | None]) -> Response:
        nonce = next(self._nonces)
        self._in_flight[nonce] = items
        for name, resource in items.items():
            if resource or name in self.names:
                self._known[name] = resource.version if resource else None
            else:
                self._known.pop(name, None)
        return Response(
            type_url=self.type_url,
            nonce=nonce,
            resources=tuple(resource for resource in items.values() if resource),
            removed=tuple(name for name, resource in items.items() if not resource),
        )

    def _take(self, items: Mapping[str, Resource | None]) -> None:
        for name, resource in items.items():
            if resource is None or not self.covers(name):
                self._accepted.pop(name, None)
            else:
                self._accepted[name] = resource

    def _refuse(self, items: Mapping[str, Resource | None], error: str) -> None:
        """Sets the bad resource aside; if it is not clear which one it is, halves the response and tries again."""
        # What has been replaced or given up meanwhile is of no interest any more; but it may have been the bad one.
        current = [name for name, resource in items.items() if self._is_newest(name, resource)]
        if len(items) > 1:
            for name in current:
                self._known[name] = _UNCERTAIN
            middle = len(current) // 2
            self._halves += [tuple(current[:middle]), tuple(current[middle:])]
        elif current:
            name = current[0]
            resource = items[name]
            version = resource.version if resource else None
            self._refused[name] = Rejection(name=name, version=version, reason=short_reason(error))
            accepted = self._accepted.get(name)
            if accepted is None:
                self._known.pop(name, None)
            else:
                self._known[name] = _version(accepted)

    def _is_newest(self, name: str, resource: Resource | None) -> bool:
        if not self.covers(name):
            return False
        return self._known.get(name) == (resource.version if resource else None)


def _version(accepted: Resource | str) -> str:
    return accepted if isinstance(accepted, str) else accepted.version
