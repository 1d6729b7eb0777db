"""Events: what has happened in one service, told to those that subscribe to it.

It owns the way of an event from a publisher's transaction to a subscriber's: an outbox, a relay, an inbox. What goes
in: messages with the option `(protomesh.v1.event)`, and methods marked with `@on`. What comes out: each event at least
once at each subscriber, applied once, in order per key. It needs the extra `protomesh[store]` and may import
`protomesh.runtime`; who publishes and who subscribes is in mesh.yaml and comes in by the environment.
"""

from protomesh.runtime.events.consumers import on
from protomesh.runtime.events.delivery import Delivery
from protomesh.runtime.events.publish import NotPublishable, publish
from protomesh.runtime.events.retries import Retries

__all__ = ["Delivery", "NotPublishable", "Retries", "on", "publish"]
