import json
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from protomesh.model import Audience, Layout, Topology
from protomesh.targets.envoy import CLUSTER, EXTENSION, LISTENER, ROUTES, bootstrap, render, static_bootstrap
from protomesh.targets.envoy.filters import HTTP_FILTERS
from protomesh.targets.envoy.filters.http_filter import Face
from tests.integration.envoy.lab import METHODS, SERVICE, lab_topology, method, origin, rest

LAYOUT = Layout(run=PurePosixPath("/run/lab"), state=PurePosixPath("/state"))
PATHS = {f"/{item.full_name}" for item in METHODS}


def with_methods(*methods: Any) -> Topology:
    """The lab, in which the service has these methods."""
    topology = lab_topology()
    lab = topology.services["lab"]
    return replace(
        topology, services={**topology.services, "lab": replace(lab, serves=(replace(lab.serves[0], methods=methods),))}
    )


def paths(topology: Topology, name: str) -> set[str]:
    """The exact paths of a listener that lead to services."""
    rendered = render(topology, LAYOUT).get(ROUTES, name)
    assert rendered is not None
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            found.update(value.get("exact_match_map", {}).get("map", ()))
            for item in value.values():
                walk(item)
        elif isinstance(value, list):
            for item in value:
                walk(item)

    walk(rendered.body)
    return {path for path in found if path.startswith(f"/{SERVICE}/")}


def test_equal_topologies_are_rendered_alike() -> None:
    """To the last key's place."""
    first, second = ([item.body for item in render(lab_topology(), LAYOUT).resources()] for _ in range(2))
    assert json.dumps(first) == json.dumps(second)


def test_each_face_has_the_paths_it_is_meant_to_have() -> None:
    """The edge what is exposed, egress what `calls` names, the operator everything."""
    topology = lab_topology()
    assert paths(topology, "edge") == {item.path for item in METHODS if item.audience is not Audience.INTERNAL}
    assert paths(topology, "egress-caller") == {f"/{SERVICE}/{name}" for name in ("GetItem", "CreateItem", "SlowItem")}
    assert paths(topology, "egress-lab") == set()
    assert paths(topology, "operator") == PATHS


def test_only_what_the_mesh_starts_has_a_way_out() -> None:
    """A program that runs elsewhere has no socket of ours."""
    names = {item.name for item in render(lab_topology(), LAYOUT).of(LISTENER)}
    assert names == {"edge", "operator", "egress-caller", "egress-lab"}


@pytest.mark.parametrize(
    "changed",
    [
        with_methods(*METHODS[:2]),
        with_methods(*METHODS, method("Another", rest=rest("GET", "/v1/another"))),
        with_methods(*(replace(item, rest=()) for item in METHODS)),
        with_methods(*(replace(item, audience=Audience.INTERNAL, rest=()) for item in METHODS)),
        with_methods(),
    ],
    ids=["fewer", "more", "no REST", "nothing exposed", "nothing"],
)
def test_a_change_of_the_contract_never_changes_a_listener(changed: Topology) -> None:
    """A listener that changes cuts the streams in it."""
    before, after = (list(render(topology, LAYOUT).of(LISTENER)) for topology in (lab_topology(), changed))
    assert before == after


def test_suspending_a_service_never_changes_a_listener() -> None:
    """Nor a route or cluster of another service."""
    before, after = (render(lab_topology(), LAYOUT, suspended) for suspended in (frozenset[str](), frozenset({"lab"})))
    changed = {(a.type_url, a.name) for a, b in zip(before.resources(), after.resources(), strict=True) if a != b}
    assert changed == {(CLUSTER, "lab"), (ROUTES, "edge"), (ROUTES, "operator"), (ROUTES, "egress-caller")}


def test_everything_that_a_resource_needs_is_there() -> None:
    """But for endpoints, which come by themselves; and what listeners name they need."""
    configuration = render(lab_topology(), LAYOUT)
    there = {(item.type_url, item.name) for item in configuration.resources()}
    needed = {need for item in configuration.resources() for need in item.needs}
    assert {name for type_url, name in needed - there} == {"caller", "lab"}
    edge = configuration.get(LISTENER, "edge")
    assert edge is not None
    extensions = {name for type_url, name in edge.needs if type_url == EXTENSION}
    assert extensions == {item.name for item in HTTP_FILTERS if item.discovered and Face.EDGE in item.faces}


def test_what_envoy_may_complain_of_leads_back_to_its_line() -> None:
    """A method, a REST template, a prefix, a cluster."""
    topology = with_methods(method("GetItem", origin=origin(12), rest=rest("GET", "/v1/{id=**}/x")))
    configuration = render(topology, LAYOUT)
    found = {key: str(value) for item in configuration.resources() for key, value in item.origins.items()}
    assert found[f"{SERVICE}/GetItem"] == "protos/lab/v1/lab_service.proto:12:1"
    assert found["/v1/{id=**}/x"] == "protos/lab/v1/lab_service.proto:1:1"
    assert found["/legacy/"] == "mesh.yaml:8:1"
    assert found["lab"] == "mesh.yaml:3:1"


def test_reflection_is_at_the_edge_only_where_the_gateway_says_so() -> None:
    """Health always is."""
    topology = lab_topology()
    closed = replace(topology, gateways=(replace(topology.gateways[0], reflection=False),))
    for given, expected in ((topology, True), (closed, False)):
        routes = str(render(given, LAYOUT).get(ROUTES, "edge"))
        assert ("grpc.reflection.v1alpha" in routes) is ("/grpc.reflection.v1." in routes) is expected
        assert "/grpc.health.v1.Health/Check" in routes


def test_the_bootstrap_knows_the_control_plane_and_what_is_laid_over() -> None:
    """Nothing else: all that a mesh is comes by ADS."""
    made = bootstrap(lab_topology(), LAYOUT, {"stats_flush_interval": "5s", "node": {"locality": {"zone": "a"}}})
    assert made["node"] == {"id": "lab", "cluster": "lab", "locality": {"zone": "a"}}
    assert made["stats_flush_interval"] == "5s"
    assert "global_downstream_max_connections" in str(made["overload_manager"])
    assert "/run/lab/xds.sock" in str(made["static_resources"])
    assert made["dynamic_resources"]["ads_config"]["api_type"] == "DELTA_GRPC"


def test_the_static_form_asks_for_nothing() -> None:
    """No ADS, no RDS, no ECDS; and it opens no file unless it is to run."""
    static = static_bootstrap(render(lab_topology(), LAYOUT), LAYOUT)
    text = json.dumps(static)
    assert not [word for word in ('"ads"', '"rds"', "config_discovery", "access.log") if word in text]
    assert "/state/logs/access.log" in json.dumps(static_bootstrap(render(lab_topology(), LAYOUT), LAYOUT, {}))


def test_the_edge_bounds_what_a_stranger_may_cost() -> None:
    """Slow, many, large and idle: each has an end. Ports are not shared, and the inside is nobody's from outside."""
    edge = render(lab_topology(), LAYOUT).get(LISTENER, "edge")
    assert edge is not None
    assert edge.body["enable_reuse_port"] is False
    manager = edge.body["filter_chains"][0]["filters"][0]["typed_config"]
    assert manager["request_headers_timeout"] == "10s"
    assert manager["stream_idle_timeout"] == "300s"
    assert manager["max_request_headers_kb"] == 32
    assert manager["common_http_protocol_options"] == {"idle_timeout": "300s", "max_headers_count": 100}
    assert manager["http2_protocol_options"]["max_concurrent_streams"] == 256
    assert manager["path_with_escaped_slashes_action"] == "REJECT_REQUEST"
    assert manager["internal_address_config"]["cidr_ranges"] == [
        {"address_prefix": "255.255.255.255", "prefix_len": 32}
    ]


def test_the_filters_are_in_the_order_that_works() -> None:
    """Who answers preflights before who asks for tokens, translation before policy, the router last."""
    names = [item.name for item in HTTP_FILTERS]
    for earlier, later in (
        ("cors", "jwt_authn"),
        ("grpc_web", "jwt_authn"),
        ("grpc_json_transcoder", "jwt_authn"),
        ("grpc_json_transcoder", "header_mutation"),
        ("header_mutation", "local_ratelimit"),
        ("jwt_authn", "local_ratelimit"),
        ("grpc_json_transcoder", "body_size_limit"),
    ):
        assert names.index(earlier) < names.index(later)
    assert names[-1] == "router"
