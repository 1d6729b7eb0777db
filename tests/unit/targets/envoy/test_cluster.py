import pytest

from protomesh.model import Address, Command, Endpoint, External, Service, TcpAddress, UnixAddress
from protomesh.targets.envoy import ENDPOINTS, load_assignment
from protomesh.targets.envoy.cluster import service_cluster
from tests.integration.envoy.lab import lab_topology, origin

LAB = lab_topology().services["lab"]
PROTOCOL = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


def external(address: Address, *, http1: bool = False) -> Service:
    """A service that runs somewhere."""
    return Service(name="old", runs=External(address=address, http1=http1), serves=(), origin=origin())


def test_what_the_mesh_starts_has_its_endpoints_by_eds() -> None:
    """And its health is asked for; a check that fails once takes nothing out."""
    rendered = service_cluster(LAB)
    assert rendered.body["type"] == "EDS"
    assert rendered.needs == ((ENDPOINTS, "lab"),)
    (check,) = rendered.body["health_checks"]
    assert (check["unhealthy_threshold"], check["interval"], check["no_traffic_interval"]) == (3, "1s", "1s")
    assert rendered.origins == {"lab": LAB.origin}


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        (TcpAddress("127.0.0.1", 9000), "STATIC"),
        (TcpAddress("::1", 9000), "STATIC"),
        (TcpAddress("old.example", 9000), "STRICT_DNS"),
        (UnixAddress("/run/old.sock"), "STATIC"),
    ],
)
def test_what_runs_elsewhere_has_its_address_in_the_cluster(address: Address, kind: str) -> None:
    """A name is resolved; nothing is asked for its health, which may not speak gRPC."""
    rendered = service_cluster(external(address))
    assert rendered.body["type"] == kind
    assert rendered.body["load_assignment"] == load_assignment("old", [Endpoint(address=address)])
    assert rendered.needs == ()
    assert "health_checks" not in rendered.body


@pytest.mark.parametrize(("http1", "options"), [(True, "http_protocol_options"), (False, "http2_protocol_options")])
def test_what_runs_elsewhere_may_speak_http1(*, http1: bool, options: str) -> None:
    """Everything else speaks HTTP/2."""
    rendered = service_cluster(external(TcpAddress("127.0.0.1", 1), http1=http1))
    assert set(rendered.body["typed_extension_protocol_options"][PROTOCOL]["explicit_http_config"]) == {options}


def test_streams_and_unary_calls_have_thresholds_of_their_own() -> None:
    """With a budget for retries in each: Envoy's own limit is three a cluster."""
    thresholds = {item["priority"]: item for item in service_cluster(LAB).body["circuit_breakers"]["thresholds"]}
    assert thresholds["HIGH"]["max_requests"] > thresholds["DEFAULT"]["max_requests"]
    assert all(item["retry_budget"]["min_retry_concurrency"] == 100 for item in thresholds.values())


def test_what_a_service_answers_never_ejects_it() -> None:
    """Only that it can't be reached does."""
    detection = service_cluster(LAB).body["outlier_detection"]
    enforced = {name for name, value in detection.items() if name.startswith("enforcing_") and value}
    assert enforced == {"enforcing_consecutive_local_origin_failure"}
    assert detection["split_external_local_origin_errors"] is True


def test_nothing_takes_a_suspended_service_out() -> None:
    """It answers no health check while it stands at a breakpoint."""
    body = service_cluster(LAB, suspended=True).body
    assert not body.keys() & {"health_checks", "outlier_detection"}


def test_only_python_is_pinged() -> None:
    """Other servers may take pings without calls for abuse."""
    other = Service(name="rates", runs=Command(argv=("./rates",)), serves=(), origin=origin())
    assert "connection_keepalive" in str(service_cluster(LAB).body)
    assert "connection_keepalive" not in str(service_cluster(other).body)


def test_a_service_may_have_no_endpoint() -> None:
    """Before its first worker is ready, and while it is stopped."""
    assert load_assignment("lab", []) == {"cluster_name": "lab", "endpoints": []}
