"""What Envoy listens at, and how it speaks there."""

from protomesh.model import Address, Layout, Origin
from protomesh.targets.envoy.access_log import access_log
from protomesh.targets.envoy.cluster import ADS
from protomesh.targets.envoy.configuration import Rendered
from protomesh.targets.envoy.endpoints import PRIVATE, address
from protomesh.targets.envoy.filters import discovered, http_filters
from protomesh.targets.envoy.filters.http_filter import Face
from protomesh.targets.envoy.local_reply import local_reply_config
from protomesh.targets.envoy.names import CALLER, EXTENSION, LISTENER, ROUTES, Body, typed

__all__ = ["listener"]

# With no range at all Envoy takes loopback and private networks for inside.
_NOBODY_INSIDE: Body = {"unix_sockets": False, "cidr_ranges": [{"address_prefix": "255.255.255.255", "prefix_len": 32}]}

# https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md, Header-Name. HTTP/2's own names begin with a colon.
_NO_METADATA = "[^:].*[^0-9a-z_.-].*|[^:0-9a-z_.-].*"

# Off by default: who connects and says nothing would stay for good.
_HANDSHAKE = "10s"

# https://www.envoyproxy.io/docs/envoy/latest/configuration/best_practices/edge
_EDGE: Body = {
    "use_remote_address": True,
    # Nobody who comes in here is one of ours: what Envoy's own x-envoy-* headers ask for is not granted.
    "internal_address_config": _NOBODY_INSIDE,
    "server_header_transformation": "PASS_THROUGH",
    "normalize_path": True,
    "merge_slashes": True,
    "path_with_escaped_slashes_action": "REJECT_REQUEST",
    "stream_error_on_invalid_http_message": True,
    "request_headers_timeout": "10s",  # off by default: 200 slow connections stayed for good
    "stream_idle_timeout": "300s",  # a route may say otherwise; streams do
    "stream_flush_timeout": "10s",  # for an answer of which its caller takes nothing; by default as above
    "always_set_request_id_in_response": True,
    "max_request_headers_kb": 32,
    # Without a call; clients come back by themselves. The default is an hour, for who never called as well.
    "common_http_protocol_options": {"idle_timeout": "300s", "max_headers_count": 100},
    # How a stream ended is in the trailers, also for REST. Without it only HTTP/2 has them.
    "http_protocol_options": {"enable_trailers": True},
    "http2_protocol_options": {
        # Fewer, and a client with that many calls at once waits for itself. It takes 64 connections to use up what a
        # service may have.
        "max_concurrent_streams": 256,
        "initial_stream_window_size": 256 * 1024,
        "initial_connection_window_size": 1024 * 1024,
        "connection_keepalive": {"interval": "60s", "timeout": "20s"},
    },
}

_INSIDE: Body = {
    "use_remote_address": False,
    "preserve_external_request_id": True,  # one request ID for all that follows from one call
    "server_header_transformation": "PASS_THROUGH",
    "stream_idle_timeout": "300s",
    "internal_address_config": _NOBODY_INSIDE,
}


def listener(
    name: str,
    where: Address,
    *,
    face: Face,
    layout: Layout,
    origin: Origin,
    caller: str = "",
    secured: Body | None = None,
    secrets: tuple[tuple[str, str], ...] = (),
) -> Rendered:
    """A listener whose routes and changing filters come by themselves.

    Nothing in it depends on a contract: a listener that changes closes the streams that it holds. `caller` is who
    calls here; nobody that the mesh knows if empty. `secured` is the transport socket, plain text if None, and
    `secrets` what it needs.
    """
    manager = typed(
        "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        stat_prefix=name,
        rds={"route_config_name": name, "config_source": ADS},
        http_filters=http_filters(face),
        local_reply_config=local_reply_config(rest=face is Face.EDGE),
        access_log=[access_log(str(layout.logs / "access.log"))],
        early_header_mutation_extensions=[_caller_header(caller)],
        **(_EDGE if face is Face.EDGE else _INSIDE),
    )
    chain: Body = {
        "name": name,
        "filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}],
    }
    if secured is not None:
        chain |= {"transport_socket": secured, "transport_socket_connect_timeout": _HANDSHAKE}
    body: Body = {
        "name": name,
        "address": address(where, mode=None if face is Face.EDGE else PRIVATE),
        # With the default two Envoys that know nothing of each other share a port and its calls, without a word.
        "enable_reuse_port": False,
        "filter_chains": [chain],
    }
    if face is Face.EDGE:
        # When the mesh ends, what is inbound is drained first; services call each other until their calls are done.
        body["traffic_direction"] = "INBOUND"
    else:
        # As many strangers as there may be: services still reach each other, and the operator the mesh.
        body["ignore_global_conn_limit"] = True
    needs = (*secrets, (ROUTES, name), *((EXTENSION, extension) for extension in discovered(face)))
    return Rendered(type_url=LISTENER, name=name, body=body, needs=needs, origins={name: origin, str(where): origin})


def _caller_header(caller: str) -> Body:
    mutations: list[Body] = [
        # With these a caller could ask Envoy to repeat what the contract says must not be repeated.
        {"remove_on_match": {"key_matcher": {"prefix": "x-envoy-"}}},
    ]
    if caller:
        value = {"header": {"key": CALLER, "value": caller}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        mutations.append({"append": value})
    else:
        mutations.append({"remove_on_match": {"key_matcher": {"prefix": "x-protomesh-"}}})
        # HTTP allows names that are no metadata to gRPC, and a gRPC server fails the call that has one: with INTERNAL.
        mutations.append({"remove_on_match": {"key_matcher": {"safe_regex": {"regex": _NO_METADATA}}}})
    return {
        "name": "envoy.http.early_header_mutation.header_mutation",
        "typed_config": typed(
            "envoy.extensions.http.early_header_mutation.header_mutation.v3.HeaderMutation", mutations=mutations
        ),
    }
