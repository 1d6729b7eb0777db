"""Calls that go on while something happens, with every failure counted."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc

_PACKAGE = "echo.v1.EchoService"


class Load:
    """Unary calls, slow ones and streams, without a retry of the client's own."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.outcomes: Counter[str] = Counter()
        self._channel = channel
        self._stopping = False

    @property
    def failures(self) -> dict[str, int]:
        """What went wrong, and how often."""
        return {outcome: count for outcome, count in self.outcomes.items() if outcome != "OK"}

    async def unary(self, request: bytes) -> None:
        """Calls Say again and again."""
        call: Any = self._channel.unary_unary(f"/{_PACKAGE}/Say")
        while not self._stopping:
            await self._count(call(request, timeout=10))

    async def stream(self, request: bytes, messages: int) -> None:
        """Reads Repeat again and again; each must be whole."""
        call: Any = self._channel.unary_stream(f"/{_PACKAGE}/Repeat")

        async def read() -> None:
            received = 0
            async for _ in call(request, timeout=10):
                received += 1
            if received != messages:
                self.outcomes[f"{received} of {messages} messages"] += 1

        while not self._stopping:
            await self._count(read())

    async def _count(self, call: Any) -> None:
        try:
            await call
        except grpc.aio.AioRpcError as error:
            self.outcomes[f"{error.code().name}: {error.details()}"] += 1
            await asyncio.sleep(0.01)
        else:
            self.outcomes["OK"] += 1

    def stop(self) -> None:
        """No new call is begun."""
        self._stopping = True


# SayRequest{text: "x"}, {text: "x", delay_ms: 200}, RepeatRequest{text: "x", times: 5, delay_ms: 50}: this process has
# no stubs of a project that is made in the test.
SAY = b"\x0a\x01x"
SAY_SLOWLY = b"\x0a\x01x\x10\xc8\x01"
REPEAT_5 = b"\x0a\x01x\x10\x05\x18\x32"


@asynccontextmanager
async def under_load(gateway: str, *, unary: int = 4, slow: int = 4, streams: int = 4) -> AsyncIterator[Load]:
    """Keeps that many calls of each kind open in the block; all have ended after it."""
    async with grpc.aio.insecure_channel(gateway) as channel:
        load = Load(channel)
        tasks = [
            *(asyncio.create_task(load.unary(SAY)) for _ in range(unary)),
            *(asyncio.create_task(load.unary(SAY_SLOWLY)) for _ in range(slow)),
            *(asyncio.create_task(load.stream(REPEAT_5, 5)) for _ in range(streams)),
        ]
        try:
            async with asyncio.timeout(20):
                while load.outcomes["OK"] < 50:
                    await asyncio.sleep(0.01)
            yield load
        finally:
            load.stop()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(15):
                    await asyncio.gather(*tasks)
