"""Notes for the access log how a service ended a call by gRPC-Web or REST.

Neither leaves it where %GRPC_STATUS% looks: gRPC-Web's filter moves the trailers into the body, the transcoder makes an
HTTP status of an error. An instance of Envoy's lua, the only filter that can note what is in a trailer. It waits for
the trailers and holds nothing back, but costs some 15 us, which calls by gRPC need not pay: a composite filter chooses.
https://www.envoyproxy.io/docs/envoy/latest/configuration/http/http_filters/lua_filter
"""

import textwrap

from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.names import Body, typed

__all__ = ["grpc_code"]

# By number, in the words of Envoy's %GRPC_STATUS%.
_CODES = (
    "OK",
    "Canceled",
    "Unknown",
    "InvalidArgument",
    "DeadlineExceeded",
    "NotFound",
    "AlreadyExists",
    "PermissionDenied",
    "ResourceExhausted",
    "FailedPrecondition",
    "Aborted",
    "OutOfRange",
    "Unimplemented",
    "Internal",
    "Unavailable",
    "DataLoss",
    "Unauthenticated",
)

_CODE = f"""\
local codes = {{
  [0] = {textwrap.fill(", ".join(f'"{code}"' for code in _CODES), 100, subsequent_indent="  ")}
}}

function envoy_on_response(response)
  local status = response:headers():get("grpc-status")
  if not status then
    local trailers = response:trailers()
    status = trailers and trailers:get("grpc-status")
  end
  if status then
    local code = codes[tonumber(status)] or status
    response:streamInfo():dynamicMetadata():set("protomesh", "grpc_code", code)
  end
end
"""

# As header_to_metadata has noted it: to this filter every call is gRPC.
_IS_GRPC: Body = {
    "single_predicate": {
        "input": {
            "name": "envoy.matching.inputs.dynamic_metadata",
            "typed_config": typed(
                "envoy.extensions.matching.common_inputs.network.v3.DynamicMetadataInput",
                filter="protomesh",
                path=[{"key": "protocol"}],
            ),
        },
        "custom_match": {
            "name": "envoy.matching.matchers.metadata_matcher",
            "typed_config": typed(
                "envoy.extensions.matching.input_matchers.metadata.v3.Metadata",
                value={"string_match": {"exact": "grpc"}},
            ),
        },
    }
}
_NOTE: Body = {
    "action": {
        "name": "composite-action",
        "typed_config": typed(
            "envoy.extensions.filters.http.composite.v3.ExecuteFilterAction",
            typed_config={
                "name": "lua",
                "typed_config": typed(
                    "envoy.extensions.filters.http.lua.v3.Lua", default_source_code={"inline_string": _CODE}
                ),
            },
        ),
    }
}

grpc_code = HttpFilter(
    name="grpc_code",
    type="envoy.extensions.common.matching.v3.ExtensionWithMatcher",
    faces=frozenset({Face.EDGE}),
    config={
        "extension_config": {
            "name": "composite",
            "typed_config": typed("envoy.extensions.filters.http.composite.v3.Composite"),
        },
        "xds_matcher": {"matcher_list": {"matchers": [{"predicate": {"not_matcher": _IS_GRPC}, "on_match": _NOTE}]}},
    },
)
