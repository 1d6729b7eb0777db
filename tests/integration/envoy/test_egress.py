import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
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
