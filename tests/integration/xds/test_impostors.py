"""Workers that are not who they should be, before a real Envoy: over TCP, as over unix sockets."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

from protomesh.contract import compile_project
from protomesh.control.identities import Identities
from protomesh.model import Endpoint, parse_address
from protomesh.proxy import Schemas
from protomesh.runtime.identity import IdentityFiles
from protomesh.runtime.server import Server
from tests.integration.xds.edge import PROTO
from tests.integration.xds.healthy import wait_healthy
from tests.integration.xds.plane import plane

MESH = """\
name: office
mtls: true
services:
  desk: {run: "desk.app:app", serves: [desk.v1.DeskService]}
  thief: {run: "thief.app:app"}
"""


async def test_envoy_takes_for_a_service_only_who_shows_its_identity(run_directory: Path, schemas: Schemas) -> None:
    """Neither another service's worker nor one without TLS; the right one on TCP as on a unix socket."""
    (run_directory / "protos/desk/v1").mkdir(parents=True)
    (run_directory / "protos/desk/v1/desk.proto").write_text(PROTO)
    (run_directory / "mesh.yaml").write_text(MESH)
    topology = compile_project(run_directory, variables={}).topology
    async with plane(run_directory, schemas) as control, AsyncExitStack() as stack:
        layout, controller = control.layout, control.controller
        Path(layout.logs).mkdir(parents=True)
        await controller.set_secrets(Identities(layout).issue(topology))
        await controller.apply(topology)
        envoy = await stack.enter_async_context(control.envoy(topology))

        async def worker(identity: str | None, listen: str) -> Endpoint:
            files = (
                IdentityFiles(Path(layout.identity_file(identity)), Path(layout.authorities_file)) if identity else None
            )
            server = Server([])
            address = server.listen(listen, files.server_credentials() if files else None)
            await server.start()
            stack.push_async_callback(server.drain)
            return Endpoint(address=parse_address(address))

        impostors = [await worker("thief", "127.0.0.1:0"), await worker("thief", f"unix:{run_directory}/t.sock")]
        await controller.set_endpoints("desk", [*impostors, await worker(None, "127.0.0.1:0")])
        counted = r"^cluster\.desk\.(ssl\.(fail_verify_san|connection_error)|health_check\.success)$"
        async with asyncio.timeout(20):
            while True:
                found = await envoy.statistics.counters(counted)
                turned_away = Counter({name.rpartition(".")[2]: count for name, count in found.items()})
                if turned_away["fail_verify_san"] >= len(impostors) and turned_away["connection_error"] >= 1:
                    break
                await asyncio.sleep(0.02)
        assert turned_away["success"] == 0
        await wait_healthy(envoy, "desk", 0)

        right = [await worker("desk", "127.0.0.1:0"), await worker("desk", f"unix:{run_directory}/d.sock")]
        await controller.set_endpoints("desk", [*impostors, *right])
        await wait_healthy(envoy, "desk", len(right))
        await controller.set_endpoints("thief", impostors)
        await wait_healthy(envoy, "thief", len(impostors))
