"""What it costs to wrap a handler: the CPU of a server process for each call, wrapped against bare grpc.aio.

    python tests/load/handler_wrapping.py [ROUNDS]

One process serves the same servicer twice: bare, as generated code registers it with grpc.aio, and wrapped. This one
calls both in turns, in short runs, so that whatever else the machine does hits both alike; the figure is the median
over the rounds. The calls carry what Envoy sends: a deadline, a request id, a trace, a user. To stay below: 5 %.

    deadline    the caller sends the contract's own deadline
    capped      the caller sends a longer one, so that the contract's is kept by a timer
    rules       the request has rules; the bare servicer has them checked as well, by hand
"""

import asyncio
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import protovalidate
from grpc import aio

from protomesh.contract.generate import generate_python, python_directory
from protomesh.runtime.server import Server

CONTRACTS = Path(__file__).parents[1] / "unit" / "runtime" / "protos"
CALLS = 200  # in a row
METADATA = (
    ("x-request-id", "0a1b2c3d-0a1b-0a1b-0a1b-0a1b2c3d4e5f"),
    ("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    ("x-protomesh-caller", "orders"),
    ("x-protomesh-subject", "alice"),
)


async def serve(directory: str) -> None:
    """The server process: ends with its standard input."""
    from probe.v1 import AnswerResponse, HurryResponse, LeafServiceServicer
    from probe.v1.leaf_service_pb2_grpc import add_LeafServiceServicer_to_server

    validator = protovalidate.Validator()

    class Leaf(LeafServiceServicer):  # type: ignore[misc] # mypy doesn't see the contract
        async def Answer(self, request: Any, _context: Any, /) -> Any:
            return AnswerResponse(text=request.text)

        async def Hurry(self, request: Any, _context: Any, /) -> Any:
            return HurryResponse(text=request.text)

        async def Watch(self, _request: Any, _context: Any, /) -> Any:
            yield

        Export = Chat = Watch

        async def Import(self, _request: Any, _context: Any, /) -> Any: ...

    class BareLeaf(Leaf):
        async def Answer(self, request: Any, context: Any, /) -> Any:
            if violations := validator.collect_violations(request):
                await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(violations))
            return await super().Answer(request, context)

    bare = aio.server(options=[("grpc.so_reuseport", 0)])
    add_LeafServiceServicer_to_server(BareLeaf(), bare)

    async def cpu(_request: bytes, _context: Any) -> bytes:
        return str(time.process_time()).encode()

    meter: dict[str, Any] = {"Cpu": grpc.unary_unary_rpc_method_handler(cpu)}
    bare.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("Meter", meter),))
    bare.add_insecure_port(f"unix:{directory}/bare")
    await bare.start()
    wrapped = Server([Leaf()])
    wrapped.listen(f"unix:{directory}/wrapped")
    await wrapped.start()
    print("serving", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await wrapped.drain()
    await bare.stop(None)


async def measure(directory: str, rounds: int) -> None:
    """Calls both in turns, and prints what each costs."""
    from probe.v1 import AnswerRequest, HurryRequest, LeafServiceStub

    async with (
        aio.insecure_channel(f"unix:{directory}/bare") as bare,
        aio.insecure_channel(f"unix:{directory}/wrapped") as wrapped,
    ):
        meter: Any = bare.unary_unary("/Meter/Cpu")
        stubs = {"bare": LeafServiceStub(bare), "wrapped": LeafServiceStub(wrapped)}
        cases: dict[str, Callable[[Any], Any]] = {
            "deadline": lambda stub: stub.Hurry(HurryRequest(text="a"), timeout=0.1, metadata=METADATA),
            "capped": lambda stub: stub.Hurry(HurryRequest(text="a"), timeout=60, metadata=METADATA),
            "rules": lambda stub: stub.Answer(AnswerRequest(text="a"), timeout=2, metadata=METADATA),
        }
        for case, call in cases.items():
            spent: dict[str, list[float]] = {name: [] for name in stubs}
            for number in range(rounds + 2):
                for name in sorted(stubs, reverse=bool(number % 2)):
                    before = float(await meter(b""))
                    for _ in range(CALLS):
                        await call(stubs[name])
                    if number > 1:  # the first rounds warm up
                        spent[name].append((float(await meter(b"")) - before) / CALLS * 1e6)
            ratios = [wrapped / bare for bare, wrapped in zip(spent["bare"], spent["wrapped"], strict=True)]
            medians = {name: statistics.median(values) for name, values in spent.items()}
            print(
                f"{case:14} bare {medians['bare']:.1f} us, wrapped {medians['wrapped']:.1f} us, "
                f"ratio {statistics.median(ratios):.3f}"
            )


async def main() -> None:
    """Generates the contract, starts the server, measures."""
    if len(sys.argv) > 1 and sys.argv[1].startswith("/"):
        sys.path.insert(0, str(python_directory(Path(sys.argv[1]))))
        await serve(sys.argv[1])
        return
    with tempfile.TemporaryDirectory(prefix="pm-") as directory:
        shutil.copytree(CONTRACTS, Path(directory) / "protos")
        generate_python(Path(directory))
        sys.path.insert(0, str(python_directory(Path(directory))))
        pipe = asyncio.subprocess.PIPE
        server = await asyncio.create_subprocess_exec(sys.executable, __file__, directory, stdin=pipe, stdout=pipe)
        assert server.stdout is not None
        await server.stdout.readline()
        try:
            await measure(directory, int(sys.argv[1]) if len(sys.argv) > 1 else 20)
        finally:
            await server.communicate(b"")  # closes its input


if __name__ == "__main__":
    asyncio.run(main())
