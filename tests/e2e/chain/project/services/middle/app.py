"""Passes on what it is asked to the leaf."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import chain.leaf.v1 as leaf
from chain.middle.v1 import GetRequest, GetResponse, MiddleServiceServicer, PutRequest, PutResponse

from protomesh.runtime import App, Context, Mesh
from services.hop import arrive


class Middle(MiddleServiceServicer):
    """Passes on what it is asked to the leaf."""

    def __init__(self, leaf_service: leaf.LeafServiceStub) -> None:
        self.leaf = leaf_service

    async def Get(self, request: GetRequest, context: Context, /) -> GetResponse:
        hop = await arrive("middle", request.knobs, context)
        answer = await self.leaf.Get(leaf.GetRequest(knobs=request.knobs))
        return GetResponse(hops=[hop, *answer.hops])

    async def Put(self, request: PutRequest, context: Context, /) -> PutResponse:
        hop = await arrive("middle", request.knobs, context)
        answer = await self.leaf.Put(leaf.PutRequest(knobs=request.knobs))
        return PutResponse(hops=[hop, *answer.hops])


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Runs while one worker serves."""
    yield App(Middle(mesh.client(leaf.LeafServiceStub)))
