"""Calls every method of ProbeService with grpc, and prints what came of each."""

import os
import queue

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

channel = grpc.insecure_channel(os.environ["PROBE_ADDRESS"])
probe = ProbeServiceStub(channel)
authorized = (("authorization", f"Bearer {os.environ['PROBE_TOKEN']}"),)

echo = EchoRequest(sample=Sample(text="hello"))
response, call = probe.Echo.with_call(echo, metadata=(*authorized, ("x-probe", "ping")))
trailers = dict(call.trailing_metadata())
say("unary", text=response.sample.text, answer=trailers["x-probe-answer"], user=trailers["x-probe-user"])

numbers = [response.number for response in probe.Count(CountRequest(to=3), metadata=authorized)]
say("stream", numbers=numbers)

questions: "queue.SimpleQueue[TalkRequest | None]" = queue.SimpleQueue()
answers = probe.Talk(iter(questions.get, None), metadata=authorized)
texts = []
for question in ("one", "two"):  # the second goes out when the first is answered
    questions.put(TalkRequest(text=question))
    texts.append(next(answers).text)
questions.put(None)
say("talk", texts=texts, ended=next(answers, None) is None)

try:
    probe.Hold(HoldRequest(milliseconds=5000), metadata=authorized, timeout=0.2)
except grpc.RpcError as late:
    say("deadline", code=late.code().value[0])
    another = isinstance(DeclaredError.from_call(late), OutOfStock)

try:
    probe.Take(TakeRequest(sku="tea"), metadata=authorized)
except grpc.RpcError as error:
    declared = DeclaredError.from_call(error)
    if isinstance(declared, OutOfStock):
        found = {"sku": declared.sku, "available": declared.available}
        say("error", code=error.code().value[0], found=True, another=another, **found)

try:
    probe.Echo(echo)
except grpc.RpcError as refused:
    say("without a token", code=refused.code().value[0])

say_table()
say_vectors([probe.Echo(EchoRequest(sample=sample), metadata=authorized).sample for sample in samples()])
