"""Where a broker is, as PROTOMESH_EVENTS_URL says it."""

from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Self
from urllib.parse import SplitResult, unquote, urlsplit

from protomesh.runtime.cannot_start import CannotStart

__all__ = ["BrokerUrl", "NoBroker"]

_EXAMPLES = "nats://host:4222, tls://user:password@host:4222 or several of them, separated by commas"


class NoBroker(CannotStart):
    """The way to a broker is not described as it should be, or what it needs is not installed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerUrl:
    """The servers of one broker. As text it has no secret in it."""

    servers: list[str]  # without secrets
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)

    @classmethod
    def read(cls, text: str) -> Self:
        """Reads `nats://host:port`, or `tls://`, with `user:password@` or `token@`; several separated by commas.

        Raises:
            NoBroker: It is none, or nats-py is not installed.
        """
        parts = [_split(one.strip()) for one in text.split(",")]
        secrets = {(part.username, part.password) for part in parts if part.username}
        if len(secrets) > 1:
            raise NoBroker("the servers of a broker have different users: it is one broker, and has one")
        if find_spec("nats") is None:
            raise NoBroker("events by way of NATS need nats-py: pip install 'protomesh[nats]'")
        name, password = next(iter(secrets), (None, None))
        return cls(
            servers=[_without_secrets(part) for part in parts],
            user=unquote(name) if name and password is not None else None,
            password=unquote(password) if password is not None else None,
            token=unquote(name) if name and password is None else None,
        )

    def __str__(self) -> str:
        """The servers."""
        return ",".join(self.servers)


def _split(text: str) -> SplitResult:
    try:
        split = urlsplit(text)
        host, _ = split.hostname, split.port
    except ValueError:
        raise NoBroker(f"the url of the broker can't be read: it is {_EXAMPLES}") from None
    if split.scheme not in {"nats", "tls"} or not host or split.path.strip("/") or split.query or split.fragment:
        raise NoBroker(f"the url of the broker is no url of NATS: it is {_EXAMPLES}")
    return split


def _without_secrets(split: SplitResult) -> str:
    return f"{split.scheme}://{split.netloc.rpartition('@')[2]}"
