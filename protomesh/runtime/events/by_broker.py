"""Events by way of a broker: what a worker runs to put its own there, and to take those of others."""

from collections.abc import Mapping

from protomesh.runtime.events.broker import Broker, Streams
from protomesh.runtime.events.broker_url import BrokerUrl
from protomesh.runtime.events.inbox import Inbox
from protomesh.runtime.events.intake import Intake
from protomesh.runtime.events.jetstream import BROKER, JetStreamTransport
from protomesh.runtime.events.log import INCOMING_LOG
from protomesh.runtime.events.relay import Relay
from protomesh.runtime.events.retries import Retries
from protomesh.runtime.events.transport import InboxTransport
from protomesh.runtime.launch import Launch
from protomesh.runtime.store import Database

__all__ = ["relays_by_broker"]


def relays_by_broker(database: Database, inbox: Inbox | None, launch: Launch, retries: Retries | None) -> list[Relay]:
    """Up to two relays: from the outbox to the broker, and from what the broker brings to the service's consumers.

    Nobody waits for the broker: the relays look for it for as long as they run.

    Raises:
        NoBroker: PROTOMESH_EVENTS_URL is none, or nats-py is not installed.
    """
    broker = Broker(BrokerUrl.read(launch.events_url), Streams(launch.events_prefix), f"protomesh {launch.service}")
    relays: list[Relay] = []
    if launch.subscribers:
        told = {event for event, names in launch.subscribers.items() if names}
        subscribers = {name for names in launch.subscribers.values() for name in names}
        transport = JetStreamTransport(broker, launch.service, subscribers)
        peers = {event: [BROKER] for event in told}
        relays.append(Relay(database, transport, peers, database.lease("relay"), retries=retries))
    if inbox is not None and launch.publishers:
        events = _by_publisher(launch.publishers)
        sources = {
            f"intake of {name}": Intake(
                database, broker, name, launch.service, wanted, retries=retries or Retries()
            ).run
            for name, wanted in events.items()
        }
        relays.append(
            Relay(
                database,
                InboxTransport(inbox),
                launch.publishers,
                database.lease("intake"),
                retries=retries,
                log=INCOMING_LOG,
                sources=sources,
            )
        )
    return relays


def _by_publisher(publishers: Mapping[str, tuple[str, ...]]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for event, names in publishers.items():
        for name in names:
            found.setdefault(name, set()).add(event)
    return found
