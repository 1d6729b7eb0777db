import os
import socket
from collections.abc import Iterator

import pytest

from protomesh.control.ports import PortTaken, check_ports
from protomesh.model import Gateway, Origin, TcpAddress


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that this process listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def gateway(port: int, host: str = "127.0.0.1") -> Gateway:
    """A gateway as mesh.yaml declares one."""
    return Gateway(name="edge", listen=TcpAddress(host, port), origin=Origin(file="mesh.yaml", line=3, column=5))


def test_a_taken_port_names_its_holder_and_the_key_to_change(taken: int) -> None:
    """One's own processes can be seen; this test is the holder."""
    with pytest.raises(PortTaken) as caught:
        check_ports((gateway(taken),))

    assert f"127.0.0.1:{taken} is taken by " in str(caught.value)
    assert f"(PID {os.getpid()})" in str(caught.value)
    assert "change `listen` at mesh.yaml:3:5" in str(caught.value)


def test_a_free_port_stays_free() -> None:
    """The look itself takes nothing: the port can be had right after."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        free = probe.getsockname()[1]

    check_ports((gateway(free),))
    check_ports((gateway(free),))

    with socket.create_server(("127.0.0.1", free)):
        pass


def test_every_gateway_that_cannot_listen_is_named(taken: int) -> None:
    """An address that this machine does not have is one of them."""
    with pytest.raises(PortTaken) as caught:
        check_ports((gateway(taken), gateway(taken, "192.0.2.1")))

    first, second = str(caught.value).splitlines()
    assert first.startswith(f"127.0.0.1:{taken} is taken")
    assert second.startswith(f"192.0.2.1:{taken} can't be listened on")
