import asyncio
import tempfile
from datetime import timedelta

import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import RequestReceived

from protomesh.model import UnixAddress
from protomesh.supervisor.probe import wait_serving


async def test_the_authority_of_a_probe_is_a_name() -> None:
    """C-core's own would be the socket's path, which ends servers that make a URL of it."""
    seen: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = H2Connection(H2Configuration(client_side=False))
        connection.initiate_connection()
        while not seen:
            writer.write(connection.data_to_send())
            for event in connection.receive_data(await reader.read(4096)):
                if isinstance(event, RequestReceived):
                    seen.extend(value.decode() for name, value in event.headers if name == b":authority")
        writer.close()

    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        server = await asyncio.start_unix_server(serve, f"{folder}/worker")
        async with server:
            with pytest.raises(TimeoutError, match="UNAVAILABLE"):
                await wait_serving(UnixAddress(path=f"{folder}/worker"), timedelta(seconds=0.1))

    assert seen[0] == "mesh"
