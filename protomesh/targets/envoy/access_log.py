"""One line of JSON for each call."""

from protomesh.targets.envoy.names import Body, typed

__all__ = ["access_log"]

# What the filter grpc_code has noted comes first. A REST call that never became one of a method has none.
_GRPC_CODE = (
    '%COALESCE({"operators": [{"command": "DYNAMIC_METADATA", "param": "protomesh:grpc_code"}, "GRPC_STATUS"]})%'
)

_FORMAT: Body = {
    "time": "%START_TIME%",
    "listener": "%FILTER_CHAIN_NAME%",
    "method": "%ROUTE_NAME%",  # shop.catalog.v1.CatalogService/GetProduct
    "path": "%REQ_WITHOUT_QUERY(X-ENVOY-ORIGINAL-PATH?:PATH)%",  # a query may hold what nobody should log
    "protocol": "%DYNAMIC_METADATA(protomesh:protocol)%",  # grpc, grpc-web, or the content type of a REST call
    "http": "%PROTOCOL%",
    "code": "%RESPONSE_CODE%",
    "grpc_code": _GRPC_CODE,
    "caller": "%DYNAMIC_METADATA(protomesh:caller)%",
    "client": "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "trace_id": "%DYNAMIC_METADATA(protomesh:trace_id)%",
    "duration_ms": "%DURATION%",
    "flags": "%RESPONSE_FLAGS%",
    "details": "%RESPONSE_CODE_DETAILS%",
    "upstream": "%UPSTREAM_HOST%",
    "attempts": "%UPSTREAM_REQUEST_ATTEMPT_COUNT%",
}


def access_log(path: str) -> Body:
    """The access log of a listener, appended to the file at `path`.

    https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
    """
    return {
        "name": "envoy.access_loggers.file",
        "typed_config": typed(
            "envoy.extensions.access_loggers.file.v3.FileAccessLog",
            path=path,
            log_format={
                "json_format": _FORMAT,
                "formatters": [
                    {
                        "name": "envoy.formatter.req_without_query",
                        "typed_config": typed("envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery"),
                    }
                ],
            },
        ),
    }
