"""Generated from the contracts of shop.recommendations.v1. DO NOT EDIT."""

import abc as _abc
import builtins as _builtins
import grpc.aio as _grpc_aio
import protomesh.runtime.context as _protomesh_runtime_context
import shop.recommendations.v1.recommendations_service_pb2 as _shop_recommendations_v1_recommendations__service__pb2
from shop.recommendations.v1.recommendations_pb2 import Recommendation as Recommendation
from shop.recommendations.v1.recommendations_service_pb2 import ListRecommendationsRequest as ListRecommendationsRequest
from shop.recommendations.v1.recommendations_service_pb2 import ListRecommendationsResponse as ListRecommendationsResponse

__all__ = [
    "ListRecommendationsRequest",
    "ListRecommendationsResponse",
    "Recommendation",
    "RecommendationsServiceServicer",
    "RecommendationsServiceStub",
]

class RecommendationsServiceStub:
    """Knows what goes with what, from what was ordered together. It names products by their ids and knows nothing else
    about them: whether one is still sold is the catalog's to say.
    """
    def __init__(self, channel: _grpc_aio.Channel) -> None: ...
    ListRecommendations: _grpc_aio.UnaryUnaryMultiCallable[_shop_recommendations_v1_recommendations__service__pb2.ListRecommendationsRequest, _shop_recommendations_v1_recommendations__service__pb2.ListRecommendationsResponse]
    """Lists what goes with a product, best first, a page at a time: what was ordered together with it, then what sells;
    each entry says which it is. A product that nobody has heard of goes with what sells. Orders that come meanwhile
    may move entries from one page to another. Returns INVALID_ARGUMENT if the page token is not one of this method's
    for the same product.
    """

class RecommendationsServiceServicer(_abc.ABC):
    """Knows what goes with what, from what was ordered together. It names products by their ids and knows nothing else
    about them: whether one is still sold is the catalog's to say.
    """
    @_abc.abstractmethod
    async def ListRecommendations(self, request: _shop_recommendations_v1_recommendations__service__pb2.ListRecommendationsRequest, context: _protomesh_runtime_context.Context, /) -> _shop_recommendations_v1_recommendations__service__pb2.ListRecommendationsResponse:
        """Lists what goes with a product, best first, a page at a time: what was ordered together with it, then what sells;
        each entry says which it is. A product that nobody has heard of goes with what sells. Orders that come meanwhile
        may move entries from one page to another. Returns INVALID_ARGUMENT if the page token is not one of this method's
        for the same product.
        """
