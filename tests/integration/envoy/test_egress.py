import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest

from tests.integration.envoy.lab import SERVICE, Lab, failure, lab_topology, method, running_lab

pytestmark = pytest.mark.asyncio(loop_scope="module")

OTHER = "lab.v1.OtherService"
AUTHORITY = [("grpc.default_authority", "lab")]


async def test_a_service_reaches_what_its_calls_name_and_is_named_itself(lab: Lab) -> None:
    """Whatever a service says about who it is, the callee is told the truth; all else it sends arrives."""
    metadata = [("x-protomesh-caller", "evil"), ("x-protomesh-subject", "alice"), ("x-request-id", "r-1")]
    async with lab.channel(f"unix:{lab.layout.egress_socket('caller')}") as call:
        assert (await call("GetItem", metadata=metadata, id="7")).id == "7"
    seen = lab.backend.metadata
    assert (seen["x-protomesh-caller"], seen["x-protomesh-subject"], seen["x-request-id"]) == ("caller", "alice", "r-1")


CLAIMED = [
    [],
    [("x-protomesh-caller", "orders")],
    [("x-protomesh-caller", "orders"), ("x-protomesh-caller", "payments")],
    [("x-protomesh-caller", "caller"), ("x-protomesh-caller", "orders"), ("x-protomesh-caller", "")],
    [("x-protomesh-caller", "orders,caller")],
]


@pytest.mark.parametrize("claimed", CLAIMED)
async def test_a_callee_hears_one_caller_whatever_is_claimed(
    lab: Lab, http: httpx.AsyncClient, http2: httpx.AsyncClient, claimed: list[tuple[str, str]]
) -> None:
    """From an egress the service whose it is, from the operator the operator, from outside nobody; never twice."""

    def callers() -> list[str]:
        return [value for key, value in lab.backend.pairs if key == "x-protomesh-caller"]

    for address, truth in (
        (f"unix:{lab.layout.egress_socket('caller')}", ["caller"]),
        (f"unix:{lab.layout.operator_socket}", ["operator"]),
        ("", []),
    ):
        async with lab.channel(address) as call:
            await call("GetItem", metadata=claimed, id="7")
            assert callers() == truth
    shouted = [(key.upper(), value) for key, value in claimed]  # HTTP/1.1 has no lower case of its own
    for client, headers in ((http, shouted), (http2, claimed)):
        assert (await client.get("/v1/items/7", headers=headers)).status_code == 200
        assert callers() == []
    by_web = [("content-type", "application/grpc-web+proto"), *claimed]
    answer = await http.post(f"/{SERVICE}/GetItem", content=b"\0\0\0\0\0", headers=by_web)
    assert answer.status_code == 200
    assert callers() == []


@pytest.mark.parametrize("name", ["AdminItem", "MyItem", "WatchItems"])
async def test_calls_that_name_methods_name_all_that_there_is(lab: Lab, name: str) -> None:
    """The others of the same service are refused, streams and those of the edge too, whoever one claims to be."""
    before = lab.backend.calls.total()
    async with lab.channel(f"unix:{lab.layout.egress_socket('caller')}") as call:
        for claimed in ([], [("x-protomesh-caller", "operator")]):
            refused = call(name, metadata=claimed)
            error = await failure(refused.read() if name == "WatchItems" else refused)
            assert error.code().name == "PERMISSION_DENIED"
            assert f"add lab/{name} to `calls` of caller in mesh.yaml" in (error.details() or "")
    assert lab.backend.calls.total() == before


async def test_a_call_that_is_not_in_calls_is_refused_with_what_to_write(lab: Lab) -> None:
    """The message names the caller, the method and the place; the callee does not hear of it."""
    before = lab.backend.calls.total()
    async with lab.channel(f"unix:{lab.layout.egress_socket('caller')}") as call:
        error = await failure(call("AdminItem"))
    assert error.code().name == "PERMISSION_DENIED"
    assert error.details() == (
        f"caller may not call {SERVICE}/AdminItem: add lab/AdminItem to `calls` of caller in mesh.yaml"
    )
    assert lab.backend.calls.total() == before


async def test_what_to_write_says_which_of_several_rpc_services_is_meant() -> None:
    """A method's name alone may be that of two."""
    topology = lab_topology()
    served = topology.services["lab"].serves[0]
    other = replace(served, full_name=OTHER, methods=(method("GetItem", full_name=f"{OTHER}/GetItem"),))
    services = {**topology.services, "lab": replace(topology.services["lab"], serves=(served, other))}
    async with (
        running_lab(services=services) as lab,
        grpc.aio.insecure_channel(f"unix:{lab.layout.egress_socket('caller')}", options=AUTHORITY) as channel,
    ):
        start: Any = channel.unary_unary(f"/{OTHER}/GetItem")
        error = await failure(start(b""))
    assert error.details() == (
        f"caller may not call {OTHER}/GetItem: add lab/OtherService.GetItem to `calls` of caller in mesh.yaml"
    )


async def test_the_operator_reaches_everything(lab: Lab) -> None:
    """INTERNAL and USER methods too, named as the operator."""
    async with lab.channel(f"unix:{lab.layout.operator_socket}") as call:
        for name in ("AdminItem", "MyItem", "GetItem"):
            assert (await call(name, metadata=[("x-protomesh-caller", "caller")], id=name)).id == name
            assert lab.backend.metadata["x-protomesh-caller"] == "operator"


async def test_only_its_owner_may_use_a_socket(lab: Lab) -> None:
    """Egress, operator and Envoy's administration are files that nobody else can open."""
    sockets = [lab.layout.egress_socket("caller"), lab.layout.operator_socket, lab.layout.envoy_admin_socket]
    for path in sockets:
        assert stat.S_IMODE(Path(path).stat().st_mode) == 0o600
