"""A service as Envoy sees it from the calling side."""

import ipaddress
from typing import Any

from protomesh.model import Endpoint, External, PythonApp, Service, TcpAddress, UnixAddress
from protomesh.targets.envoy.configuration import Rendered
from protomesh.targets.envoy.endpoints import load_assignment
from protomesh.targets.envoy.names import CLUSTER, ENDPOINTS, Body, typed

__all__ = ["ADS", "api_cluster", "http2", "service_cluster"]

ADS: Body = {"ads": {}, "resource_api_version": "V3"}

_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_CONNECT_TIMEOUT = "1s"


def service_cluster(
    service: Service, *, suspended: bool = False, secured: Body | None = None, secrets: tuple[tuple[str, str], ...] = ()
) -> Rendered:
    """The cluster of a service. One for all its methods: what Envoy learns of its health it learns for each of them.

    What the mesh starts has its endpoints by EDS. What runs elsewhere has its address in the cluster. While a service
    is `suspended`, nothing takes its endpoints out. `secured` is the transport socket to it, plain text if None, and
    `secrets` what that needs.
    """
    body: Body = {
        "name": service.name,
        "connect_timeout": _CONNECT_TIMEOUT,
        "lb_policy": "LEAST_REQUEST",
        "circuit_breakers": _circuit_breakers(),
    }
    needs: tuple[tuple[str, str], ...] = ()
    if isinstance(service.runs, External):
        body |= _somewhere(service.name, service.runs)
    else:
        body |= {"type": "EDS", "eds_cluster_config": {"eds_config": ADS}, "ignore_health_on_host_removal": True}
        body["typed_extension_protocol_options"] = http2(
            # Other languages' servers may take pings for abuse; over a unix socket the health check tells as much.
            keepalive=isinstance(service.runs, PythonApp)
        )
        needs = ((ENDPOINTS, service.name),)
        if not suspended:
            body["health_checks"] = [_health_check()]
    if secured is not None:
        body["transport_socket"] = secured
        needs += secrets
    # By default Envoy's threads hear of a passed health check up to a second later than of the endpoint itself, and a
    # worker that has just started gets no call until then.
    body["common_lb_config"] = {"update_merge_window": "0s"}
    if not suspended:
        # With the default of 50, a lone worker that answers no health check would be called nevertheless.
        body["common_lb_config"] |= {"healthy_panic_threshold": {"value": 0}}
        body["outlier_detection"] = _outlier_detection()
    return Rendered(type_url=CLUSTER, name=service.name, body=body, needs=needs, origins={service.name: service.origin})


def api_cluster(name: str, socket: str) -> Rendered:
    """One of the mesh's own APIs, on a unix socket."""
    body: Body = {
        "name": name,
        "type": "STATIC",
        "connect_timeout": _CONNECT_TIMEOUT,
        "load_assignment": load_assignment(name, [Endpoint(address=UnixAddress(socket))]),
        "circuit_breakers": _circuit_breakers(),
        "typed_extension_protocol_options": http2(),
    }
    return Rendered(type_url=CLUSTER, name=name, body=body)


# Calls of all callers share a connection to a worker, and an answer that its caller does not take keeps what it has of
# the connection's window. By default that is 24 MiB, and 16 of a stream: two such streams, and nobody else is answered.
# What streams hold together is for the overload manager to bound.
_WINDOWS: Body = {"initial_stream_window_size": 256 * 1024, "initial_connection_window_size": 2**31 - 1}


def http2(*, keepalive: bool = False) -> Body:
    """The protocol options of a cluster that speaks gRPC."""
    options: Body = dict(_WINDOWS)
    if keepalive:
        options["connection_keepalive"] = {"interval": "30s", "timeout": "5s"}
    return {_OPTIONS: typed(_OPTIONS, explicit_http_config={"http2_protocol_options": options})}


def _http1() -> Body:
    return {_OPTIONS: typed(_OPTIONS, explicit_http_config={"http_protocol_options": {}})}


def _somewhere(name: str, external: External) -> Body:
    return {
        "type": "STRICT_DNS" if _has_name(external) else "STATIC",
        "load_assignment": load_assignment(name, [Endpoint(address=external.address)]),
        "typed_extension_protocol_options": _http1() if external.http1 else http2(),
        # Nothing checks its health, so a peer that vanished without a word is noticed by TCP.
        "upstream_connection_options": {"tcp_keepalive": {"keepalive_time": 30, "keepalive_interval": 10}},
    }


def _has_name(external: External) -> bool:
    if not isinstance(external.address, TcpAddress):
        return False
    try:
        ipaddress.ip_address(external.address.host)
    except ValueError:
        return True
    return False


def _health_check() -> Body:
    """One failed check is no reason: a worker that stood still for a second lost 9 of 10 calls that way."""
    return {
        "timeout": "1s",
        "interval": "1s",
        "no_traffic_interval": "1s",
        "unhealthy_threshold": 3,
        "healthy_threshold": 1,
        "grpc_health_check": {},
    }


def _outlier_detection() -> Body:
    """Takes out an endpoint that can't be reached. What a service answers never counts, UNAVAILABLE included."""
    off: dict[str, Any] = dict.fromkeys(
        ("enforcing_consecutive_5xx", "enforcing_consecutive_gateway_failure", "enforcing_success_rate"), 0
    )
    return {
        "split_external_local_origin_errors": True,
        "consecutive_local_origin_failure": 5,
        "enforcing_consecutive_local_origin_failure": 100,
        "enforcing_local_origin_success_rate": 0,
        "interval": "1s",
        "base_ejection_time": "2s",
        # At 100 the only endpoint was out for 30 s; at 10 nothing is taken out of one to three.
        "max_ejection_percent": 50,
        **off,
    }


def _circuit_breakers() -> Body:
    """Everybody's calls together, so what a few connections can hold must be far below: see the edge's streams.

    Calls wait, too, while the first connection to a worker is made.
    """
    # max_retries is 3 a cluster by default, and retries then stop without a word.
    budget: Body = {"budget_percent": {"value": 20}, "min_retry_concurrency": 100}
    return {
        "thresholds": [
            {"priority": "DEFAULT", "max_requests": 16384, "max_pending_requests": 16384, "retry_budget": budget},
            # Streams: they are open for long and do little.
            {"priority": "HIGH", "max_requests": 32768, "max_pending_requests": 16384, "retry_budget": budget},
        ]
    }
