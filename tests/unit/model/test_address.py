"""Addresses as users write them."""

import pytest

from protomesh.model import TcpAddress, UnixAddress, parse_address


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("127.0.0.1:8080", TcpAddress("127.0.0.1", 8080)),
        ("localhost:0", TcpAddress("localhost", 0)),
        ("[::1]:443", TcpAddress("::1", 443)),
        ("unix:/run/x.sock", UnixAddress("/run/x.sock")),
    ],
)
def test_an_address_is_read_and_written_back_alike(text: str, expected: TcpAddress | UnixAddress) -> None:
    """Reading and writing are each other's inverse, so a message shows what the user wrote."""
    assert parse_address(text) == expected
    assert str(expected) == text


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("8080", "not host:port"),
        (":8080", "not host:port"),
        ("host:http", "'http' is not a port"),
        ("host:65536", "'65536' is not a port"),
        ("host:-1", "'-1' is not a port"),
        ("::1:443", "needs brackets"),
        ("unix:run/x.sock", "needs an absolute path"),
    ],
)
def test_what_is_no_address_says_why(text: str, reason: str) -> None:
    """The reason can be shown to the user as it is."""
    with pytest.raises(ValueError, match=reason):
        parse_address(text)
