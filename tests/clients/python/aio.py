"""Calls every method of ProbeService with grpc.aio, and prints what came of each."""

import asyncio
import os

import grpc
from probe.v1 import (
    CountRequest,
    EchoRequest,
    HoldRequest,
    OutOfStock,
    ProbeServiceStub,
    Sample,
    TakeRequest,
    TalkRequest,
)
from told import samples, say, say_table, say_vectors

from protomesh.runtime import DeclaredError


async def main() -> None:
    async with grpc.aio.insecure_channel(os.environ["PROBE_ADDRESS"]) as channel:
        probe = ProbeServiceStub(channel)
        authorized = (("authorization", f"Bearer {os.environ['PROBE_TOKEN']}"),)

        echo = EchoRequest(sample=Sample(text="hello"))
        call = probe.Echo(echo, metadata=(*authorized, ("x-probe", "ping")))
        text = (await call).sample.text
        trailers = dict(await call.trailing_metadata())
        say("unary", text=text, answer=trailers["x-probe-answer"], user=trailers["x-probe-user"])

        numbers = [response.number async for response in probe.Count(CountRequest(to=3), metadata=authorized)]
        say("stream", numbers=numbers)

        talk = probe.Talk(metadata=authorized)
        texts = []
        for question in ("one", "two"):  # the second goes out when the first is answered
            await talk.write(TalkRequest(text=question))
            texts.append((await talk.read()).text)
        await talk.done_writing()
        say("talk", texts=texts, ended=await talk.read() is grpc.aio.EOF)

        try:
            await probe.Hold(HoldRequest(milliseconds=5000), metadata=authorized, timeout=0.2)
        except grpc.aio.AioRpcError as late:
            say("deadline", code=late.code().value[0])
            another = isinstance(DeclaredError.from_call(late), OutOfStock)

        try:
            await probe.Take(TakeRequest(sku="tea"), metadata=authorized)
        except grpc.aio.AioRpcError as error:
            declared = DeclaredError.from_call(error)
            if isinstance(declared, OutOfStock):
                found = {"sku": declared.sku, "available": declared.available}
                say("error", code=error.code().value[0], found=True, another=another, **found)

        try:
            await probe.Echo(echo)
        except grpc.aio.AioRpcError as refused:
            say("without a token", code=refused.code().value[0])

        say_table()
        echoed = [await probe.Echo(EchoRequest(sample=sample), metadata=authorized) for sample in samples()]
        say_vectors([response.sample for response in echoed])


asyncio.run(main())
