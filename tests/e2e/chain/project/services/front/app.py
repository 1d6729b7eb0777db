"""Passes on what it is asked to the middle."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import chain.middle.v1 as middle
from chain.front.v1 import (
    FrontServiceServicer,
    GetRequest,
    GetResponse,
    GetSoonRequest,
    GetSoonResponse,
    PutRequest,
    PutResponse,
)

from protomesh.runtime import App, Context, Mesh
from services.hop import arrive


class Front(FrontServiceServicer):
    """Passes on what it is asked to the middle."""

    def __init__(self, middle_service: middle.MiddleServiceStub) -> None:
        self.middle = middle_service

    async def Get(self, request: GetRequest, context: Context, /) -> GetResponse:
        hop = await arrive("front", request.knobs, context)
        answer = await self.middle.Get(middle.GetRequest(knobs=request.knobs))
        return GetResponse(hops=[hop, *answer.hops])

    async def GetSoon(self, request: GetSoonRequest, context: Context, /) -> GetSoonResponse:
        hop = await arrive("front", request.knobs, context)
        answer = await self.middle.Get(middle.GetRequest(knobs=request.knobs))
        return GetSoonResponse(hops=[hop, *answer.hops])

    async def Put(self, request: PutRequest, context: Context, /) -> PutResponse:
        hop = await arrive("front", request.knobs, context)
        answer = await self.middle.Put(middle.PutRequest(knobs=request.knobs))
        return PutResponse(hops=[hop, *answer.hops])


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Runs while one worker serves."""
    yield App(Front(mesh.client(middle.MiddleServiceStub)))
