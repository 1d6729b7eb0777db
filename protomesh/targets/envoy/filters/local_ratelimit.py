"""Bounds how often one client address may call a method.

Each Envoy counts for itself. https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/local_rate_limit_filter
"""

import math
from datetime import timedelta

from protomesh.model import Method
from protomesh.targets.envoy.duration import duration
from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.names import Body, typed

__all__ = ["local_ratelimit"]

_TYPE = "envoy.extensions.filters.http.local_ratelimit.v3.LocalRateLimit"
_SHORTEST = timedelta(milliseconds=50)  # Envoy refills no bucket more often
_CLIENTS = 10_000  # addresses that are remembered; the one unseen for longest is forgotten
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
    return typed(
        _TYPE,
        stat_prefix="rate_limit",
        filter_enabled=_ALWAYS,
        filter_enforced=_ALWAYS,
        rate_limits=[{"actions": [{"remote_address": {}}]}],
        # No value: each address has a bucket of its own.
        descriptors=[{"entries": [{"key": "remote_address"}], "token_bucket": bucket}],
        max_dynamic_descriptors=_CLIENTS,
        # The bucket of all calls together, which Envoy demands. It must never be what refuses.
        token_bucket={"max_tokens": 2**32 - 1, "tokens_per_fill": 2**32 - 1, "fill_interval": "1s"},
        always_consume_default_token_bucket=False,
        rate_limited_as_resource_exhausted=True,
        enable_x_ratelimit_headers="DRAFT_VERSION_03",
    )


local_ratelimit = HttpFilter(
    name="local_ratelimit",
    type=_TYPE,
    faces=frozenset({Face.EDGE}),
    config={"stat_prefix": "rate_limit"},
    per_method=_limit,
)
