"""The shape of mesh.yaml: which keys there are and what each may hold."""

import ipaddress
import re
from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, model_validator
from pydantic_core import PydanticCustomError

from protomesh.contract.durations import SHORTEST_LIMIT_PERIOD, parse_duration
from protomesh.model import Address, Audience, TcpAddress, UnixAddress, parse_address

__all__ = [
    "USERS_ELSEWHERE",
    "AuthFile",
    "Contracts",
    "EnvoyFile",
    "EventsFile",
    "GatewayFile",
    "MeshFile",
    "Override",
    "RateLimitFile",
    "RouteFile",
    "ServerTlsFile",
    "ServiceFile",
    "TlsFile",
]

# Envoy's clusters and listeners have these names already, and a cluster is called as its service is.
RESERVED = frozenset({"edge-api", "none", "operator", "operator-api", "service-api", "xds"})
# What `user` may be where the mesh starts nothing. Where it does, an account, and one of such a name can't be used.
USERS_ELSEWHERE = frozenset({"none", "token"})
_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_TARGET = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_URI_NAME = re.compile(r"[a-z][a-z0-9+.-]*://[!-~]+")
_DNS_NAME = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.@-]{0,63}\$?")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-f:.]*:[0-9a-f:.]*")
_CORS_ORIGIN = re.compile(r"https?://[A-Za-z0-9.-]+(:\d+)?|https?://\[[0-9a-f:]+\](:\d+)?")


def _refuse(message: str, hint: str) -> PydanticCustomError:
    return PydanticCustomError("invalid", "{message}", {"message": message, "hint": hint})


def _text(value: Any, wanted: str) -> str:
    if not isinstance(value, str):
        raise _refuse(f"{value!r} is not {wanted}", "Write it as a string.")
    return value


def _name(value: Any) -> str:
    text = _text(value, "a name")
    if not _NAME.fullmatch(text):
        hint = (
            "Use lower-case letters, digits and '-', a letter first, at most 32 in all: it is part of a socket's path."
        )
        raise _refuse(f"{text!r} is not a name", hint)
    return text


def _service_name(value: Any) -> str:
    text = _name(value)
    if text in RESERVED:
        raise _refuse(f"the mesh has something called {text!r} itself", "Choose another name for the service.")
    return text


def _duration(value: Any) -> timedelta:
    try:
        return parse_duration(_text(value, "a duration"))
    except ValueError as refused:
        raise _refuse(str(refused), 'Write a number with its unit: "500ms", "2s", "1m".') from None


def _limit_period(value: Any) -> timedelta:
    period = _duration(value)
    if period < SHORTEST_LIMIT_PERIOD:
        raise _refuse(f"{value!r} is too short for a rate limit", "Write 50ms or more.")
    return period


def _audience(value: Any) -> Audience:
    try:
        return Audience[_text(value, "an audience")]
    except KeyError:
        raise _refuse(f"{value!r} is not an audience", "Write INTERNAL, USER or PUBLIC.") from None


def _address(value: Any) -> Address:
    try:
        return parse_address(_text(value, "an address"))
    except ValueError as refused:
        raise _refuse(str(refused), 'Write "host:port", "[::1]:port" or "unix:/path".') from None


def _listen(value: Any) -> TcpAddress:
    address = _address(value)
    hint = 'Write an IP address and a port: "127.0.0.1:8080", or "0.0.0.0:8080" for callers on other machines.'
    if isinstance(address, UnixAddress):
        raise _refuse("a gateway listens on TCP", hint)
    if address.host == "localhost":
        address = TcpAddress("127.0.0.1", address.port)
    try:
        ipaddress.ip_address(address.host)
    except ValueError:
        raise _refuse(f"{address.host!r} is not an IP address", hint) from None
    if not address.port:
        raise _refuse("port 0 is no port that a caller could know", hint)
    return address


def _target(value: Any) -> str:
    text = _text(value, "a composition root")
    if not _TARGET.fullmatch(text):
        raise _refuse(f"{text!r} is not module:function", "Write it as services.catalog.app:app.")
    return text


def _cors_origin(value: Any) -> str:
    text = _text(value, "an origin")
    if not _CORS_ORIGIN.fullmatch(text):
        hint = "Write scheme, host and port as the browser sends them, without a path: http://localhost:5173."
        raise _refuse(f"{text!r} is not the origin of a web page", hint)
    return text


def _prefix(value: Any) -> str:
    text = _text(value, "a path prefix")
    if not (text.startswith("/") and text.endswith("/")):
        raise _refuse(f"{text!r} is not a path prefix", "Begin and end it with a slash: /legacy/.")
    return text


def _folder(value: Any) -> str:
    text = _text(value, "a folder")
    parts = PurePosixPath(text).parts
    if not parts or parts[0] == "/" or ".." in parts or any(part.startswith(".") for part in parts):
        hint = "Name one below the project that holds nothing but what everybody may read: services/storefront/dist."
        raise _refuse(f"{text!r} is no folder to show", hint)
    return "/".join(parts)


def _client(value: Any) -> str:
    text = _text(value, "the name of a certificate")
    if not (_URI_NAME.fullmatch(text) or _DNS_NAME.fullmatch(text)):
        hint = "Write a URI or a DNS name as the certificate has it: spiffe://partner.example/billing."
        raise _refuse(f"{text!r} is no name that a certificate could have", hint)
    return text


def _keys_url(value: Any) -> str:
    text = _text(value, "a URL")
    parts = urlsplit(text)
    plain = parts.scheme == "http" and parts.hostname in {"localhost", "127.0.0.1", "::1"}
    if not (parts.hostname and (parts.scheme == "https" or plain)) or parts.username or parts.password:
        hint = "Write https://HOST/PATH, without a password: whoever answers decides who gets in."
        secret = "@" in parts.netloc  # then it stays out of what is printed
        raise _refuse(f"{'a URL with a password' if secret else repr(text)} is no place for keys", hint)
    return text


def _user(value: Any) -> str:
    text = _text(value, "the name of a user")
    if not _USER.fullmatch(text):
        raise _refuse(f"{text!r} is not the name of a user", "Write the name of an account, as `getent passwd` has it.")
    return text


def _server_name(value: Any) -> str:
    text = _text(value, "the name of a server")
    if not _HOST.fullmatch(text):
        raise _refuse(
            f"{text!r} is not the name of a server", "Write a host name or an IP address, as in its certificate."
        )
    return text


def _one_or_many(value: Any) -> Any:
    """A list of sections; a single one may stand without the list around it."""
    return [value] if isinstance(value, dict) else value


def _environment_value(value: Any) -> Any:
    """A number or a truth value is what its text says; an environment knows text only."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def _broker_url(value: Any) -> str:
    """One URL of NATS or several. What is wrong is said without it: it may have a password in it."""
    text = _text_of_secret(value)
    for one in text.split(",") if text else ():
        try:
            split = urlsplit(one.strip())
            host, _ = split.hostname, split.port
        except ValueError:
            host = None
        if not host or split.scheme not in {"nats", "tls"} or split.path.strip("/") or split.query or split.fragment:
            hint = 'Write "nats://host:4222" or "tls://host:4222"; several servers of one broker with commas between.'
            raise _refuse("the url of the broker is no url of NATS", hint)
    return text


def _text_of_secret(value: Any) -> str:
    if not isinstance(value, str):
        raise _refuse("the url of the broker is no text", "Write it as a string.")
    return value.strip()


Name = Annotated[str, PlainValidator(_name)]
ServiceName = Annotated[str, PlainValidator(_service_name)]
Duration = Annotated[timedelta, PlainValidator(_duration)]
AudienceName = Annotated[Audience, PlainValidator(_audience)]
CorsOrigin = Annotated[str, PlainValidator(_cors_origin)]
EnvironmentValue = Annotated[str, BeforeValidator(_environment_value)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class CorsFile(_Section):
    """Which web pages may call."""

    origins: list[CorsOrigin] = Field(min_length=1)


class RouteFile(_Section):
    """A path prefix that goes to one service as it is, or that the files of a folder are answered below."""

    prefix: Annotated[str, PlainValidator(_prefix)]
    service: str | None = None
    files: Annotated[str, PlainValidator(_folder)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        if isinstance(value, dict) and len(value.keys() & {"service", "files"}) != 1:
            raise _refuse("a route leads to one place", "Name `service` or `files`, one of them.")
        return value


class ClientsFile(_Section):
    """Whose certificates callers may show."""

    ca: Annotated[str, Field(min_length=1)]
    required: bool = False


class TlsFile(_Section):
    """What a gateway shows to prove who it is; without files, a certificate of the mesh's development CA."""

    cert: Annotated[str, Field(min_length=1)] | None = None
    key: Annotated[str, Field(min_length=1)] | None = None
    clients: ClientsFile | None = None

    @model_validator(mode="before")
    @classmethod
    def _shorthand(cls, value: Any) -> Any:
        if value == "dev":
            return {}
        if isinstance(value, str):
            raise _refuse(f"{value!r} is no TLS", "Write `tls: dev` or `tls: {cert: edge.pem, key: edge.key}`.")
        if isinstance(value, dict) and ("cert" in value) != ("key" in value):
            raise _refuse("a certificate and its key come together", "Name both files: `{cert: ..., key: ...}`.")
        return value


class GatewayFile(_Section):
    """A listener at the edge."""

    listen: Annotated[TcpAddress, PlainValidator(_listen)]
    tls: TlsFile | None = None
    insecure: bool = False
    name: Name | None = None
    cors: CorsFile | None = None
    reflection: bool | None = None
    routes: list[RouteFile] = []


class ServerTlsFile(_Section):
    """Who a server elsewhere has to prove to be."""

    ca: Annotated[str, Field(min_length=1)]
    name: Annotated[str, PlainValidator(_server_name)] | None = None


class ServiceFile(_Section):
    """One service of the mesh. Exactly one of `run`, `command` and `address` says what it is."""

    run: Annotated[str, PlainValidator(_target)] | None = None
    command: Annotated[list[str], Field(min_length=1)] | None = None
    address: Annotated[Address, PlainValidator(_address)] | None = None
    protocol: Literal["grpc", "http1"] | None = None
    tls: ServerTlsFile | None = None
    user: Annotated[str, PlainValidator(_user)] | None = None
    serves: list[str] = []
    workers: int | None = Field(default=None, ge=1, le=256)
    calls: list[str] = []
    subscribes: list[str] = []
    env: dict[str, EnvironmentValue] = {}
    env_file: str | None = None
    allow_cycle: Annotated[str, Field(min_length=1)] | None = None


class RateLimitFile(_Section):
    """At most so many requests in so long."""

    requests: int = Field(ge=1)
    per: Annotated[timedelta, PlainValidator(_limit_period)]


class Contracts(_Section):
    """Defaults for the packages of contracts that say nothing themselves."""

    audience: AudienceName | None = None
    timeout: Duration | None = None
    lint: Literal["on", "off"] = "on"


class Override(_Section):
    """What is lowered for one method, or for all of a service. There is no key that could add a retry."""

    timeout: Duration | None = None
    audience: AudienceName | None = None
    rate_limit: RateLimitFile | None = None
    clients: Annotated[list[Annotated[str, PlainValidator(_client)]], Field(min_length=1)] | None = None


class KeysFile(_Section):
    """Where the public keys come from that tokens are verified with: exactly one of these."""

    service: str | None = None
    file: Annotated[str, Field(min_length=1)] | None = None
    url: Annotated[str, PlainValidator(_keys_url)] | None = None

    @model_validator(mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        if isinstance(value, dict) and len(value.keys() & {"service", "file", "url"}) != 1:
            raise _refuse("the keys come from one place", "Name `service`, `file` or `url`, one of them.")
        return value


class AuthFile(_Section):
    """Whose tokens let callers use USER methods: one issuer."""

    name: Name | None = None
    issuer: Annotated[str, Field(min_length=1)]
    audience: Annotated[str, Field(min_length=1)]
    jwks: KeysFile
    max_lifetime: Duration = timedelta(hours=24)


class EnvoyFile(_Section):
    """Which Envoy to run."""

    path: str | None = None


class EventsFile(_Section):
    """What carries events."""

    transport: Literal["mesh", "nats"] = "mesh"
    url: Annotated[str, PlainValidator(_broker_url)] = Field(default="", repr=False)


class MeshFile(_Section):
    """The whole file."""

    name: Name
    gateways: Annotated[list[GatewayFile], Field(min_length=1)] | None = None
    services: dict[ServiceName, ServiceFile] = {}
    contracts: dict[str, Contracts] = {}
    overrides: dict[str, Override] = {}
    auth: Annotated[list[AuthFile], BeforeValidator(_one_or_many)] = []
    mtls: bool = False
    events: EventsFile = EventsFile()
    envoy: EnvoyFile = EnvoyFile()
