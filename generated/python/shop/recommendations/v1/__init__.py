"""Generated from the contracts of shop.recommendations.v1. DO NOT EDIT."""

from protomesh.runtime.facade import load

_NAMES = {
    "ListRecommendationsRequest": "shop.recommendations.v1.recommendations_service_pb2",
    "ListRecommendationsResponse": "shop.recommendations.v1.recommendations_service_pb2",
    "Recommendation": "shop.recommendations.v1.recommendations_pb2",
    "RecommendationsServiceServicer": "shop.recommendations.v1.recommendations_service_pb2_grpc",
    "RecommendationsServiceStub": "shop.recommendations.v1.recommendations_service_pb2_grpc",
}
_ERRORS = {}

__all__ = [
    "ListRecommendationsRequest",
    "ListRecommendationsResponse",
    "Recommendation",
    "RecommendationsServiceServicer",
    "RecommendationsServiceStub",
]


def __getattr__(name):
    return load(globals(), name, _NAMES, _ERRORS)


def __dir__():
    return __all__
