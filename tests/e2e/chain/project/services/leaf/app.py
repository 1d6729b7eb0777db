"""Keeps a record of what it is asked, and fails or waits as the call wants it."""

import asyncio
import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import grpc
from chain.leaf.v1 import (
    GetRequest,
    GetResponse,
    LeafServiceServicer,
    PutRequest,
    PutResponse,
    SettleRequest,
    SettleResponse,
    WatchRequest,
    WatchResponse,
)
from chain.v1 import Hop, Knobs

from protomesh.runtime import App, Context, Mesh, StatusError, detached
from services.hop import arrive
from services.leaf.record import Record


class Leaf(LeafServiceServicer):
    """Keeps a record of what it is asked."""

    def __init__(self, record: Record) -> None:
        self.record = record

    async def Get(self, request: GetRequest, context: Context, /) -> GetResponse:
        return GetResponse(hops=[await self._work(request.knobs, context)])

    async def Put(self, request: PutRequest, context: Context, /) -> PutResponse:
        return PutResponse(hops=[await self._work(request.knobs, context)])

    async def Settle(self, request: SettleRequest, context: Context, /) -> SettleResponse:
        async with detached(timeout=timedelta(seconds=60)):
            await self._work(request.knobs, context)
        return SettleResponse()

    async def Watch(self, request: WatchRequest, context: Context, /) -> AsyncIterator[WatchResponse]:
        yield WatchResponse(resume_token=str(int(request.resume_token or 0) + 1))
        await asyncio.Event().wait()

    async def _work(self, knobs: Knobs, context: Context) -> Hop:
        if self.record.add(knobs.key, "began") <= knobs.fail_times:
            raise StatusError(grpc.StatusCode.UNAVAILABLE, "not yet")
        try:
            hop = await arrive("leaf", knobs, context)
            await self.record.released(knobs.hold)
        except asyncio.CancelledError:
            self.record.add(knobs.key, "cancelled")
            raise
        self.record.add(knobs.key, "finished")
        return hop


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Runs while one worker serves."""
    yield App(Leaf(Record(Path(os.environ["PROTOMESH_DATA"]))))
