"""The methods of a service that learn of events."""

import inspect
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from google.protobuf.message import Message

from protomesh.runtime.cannot_start import CannotStart
from protomesh.runtime.events.delivery import Delivery
from protomesh.v1 import options_pb2

__all__ = ["Consumer", "Consumers", "SubscriptionsDiffer", "on"]

ConsumerT = TypeVar("ConsumerT")
EventT = TypeVar("EventT", bound=Message)
_Method = Callable[[ConsumerT, EventT, Delivery], Coroutine[Any, Any, None]]
_MARK = "__protomesh_event__"


class SubscriptionsDiffer(CannotStart):
    """What the code consumes is not what mesh.yaml says; the message says which lines to change."""


def on(event: type[EventT]) -> Callable[[_Method[ConsumerT, EventT]], _Method[ConsumerT, EventT]]:
    """Marks a method of a consumer as the one that learns of an event.

        @on(OrderPlaced)
        async def learn(self, event: OrderPlaced, delivery: Delivery) -> None: ...

    The object goes to `App(consumers=[...])`, and the event to `subscribes` of the service in mesh.yaml. The method is
    called in a transaction, `delivery.tx`. If it raises, its effect is undone and the event comes again: a bounded
    number of times, unless the reason is that somebody does not answer (UNAVAILABLE, DEADLINE_EXCEEDED).

    Raises:
        TypeError: The message is no event, or the method is not `async`.
    """
    descriptor = event.DESCRIPTOR
    if not descriptor.GetOptions().HasExtension(options_pb2.event):
        raise TypeError(f"{descriptor.full_name} is no event: its message lacks the option (protomesh.v1.event)")

    def mark(method: _Method[ConsumerT, EventT]) -> _Method[ConsumerT, EventT]:
        if not inspect.iscoroutinefunction(method):
            raise TypeError(f"the method that learns of {descriptor.full_name} has to be `async def`")
        setattr(method, _MARK, event)
        return method

    return mark


@dataclass(frozen=True, slots=True)
class Consumer:
    """One marked method, bound to its object."""

    message_type: type[Message]
    learn: Callable[[Message, Delivery], Coroutine[Any, Any, None]]


class Consumers:
    """The marked methods of a service's consumers, by the full name of the event.

    Args:
        objects: What `App` was given.

    Raises:
        TypeError: An object has no marked method, or two methods learn of one event; all that is wrong is said.
    """

    def __init__(self, objects: Sequence[object]) -> None:
        self._by_event: dict[str, Consumer] = {}
        wrong: list[str] = []
        for consumer in objects:
            marked = list(_marked(consumer))
            if not marked:
                wrong.append(f"{type(consumer).__name__} learns of no event: mark a method with @on(EVENT)")
            for event, learn in marked:
                name = event.DESCRIPTOR.full_name
                if name in self._by_event:
                    wrong.append(f"two methods learn of {name}: {type(consumer).__name__}.{learn.__name__} and another")
                self._by_event[name] = Consumer(event, learn)
        if wrong:
            raise TypeError("; ".join(wrong))

    @property
    def events(self) -> Collection[str]:
        """The full names of the events that somebody learns of."""
        return self._by_event.keys()

    def find(self, event: str) -> Consumer | None:
        """Who learns of an event, named in full."""
        return self._by_event.get(event)

    def check(self, service: str, subscribes: Collection[str]) -> None:
        """Compares the code with `subscribes` of mesh.yaml.

        Raises:
            SubscriptionsDiffer: They are not the same.
        """
        unheard = [
            f"{service} consumes {event}, and mesh.yaml does not subscribe it: add it to `subscribes` of {service}"
            for event in sorted(set(self.events) - set(subscribes))
        ]
        ignored = [
            f"mesh.yaml subscribes {service} to {event}, and no consumer learns of it: add a method with "
            f"@on({event.rpartition('.')[2]}) to App(consumers=[...]), or remove it from `subscribes` of {service}"
            for event in sorted(set(subscribes) - set(self.events))
        ]
        if unheard or ignored:
            raise SubscriptionsDiffer("\n".join(unheard + ignored))


def _marked(consumer: object) -> list[tuple[type[Message], Any]]:
    found: list[tuple[type[Message], Any]] = []
    for name in dir(type(consumer)):
        event = getattr(getattr(type(consumer), name, None), _MARK, None)
        if event is not None:
            found.append((event, getattr(consumer, name)))
    return found
