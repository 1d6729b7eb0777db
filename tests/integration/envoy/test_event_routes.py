import tempfile
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from typing import Any

import grpc
import pytest
from grpc import aio

from protomesh.events.v1.event_consumer_service_pb2 import DeliverResponse, Event, Result
from protomesh.events.v1.event_consumer_service_pb2_grpc import (
    EventConsumerServiceServicer,
    EventConsumerServiceStub,
    add_EventConsumerServiceServicer_to_server,
)
from protomesh.model import External, Service, UnixAddress
from protomesh.runtime.client import MeshChannel
from protomesh.runtime.events.transport import MeshTransport, Undelivered
from tests.integration.envoy.lab import Lab, lab_topology, origin, running_lab

TOLD = ("bell", "mail")


class Consumer(EventConsumerServiceServicer):
    """Remembers who told it of what, and answers that it is applied."""

    def __init__(self) -> None:
        self.told: list[tuple[Any, ...]] = []

    async def Deliver(self, request: Any, context: Any) -> DeliverResponse:
        metadata = dict(context.invocation_metadata())
        self.told.append((metadata["x-protomesh-caller"], *(event.event_id for event in request.events)))
        return DeliverResponse(results=[Result(outcome=Result.OUTCOME_APPLIED)] * len(request.events))


@asynccontextmanager
async def running_mesh() -> AsyncIterator[tuple[Lab, dict[str, Consumer]]]:
    """The lab, with two services that subscribe to what `caller` publishes, and one that subscribes to nothing."""
    async with AsyncExitStack() as stack:
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="pm"))
        services = dict(lab_topology().services)
        services["caller"] = replace(services["caller"], subscribers={"lab.v1.Rung": TOLD, "lab.v1.Lost": ()})
        consumers: dict[str, Consumer] = {}
        for name in (*TOLD, "deaf"):
            path = f"{directory}/{name}.sock"
            consumers[name] = Consumer()
            server = aio.server()
            add_EventConsumerServiceServicer_to_server(consumers[name], server)
            server.add_insecure_port(f"unix:{path}")
            await server.start()
            stack.push_async_callback(server.stop, 0)
            services[name] = Service(
                name=name, runs=External(address=UnixAddress(path)), serves=(), origin=origin(9, "mesh.yaml")
            )
        yield await stack.enter_async_context(running_lab(services=dict(sorted(services.items())))), consumers


def transport(channel: aio.Channel) -> MeshTransport:
    """What a relay has."""
    return MeshTransport(MeshChannel(lambda _service: channel).stub(EventConsumerServiceStub))


async def test_events_reach_their_subscribers_and_nobody_else() -> None:
    """The relay says which one it means; a service that subscribes to nothing of it can't be meant."""
    async with running_mesh() as (lab, consumers):
        async with aio.insecure_channel(f"unix:{lab.layout.egress_socket('caller')}") as channel:
            for name in TOLD:
                results = await transport(channel).deliver(name, [Event(event_id=f"for {name}"), Event(event_id="2")])
                assert [result.outcome for result in results] == [Result.OUTCOME_APPLIED] * 2
            for name in ("deaf", "lab", "nobody"):
                with pytest.raises(Undelivered) as refused:
                    await transport(channel).deliver(name, [Event()])
                assert refused.value.code == "PERMISSION_DENIED"
                assert refused.value.details == (
                    f"{name} is no service that subscribes to an event of caller: "
                    "add the event to its `subscribes` in mesh.yaml"
                )
        assert consumers["bell"].told == [("caller", "for bell", "2")]
        assert consumers["mail"].told == [("caller", "for mail", "2")]
        assert consumers["deaf"].told == []


async def test_only_a_publisher_has_a_way_to_subscribers() -> None:
    """Other services don't, and the edge doesn't, whatever header comes with the call."""
    async with running_mesh() as (lab, consumers):
        for address in (f"unix:{lab.layout.egress_socket('lab')}", lab.address):
            async with aio.insecure_channel(address) as channel:
                with pytest.raises(Undelivered) as refused:
                    await transport(channel).deliver("bell", [Event()])
                assert refused.value.code == grpc.StatusCode.UNIMPLEMENTED.name
        assert consumers["bell"].told == []
