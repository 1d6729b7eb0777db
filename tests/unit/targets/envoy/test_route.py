from datetime import timedelta
from typing import Any

import pytest

from protomesh.model import RetryPolicy, Safety
from protomesh.targets.envoy.filters.http_filter import Face
from protomesh.targets.envoy.retry import retry_policy
from protomesh.targets.envoy.route import method_route, no_such_method
from tests.integration.envoy.lab import lab_topology, method

LAB = lab_topology().services["lab"]
ONE_SECOND = timedelta(seconds=1)


def route(suspended: bool = False, face: Face = Face.EDGE, **policy: Any) -> dict[str, Any]:  # noqa: FBT001, FBT002 - a test's own shorthand
    """The route of a method with that policy."""
    return method_route(LAB, method("GetItem", **policy), face=face, suspended=suspended)


@pytest.mark.parametrize("after_response", [False, True])
@pytest.mark.parametrize("attempts", [2, 3, 10])
def test_a_write_is_never_retried_after_a_service_may_have_seen_it(attempts: int, *, after_response: bool) -> None:
    """Whatever a policy asks for: what decides is whether a repeat is safe."""
    policy = RetryPolicy(max_attempts=attempts, after_response=after_response)
    rendered = retry_policy(method("GetItem", safety=Safety.UNSAFE, retry=policy))
    assert rendered is not None
    conditions = set(rendered["retry_on"].split(","))
    assert conditions == {"connect-failure", "refused-stream", "reset-before-request"}


@pytest.mark.parametrize("safety", [Safety.IDEMPOTENT, Safety.NO_SIDE_EFFECTS])
def test_what_may_be_repeated_is_retried_on_unavailable_only(safety: Safety) -> None:
    """AIP-194; tries in all are one more than retries."""
    rendered = retry_policy(method("GetItem", safety=safety, retry=RetryPolicy(max_attempts=4, after_response=True)))
    assert rendered is not None
    assert rendered["num_retries"] == 3
    conditions = set(rendered["retry_on"].split(","))
    assert {"unavailable", "reset"} <= conditions
    assert not conditions & {"5xx", "internal", "cancelled", "deadline-exceeded", "resource-exhausted", "gateway-error"}


@pytest.mark.parametrize(
    "policy",
    [
        {"retry": None},
        {"retry": RetryPolicy(max_attempts=1, after_response=True)},
        {"server_streaming": True, "retry": RetryPolicy(after_response=True), "safety": Safety.NO_SIDE_EFFECTS},
    ],
)
def test_a_route_has_no_retry_where_there_is_none(policy: dict[str, Any]) -> None:
    """Turned off by the contract, one try in all, or a stream."""
    assert "retry_policy" not in route(**policy)["route"]


def test_a_unary_call_has_a_net_behind_its_deadline() -> None:
    """The service is told the contract's deadline; Envoy waits 300 ms longer, and a second more if it stalls."""
    rendered = route(timeout=ONE_SECOND)
    assert (rendered["route"]["timeout"], rendered["route"]["idle_timeout"]) == ("1.3s", "2.3s")
    assert rendered["request_headers_to_add"] == [
        {"header": {"key": "grpc-timeout", "value": "1000m"}, "append_action": "ADD_IF_ABSENT"}
    ]
    assert "priority" not in rendered["route"]


@pytest.mark.parametrize("kind", [{"client_streaming": True}, {"server_streaming": True}])
def test_a_stream_may_last_and_be_idle(kind: dict[str, Any]) -> None:
    """No deadline, no idle timeout, and a priority of its own."""
    rendered = route(timeout=None, retry=None, **kind)
    assert (rendered["route"]["timeout"], rendered["route"]["idle_timeout"]) == ("0s", "0s")
    assert rendered["route"]["priority"] == "HIGH"
    assert "request_headers_to_add" not in rendered


def test_a_stream_that_asks_for_a_deadline_gets_it() -> None:
    """A stream's deadline is handled as a unary call's."""
    rendered = route(timeout=ONE_SECOND, retry=None, server_streaming=True)
    assert (rendered["route"]["timeout"], rendered["route"]["priority"]) == ("1.3s", "HIGH")


def test_nothing_ends_a_call_to_a_suspended_service() -> None:
    """Its programmer stands at a breakpoint."""
    rendered = route(suspended=True, timeout=ONE_SECOND)
    assert (rendered["route"]["timeout"], rendered["route"]["idle_timeout"]) == ("0s", "0s")
    assert "request_headers_to_add" not in rendered


def test_no_route_rewrites_the_callers_deadline() -> None:
    """Any max_stream_duration would."""
    assert "max_stream_duration" not in str([route(), route(server_streaming=True, timeout=None)])


@pytest.mark.parametrize("face", [Face.EGRESS, Face.OPERATOR])
def test_what_binds_at_the_edge_is_not_on_other_faces(face: Face) -> None:
    """Audience and limits are for callers from outside."""
    topology = lab_topology()
    for _, item in topology.methods():
        assert "typed_per_filter_config" not in method_route(LAB, item, face=face)


def test_the_catch_all_is_a_route_and_not_a_direct_response() -> None:
    """REST calls and preflights come by it, and need the virtual host's CORS policy."""
    assert no_such_method()["route"] == {"cluster": "none", "cluster_not_found_response_code": "NOT_FOUND"}
