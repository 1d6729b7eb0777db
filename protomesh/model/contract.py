"""What the contracts say: services, their methods, their errors and events."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from protomesh.model.origin import Origin
from protomesh.model.policy import Audience, RateLimit, RetryPolicy, Safety

__all__ = ["DEFAULT_MAX_REQUEST_BYTES", "DeclaredError", "DeclaredEvent", "Method", "RestBinding", "RpcService"]

DEFAULT_MAX_REQUEST_BYTES = 4 * 1024 * 1024  # gRPC's own default for a message


@dataclass(frozen=True, slots=True, kw_only=True)
class RestBinding:
    """One way to call a method by REST: a google.api.http rule or additional binding."""

    verb: str  # GET, PUT, POST, DELETE, PATCH or a custom verb
    template: str  # /v1/products/{product_id}
    body: str = ""  # "", "*" or a field of the request
    response_body: str = ""  # "" or a field of the response
    enabled: bool = True  # False where Envoy would refuse the template; gRPC still works
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One RPC, with everything the mesh needs to carry it. Every default is resolved."""

    full_name: str  # shop.catalog.v1.CatalogService/GetProduct
    request: str  # full name of the request message
    response: str  # full name of the response message
    client_streaming: bool = False
    server_streaming: bool = False
    audience: Audience = Audience.INTERNAL
    scopes: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()  # URIs and DNS names: who calls at the edge shows a certificate with one of them
    safety: Safety = Safety.UNSAFE
    timeout: timedelta | None  # None only for streams that have no deadline
    retry: RetryPolicy | None  # None for streams, and where the contract turns repeats off
    rate_limit: RateLimit | None = None
    max_request_bytes: int = DEFAULT_MAX_REQUEST_BYTES
    errors: tuple[str, ...] = ()  # full names of the declared errors it raises
    rest: tuple[RestBinding, ...] = ()
    deprecated: bool = False
    origin: Origin
    # Which line set a value: "timeout", "audience", "scopes", "clients", "safety", "retry", "rate_limit",
    # "max_request_bytes". A value that is not here is a default.
    origins: Mapping[str, Origin] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The method's own name: GetProduct."""
        return self.full_name.rpartition("/")[2]

    @property
    def path(self) -> str:
        """The HTTP/2 :path that calls it."""
        return f"/{self.full_name}"

    @property
    def streaming(self) -> bool:
        """Whether either side sends more than one message."""
        return self.client_streaming or self.server_streaming

    @property
    def exposed(self) -> bool:
        """Whether the method exists at the edge."""
        return self.audience is not Audience.INTERNAL


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcService:
    """A service as the contract declares it."""

    full_name: str  # shop.catalog.v1.CatalogService
    methods: tuple[Method, ...]  # in the contract's order
    origin: Origin

    @property
    def package(self) -> str:
        """The proto package: shop.catalog.v1."""
        return self.full_name.rpartition(".")[0]

    @property
    def name(self) -> str:
        """The service's own name: CatalogService."""
        return self.full_name.rpartition(".")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredError:
    """A message that the contract makes an error."""

    full_name: str  # shop.inventory.v1.OutOfStock
    code: int  # a google.rpc.Code, never OK
    message: str  # "only {available} of {sku} left"
    fields: tuple[str, ...]
    origin: Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclaredEvent:
    """A message that the contract makes an event."""

    full_name: str  # shop.inventory.v1.StockReserved
    key: str  # the field that orders deliveries; "" if none
    origin: Origin
