"""What Envoy starts with: who it is, and where it gets everything else."""

from collections.abc import Mapping, Sequence
from typing import Any

from protomesh.model import Endpoint, Layout, Topology, UnixAddress
from protomesh.targets.envoy.cluster import ADS, http2
from protomesh.targets.envoy.configuration import Configuration
from protomesh.targets.envoy.endpoints import PRIVATE, address, load_assignment
from protomesh.targets.envoy.merge import merge
from protomesh.targets.envoy.names import CLUSTER, EXTENSION, LISTENER, ROUTES, XDS, Body, typed

__all__ = ["bootstrap", "static_bootstrap"]

_HEAP = (
    1280 * 1024 * 1024
)  # bytes, of which more than 85 % are never there for long; the shop's Envoy at rest has 70 MB


def _above(action: str, **when: Body) -> Body:
    trigger = {"name": "envoy.resource_monitors.fixed_heap", **when}
    return {"name": f"envoy.overload_actions.{action}", "triggers": [trigger]}


# Without a limit each connection is taken until memory or file descriptors run out. It is for strangers: the inside's
# listeners are not counted, so that services go on calling each other. Memory is everybody's: streams that hold most of
# it end first, and only then is anybody refused. Envoy ends fifty each time that the action's scale has changed, and
# none while that is at its end: so it is kept out of reach, and everybody is refused long before.
# https://www.envoyproxy.io/docs/envoy/latest/configuration/operations/overload_manager/overload_manager
_OVERLOAD_MANAGER: Body = {
    "refresh_interval": "0.1s",
    "buffer_factory_config": {"minimum_account_to_track_power_of_two": 15},  # 32 KiB
    "actions": [
        _above("shrink_heap", threshold={"value": 0.7}),
        # At half of the memory the largest, of 4 MiB and more; where others are refused, what has 64 KiB.
        _above("reset_high_memory_stream", scaled={"scaling_threshold": 0.5, "saturation_threshold": 1.0}),
        _above("disable_http_keepalive", threshold={"value": 0.8}),
        _above("stop_accepting_requests", threshold={"value": 0.85}),
    ],
    "resource_monitors": [
        {
            "name": "envoy.resource_monitors.fixed_heap",
            "typed_config": typed(
                "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig", max_heap_size_bytes=_HEAP
            ),
        },
        {
            "name": "envoy.resource_monitors.global_downstream_max_connections",
            "typed_config": typed(
                "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                max_active_downstream_connections=15_000,
            ),
        },
    ],
}


def bootstrap(topology: Topology, layout: Layout, overlay: Mapping[str, Any]) -> Body:
    """The bootstrap of an Envoy that asks the control plane at `layout.control_socket`, by Delta ADS.

    `overlay` is laid over it: the hand-written facts of envoy/bootstrap.yaml. A list there takes a list's place: who
    names resource monitors names them all.
    """
    control = load_assignment(XDS, [Endpoint(address=UnixAddress(layout.control_socket))])
    return merge(
        {
            "node": {"id": topology.name, "cluster": topology.name},
            "admin": _admin(layout),
            "overload_manager": _OVERLOAD_MANAGER,
            "dynamic_resources": {
                "ads_config": {
                    "api_type": "DELTA_GRPC",
                    "transport_api_version": "V3",
                    "grpc_services": [
                        {
                            "envoy_grpc": {
                                "cluster_name": XDS,
                                # How soon it asks again after a restart of the control plane.
                                "retry_policy": {"retry_back_off": {"base_interval": "0.1s", "max_interval": "2s"}},
                            }
                        }
                    ],
                    "set_node_on_first_message_only": True,
                },
                "lds_config": ADS,
                "cds_config": ADS,
            },
            "static_resources": {
                "clusters": [
                    {
                        "name": XDS,
                        "type": "STATIC",
                        "connect_timeout": "1s",
                        "load_assignment": control,
                        "typed_extension_protocol_options": http2(keepalive=True),
                    }
                ]
            },
        },
        overlay,
    )


def static_bootstrap(
    configuration: Configuration, layout: Layout, endpoints: Mapping[str, Sequence[Endpoint]] | None = None
) -> Body:
    """The same configuration with nothing left to ask for, as `envoy --mode validate` needs it.

    It also runs, if `endpoints` says where services answer; without them it names no file of the layout, since Envoy
    opens its logs even if it only validates.
    """
    known = endpoints or {}
    listeners = [_static(configuration, item.body, log=endpoints is not None) for item in configuration.of(LISTENER)]
    return {
        "node": {"id": "static", "cluster": "static"},
        "admin": _admin(layout),
        "overload_manager": _OVERLOAD_MANAGER,
        "static_resources": {
            "listeners": listeners,
            "clusters": [_static_cluster(item.body, known.get(item.name, ())) for item in configuration.of(CLUSTER)],
        },
    }


def _admin(layout: Layout) -> Body:
    where = address(UnixAddress(layout.envoy_admin_socket), mode=PRIVATE)
    return {"address": where, "ignore_global_conn_limit": True}


def _static_cluster(body: Body, endpoints: Sequence[Endpoint]) -> Body:
    asked_for = {"eds_cluster_config", "transport_socket"}  # what is secret is in no file
    rest = {key: value for key, value in body.items() if key not in asked_for}
    if body.get("type") != "EDS":
        return rest
    return rest | {"type": "STATIC", "load_assignment": load_assignment(body["name"], endpoints)}


def _static(configuration: Configuration, value: Any, *, log: bool) -> Any:
    """A part of a listener with its routes and discovered filters inside."""
    if isinstance(value, list):
        return [_static(configuration, item, log=log) for item in value]
    if not isinstance(value, dict):
        return value
    result = {key: _static(configuration, item, log=log) for key, item in value.items()}
    if "rds" in result:
        routes = configuration.get(ROUTES, result.pop("rds")["route_config_name"])
        assert routes is not None
        result["route_config"] = routes.body
    if "config_discovery" in result:
        extension = configuration.get(EXTENSION, result["name"])
        assert extension is not None
        del result["config_discovery"]
        result["typed_config"] = extension.body["typed_config"]
    if "transport_socket" in result:  # what is secret is in no file
        result.pop("transport_socket")
        result.pop("transport_socket_connect_timeout", None)
    if "access_log" in result and not log:
        del result["access_log"]
    return result
