"""Bounds how often one caller may call a method: one user where the method has users, else one client address.

Each Envoy counts for itself. https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/local_rate_limit_filter
"""

import math
from datetime import timedelta

from protomesh.model import Audience, Method
from protomesh.targets.envoy.duration import duration
from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.filters.subject import NOTED_SUBJECT
from protomesh.targets.envoy.names import Body, typed

__all__ = ["local_ratelimit"]

_TYPE = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
_SHORTEST = timedelta(milliseconds=50)  # Envoy refills no bucket more often
_CALLERS = 10_000  # users or addresses that are remembered; the one unseen for longest is forgotten
# Who has one address of IPv6 has a network of them.
_ADDRESS: Body = {"masked_remote_address": {"v4_prefix_mask_len": 32, "v6_prefix_mask_len": 64}}
_USER: Body = {
    "metadata": {
        "descriptor_key": "user",
        "metadata_key": {"key": NOTED_SUBJECT[0], "path": [{"key": NOTED_SUBJECT[1]}]},
        "source": "DYNAMIC",
        "default_value": "-",  # tokens that name nobody are one caller, and not without a limit
    }
}
_ALWAYS: Body = {"default_value": {"numerator": 100, "denominator": "HUNDRED"}}


def _limit(method: Method) -> Body | None:
    if method.rate_limit is None:
        return None
    times = max(1, math.ceil(_SHORTEST / method.rate_limit.per))
    bucket = {
        "max_tokens": method.rate_limit.requests * times,
        "tokens_per_fill": method.rate_limit.requests * times,
        "fill_interval": duration(method.rate_limit.per * times),
    }
    key, action = ("user", _USER) if method.audience is Audience.USER else ("masked_remote_address", _ADDRESS)
    # The bucket fills all the time: so long for the next call. In whole seconds (RFC 9110, section 10.2.3).
    pause = math.ceil((method.rate_limit.per / method.rate_limit.requests).total_seconds())
    return typed(
        _TYPE,
        stat_prefix="rate_limit",
        filter_enabled=_ALWAYS,
        filter_enforced=_ALWAYS,
        rate_limits=[{"actions": [action]}],
        # No value: each caller has a bucket of its own.
        descriptors=[{"entries": [{"key": key}], "token_bucket": bucket}],
        max_dynamic_descriptors=_CALLERS,
        # The bucket of all calls together, which Envoy demands. It must never be what refuses.
        token_bucket={"max_tokens": 2**32 - 1, "tokens_per_fill": 2**32 - 1, "fill_interval": "1s"},
        always_consume_default_token_bucket=False,
        rate_limited_as_resource_exhausted=True,
        enable_x_ratelimit_headers="DRAFT_VERSION_03",
        response_headers_to_add=[
            {"header": {"key": "retry-after", "value": str(pause)}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
        ],
    )


local_ratelimit = HttpFilter(
    name="local_ratelimit",
    type=_TYPE,
    faces=frozenset({Face.EDGE}),
    config={"stat_prefix": "rate_limit"},
    per_method=_limit,
)
