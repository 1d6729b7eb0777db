from dataclasses import replace

from protomesh.model import Gateway, TcpAddress
from protomesh.targets.envoy import dump, review
from tests.integration.envoy.lab import lab_topology, origin


def test_what_is_committed_names_no_run() -> None:
    """Sockets and logs are symbolic, whoever makes it and where."""
    texts = review(lab_topology())
    assert set(texts) == {"clusters.yaml", "filters.yaml", "listeners.yaml", "routes.yaml"}
    assert "path: $RUN/edge-api.sock" in texts["clusters.yaml"]
    assert "path: $STATE/logs/access.log" in texts["listeners.yaml"]
    assert "/tmp/" not in "".join(texts.values())


def test_it_is_the_same_every_time() -> None:
    """And holds descriptors by their hash: a diff is for people."""
    texts = review(lab_topology())
    assert texts == review(lab_topology())
    assert "proto_descriptor_bin: sha256:" in texts["filters.yaml"]
    assert max(len(line) for text in texts.values() for line in text.splitlines()) < 400


def test_a_change_shows_in_its_own_lines() -> None:
    """A second gateway adds lines and changes none."""
    topology = lab_topology()
    second = Gateway(name="other", listen=TcpAddress("127.0.0.1", 9090), origin=origin())
    before, after = review(topology), review(replace(topology, gateways=(*topology.gateways, second)))
    assert before["clusters.yaml"] == after["clusters.yaml"]
    lines = after["routes.yaml"].splitlines()
    assert [line for line in before["routes.yaml"].splitlines() if line not in lines] == []


def test_yaml_is_for_reading() -> None:
    """Sorted keys, no anchors, no folded lines."""
    shared = {"b": "x " * 200, "a": 1}
    assert dump({"two": shared, "one": shared}) == (
        f"one:\n  a: 1\n  b: '{'x ' * 200}'\ntwo:\n  a: 1\n  b: '{'x ' * 200}'\n"
    )
