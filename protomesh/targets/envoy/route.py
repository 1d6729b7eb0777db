"""One method's route: where it goes, how long it may take, what may be sent again."""

from datetime import timedelta

from protomesh.model import Method, Service
from protomesh.targets.envoy.duration import duration, grpc_timeout
from protomesh.targets.envoy.filters import per_route
from protomesh.targets.envoy.filters.grpc_stats import UNCOUNTED
from protomesh.targets.envoy.filters.http_filter import Face
from protomesh.targets.envoy.filters.rest_stream_type import NDJSON
from protomesh.targets.envoy.names import NO_CLUSTER, Body
from protomesh.targets.envoy.retry import retry_policy

__all__ = ["SAFETY_NET", "internal_api", "method_route", "no_such_method", "passed_through", "refusal"]

SAFETY_NET = timedelta(milliseconds=300)
"""How long after the contract's deadline Envoy ends a call that its service has not ended.

The service enforces the deadline itself. Ending the call in Envoy at the same moment would race with its answer.
"""

_ANY_PATH: Body = {"prefix": "/"}  # the matcher tree has matched the path already
_NEVER = "0s"


def method_route(
    service: Service, method: Method, *, face: Face, suspended: bool = False, carries_token: bool = False
) -> Body:
    """The route of one method. While its service is `suspended` (under a debugger) nothing ends a call.

    `carries_token` is whether the service may have to hand on the user's token.
    """
    timeout = None if suspended else method.timeout
    action: Body = {"cluster": service.name, "timeout": _NEVER, "idle_timeout": _NEVER}
    body: Body = {
        "name": method.full_name,
        "match": _ANY_PATH,
        "route": action,
        # Without it every span is named after the listener. The name is for Envoy's spans, not for the service.
        "decorator": {"operation": method.full_name, "propagate": False},
    }
    if timeout is not None:
        action["timeout"] = duration(timeout + SAFETY_NET)
        # The route's timeout starts with the end of the request; a request that stops halfway is ended by idleness.
        action["idle_timeout"] = duration(timeout + SAFETY_NET + timedelta(seconds=1))
        # A caller without a deadline gets the contract's. Never by max_stream_duration: that rewrites what callers say.
        body["request_headers_to_add"] = [
            {
                "header": {"key": "grpc-timeout", "value": grpc_timeout(timeout)},
                "append_action": "ADD_IF_ABSENT",
            }
        ]
    if method.streaming:
        # Open streams have a threshold of their own: 1,024 of them would else be all that the service may have.
        action["priority"] = "HIGH"
    if face is Face.EDGE and method.server_streaming and method.rest:
        body["metadata"] = NDJSON
    if policy := retry_policy(method):
        action["retry_policy"] = policy
    if configs := per_route(face, service, method, carries_token=carries_token):
        body["typed_per_filter_config"] = configs
    return body


def internal_api(name: str, cluster: str) -> Body:
    """A route to the mesh's own reflection and health: streams that may be open, and idle, for as long as they like."""
    return {
        "name": name,
        "match": _ANY_PATH,
        "route": {"cluster": cluster, "timeout": _NEVER, "idle_timeout": _NEVER, "priority": "HIGH"},
    }


def passed_through(name: str, cluster: str) -> Body:
    """A route to something that is not in any contract: it keeps its own time, until it is idle for five minutes."""
    return {
        "name": name,
        "match": _ANY_PATH,
        "route": {"cluster": cluster, "timeout": _NEVER},
        "typed_per_filter_config": UNCOUNTED,
    }


def no_such_method() -> Body:
    """Answers 404, which gRPC callers see as UNIMPLEMENTED.

    It is a route to a cluster that does not exist and not a direct response: REST calls come by here before the
    transcoder gives them their method's path, and need the virtual host's CORS policy.
    """
    return {
        "name": "no such method",
        "match": _ANY_PATH,
        "route": {"cluster": NO_CLUSTER, "cluster_not_found_response_code": "NOT_FOUND"},
    }


def refusal(name: str, status: int, message: str) -> Body:
    """Answers with an HTTP status and a text; gRPC callers see the code that the status stands for.

    The text may contain Envoy's command operators, as %REQ(:path)%.
    """
    return {
        "name": name,
        "match": _ANY_PATH,
        "direct_response": {
            "status": status,
            "body_format": {"text_format_source": {"inline_string": message}},
        },
    }
