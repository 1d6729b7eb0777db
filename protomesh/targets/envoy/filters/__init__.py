"""Envoy's HTTP filters: one file each, under Envoy's name, and the one list that orders them."""

from collections.abc import Iterator

from protomesh.model import Gateway, Method, Service, Topology
from protomesh.targets.envoy.configuration import Rendered
from protomesh.targets.envoy.filters.body_size_limit import body_size_limit
from protomesh.targets.envoy.filters.cors import cors
from protomesh.targets.envoy.filters.cors_local_reply import cors_local_reply
from protomesh.targets.envoy.filters.grpc_code import grpc_code
from protomesh.targets.envoy.filters.grpc_json_transcoder import grpc_json_transcoder, grpc_json_transcoder_sse
from protomesh.targets.envoy.filters.grpc_stats import grpc_stats
from protomesh.targets.envoy.filters.grpc_timeout import grpc_timeout
from protomesh.targets.envoy.filters.grpc_web import grpc_web
from protomesh.targets.envoy.filters.header_mutation import header_mutation
from protomesh.targets.envoy.filters.header_to_metadata import called_method, header_to_metadata
from protomesh.targets.envoy.filters.health_check import health_check
from protomesh.targets.envoy.filters.http_filter import Face, HttpFilter
from protomesh.targets.envoy.filters.jwt_authn import jwt_authn
from protomesh.targets.envoy.filters.local_ratelimit import local_ratelimit
from protomesh.targets.envoy.filters.rbac import rbac
from protomesh.targets.envoy.filters.rest_body_size_limit import rest_body_size_limit
from protomesh.targets.envoy.filters.rest_stream_type import rest_stream_type
from protomesh.targets.envoy.filters.router import router
from protomesh.targets.envoy.filters.subject import subject, subject_header
from protomesh.targets.envoy.filters.user_token import kept_token, of_users, way_out
from protomesh.targets.envoy.names import EXTENSION, Body, typed

__all__ = ["HTTP_FILTERS", "discovered", "extensions", "http_filters", "per_gateway", "per_route"]

HTTP_FILTERS: tuple[HttpFilter, ...] = (
    header_to_metadata,  # first of all: notes what the client said before others change it
    called_method,  # the same, for refusals
    cors_local_reply,  # around cors: answers that it passes by
    cors,  # answers preflights, which carry no token; sees every answer that follows, refusals included
    grpc_web,  # browsers speak gRPC from here on
    rest_body_size_limit,  # before the transcoder, which would keep whatever comes
    rest_stream_type,  # around the transcoder: corrects what it says of a stream
    grpc_json_transcoder,  # so does curl: what follows sees one name per method
    grpc_json_transcoder_sse,  # the same for those who accept an event stream
    grpc_code,  # behind gRPC-Web and REST: notes the status that they turn into something else
    header_mutation,  # behind gRPC-Web and REST, which turn trailers into something else; sees all answers below
    health_check,  # answers /healthz, which no method and no policy is about
    kept_token,  # before jwt_authn, which takes the token away
    jwt_authn,  # who is calling
    subject,  # by which name, as several issuers may have a user of the same one
    subject_header,  # the same, for services
    rbac,  # and whether they may
    local_ratelimit,  # a refused call costs nothing below
    body_size_limit,  # the last word on the request's bytes, which are gRPC's now
    grpc_timeout,  # behind REST and gRPC-Web, whose callers may send one too
    grpc_stats,  # counts what reaches a service
    way_out,  # behind all that need to know who is calling
    router,  # must be last
)


def http_filters(face: Face) -> list[Body]:
    """The filters of a listener. Depends on nothing that a contract says."""
    return [_http_filter(item) for item in HTTP_FILTERS if face in item.faces]


def discovered(face: Face) -> list[str]:
    """The names of the filters of a listener that come by ECDS."""
    return [item.name for item in HTTP_FILTERS if face in item.faces and item.discovered]


def extensions(topology: Topology) -> Iterator[Rendered]:
    """Yields the configuration of the filters that come by ECDS."""
    for item in HTTP_FILTERS:
        if item.discovered:
            yield Rendered(
                type_url=EXTENSION,
                name=item.name,
                body={"name": item.name, "typed_config": typed(item.type, **item.discovered(topology))},
                origins=item.origins(topology) if item.origins else {},
            )


def per_route(face: Face, service: Service, method: Method, *, carries_token: bool) -> Body:
    """What the filters of a listener do differently for one method."""
    configs = {item.name: item.per_method(method) for item in HTTP_FILTERS if face in item.faces and item.per_method}
    known = {name: config for name, config in configs.items() if config is not None}
    return known | of_users(face, service, method, carries_token=carries_token)


def per_gateway(topology: Topology, gateway: Gateway) -> Body:
    """What the filters of the edge do differently for one gateway."""
    configs = {item.name: item.per_gateway(topology, gateway) for item in HTTP_FILTERS if item.per_gateway}
    return {name: config for name, config in configs.items() if config is not None}


def _http_filter(item: HttpFilter) -> Body:
    body: Body = {"name": item.name}
    if item.discovered:
        # Without a default the listener waits for the filter, and no call passes before its policy is there.
        body["config_discovery"] = {
            "config_source": {"ads": {}, "resource_api_version": "V3"},
            "type_urls": [f"type.googleapis.com/{item.type}"],
        }
    else:
        body["typed_config"] = typed(item.type, **item.config)
    if item.disabled:
        body["disabled"] = True
    return body
