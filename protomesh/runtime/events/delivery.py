"""What a consumer is told besides the event itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from protomesh.runtime.current import Metadatum, Scope
from protomesh.runtime.store import Transaction
from protomesh.runtime.user import User, user_of

__all__ = ["Delivered", "Delivery"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event on its way in.

    `tx` is the transaction in which the event is marked as applied: what the consumer writes in it happens once,
    however often the event is delivered. The consumer neither commits it nor waits for another service inside it.
    """

    tx: Transaction
    event_id: str
    publisher: str | None  # the service's name in mesh.yaml
    create_time: datetime  # when it was published
    metadata: Mapping[str, str]

    @property
    def user(self) -> User | None:
        """On whose behalf the event was published, without the claims of their token. None if on nobody's."""
        return user_of(self.metadata)


class Delivered(Scope):
    """The handling of one event: its calls carry the trace, the request id and the user that it was published with."""

    __slots__ = ("_forwarded",)

    def __init__(self, event_type: str, loop_deadline: float, metadata: Mapping[str, str]) -> None:
        super().__init__(event_type, loop_deadline)
        self._forwarded: tuple[Metadatum, ...] = tuple(metadata.items())

    @property
    def forwarded(self) -> tuple[Metadatum, ...]:
        """What travelled with the event travels on."""
        return self._forwarded
