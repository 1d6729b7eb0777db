import sys

import pytest

from protomesh.runtime import launch
from protomesh.runtime.events import broker_url
from protomesh.runtime.events.broker_url import BrokerUrl, NoBroker
from protomesh.runtime.launch import Launch, NotLaunched


def test_a_url_has_servers_and_whose_account_it_is() -> None:
    """Which is never part of its text: that is for logs."""
    url = BrokerUrl.read("nats://mesh:p%40ss@one:4222, nats://mesh:p%40ss@two:4223")
    assert (url.servers, url.user, url.password, url.token) == (
        ["nats://one:4222", "nats://two:4223"],
        "mesh",
        "p@ss",
        None,
    )
    assert str(url) == "nats://one:4222,nats://two:4223"
    assert "p@ss" not in repr(url)


def test_a_url_may_have_a_token_or_nothing() -> None:
    """As NATS writes it: what stands alone before the host."""
    assert BrokerUrl.read("tls://s3cret@host").token == "s3cret"
    assert "s3cret" not in f"{BrokerUrl.read('tls://s3cret@host')!r}"
    assert (BrokerUrl.read("nats://[::1]:4222").user, BrokerUrl.read("nats://[::1]:4222").token) == (None, None)


@pytest.mark.parametrize(
    "text", ["", "host:4222", "redis://u:s3cret@host", "nats://u:s3cret@host:port", "nats://u:s3cret@", "nats://h/db"]
)
def test_what_is_no_url_of_nats_is_refused_without_its_secret(text: str) -> None:
    """The text says how one is written."""
    with pytest.raises(NoBroker, match="nats://host:4222") as refused:
        BrokerUrl.read(text)
    assert "s3cret" not in str(refused.value)


def test_servers_of_one_broker_have_one_account() -> None:
    """Two are a mistake, and which one was meant is not guessed."""
    with pytest.raises(NoBroker, match="different users"):
        BrokerUrl.read("nats://a:b@one,nats://c:d@two")


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With what to do about it."""
    monkeypatch.setattr(broker_url, "find_spec", lambda _name: None)
    with pytest.raises(NoBroker, match=r"pip install 'protomesh\[nats\]'"):
        BrokerUrl.read("nats://host")


def test_a_worker_reads_what_it_was_told() -> None:
    """The broker, and who publishes what it wants; neither without a broker."""
    told = launch.environment(
        "mail",
        "unix:/l",
        "unix:/e",
        "/data",
        log="json",
        publishers={"orders.v1.Placed": ["orders", "shop"]},
        events_url="nats://mesh:s3cret@host",
        events_prefix="shop",
    )
    read = Launch.read(told)
    assert (read.events_url, read.events_prefix) == ("nats://mesh:s3cret@host", "shop")
    assert read.publishers == {"orders.v1.Placed": ("orders", "shop")}
    assert "PROTOMESH_PUBLISHERS" not in launch.environment(
        "mail", "unix:/l", "unix:/e", "/data", log="json", publishers={"orders.v1.Placed": ["orders"]}
    )
    with pytest.raises(NotLaunched, match="PROTOMESH_EVENTS_PREFIX is not"):
        Launch.read({**told, "PROTOMESH_EVENTS_PREFIX": ""})


def test_who_uses_no_broker_does_not_load_its_client() -> None:
    """A worker's memory is not spent on what mesh.yaml does not ask for."""
    import subprocess

    code = "import sys, protomesh.runtime.events, protomesh.runtime.eventful; print('nats' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
