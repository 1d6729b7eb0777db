"""A log of events: what was said, in order, how far each peer has come in it, and what was left behind for it."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Table, true

from protomesh.runtime.events.tables import (
    DEFERRED,
    INCOMING,
    INCOMING_CURSORS,
    INCOMING_DEFERRED,
    OUTBOX,
    SUBSCRIBERS,
)

__all__ = ["INCOMING_LOG", "OUTGOING_LOG", "Log"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Log:
    """Three tables of a service's database that belong together.

    In what a service publishes its peers are those that are told, and all of them read the same events. In what comes
    to it by a broker its peers are those that have published, and each has events of its own.
    """

    events: Table
    cursors: Table  # everything up to a peer's cursor is settled or deferred
    deferred: Table
    shared: bool  # whether each event is for all peers

    def of(self, peer: str) -> ColumnElement[bool]:
        """The condition under which an event is a peer's."""
        return true() if self.shared else self.events.c.publisher == peer


OUTGOING_LOG = Log(events=OUTBOX, cursors=SUBSCRIBERS, deferred=DEFERRED, shared=True)
INCOMING_LOG = Log(events=INCOMING, cursors=INCOMING_CURSORS, deferred=INCOMING_DEFERRED, shared=False)
