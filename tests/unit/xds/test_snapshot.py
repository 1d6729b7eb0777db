import pytest

from protomesh.xds.resource import Resource
from protomesh.xds.snapshot import Inconsistent, Snapshot

CLUSTER = "type.googleapis.com/envoy.config.cluster.v3.Cluster"
ROUTES = "type.googleapis.com/envoy.config.route.v3.RouteConfiguration"


def cluster(name: str, content: str = "1") -> Resource:
    """A cluster of any content."""
    return Resource(type_url=CLUSTER, name=name, body=content.encode())


def routes(name: str, *clusters: str) -> Resource:
    """Routes to clusters, which they need."""
    body = " ".join(clusters).encode()
    return Resource(type_url=ROUTES, name=name, body=body, needs=tuple((CLUSTER, c) for c in clusters))


def test_a_version_is_the_hash_of_the_body() -> None:
    """Equal content has equal versions in every process; different content never."""
    assert cluster("a", "x").version == cluster("b", "x").version
    assert cluster("a", "x").version != cluster("a", "y").version


def test_an_inconsistent_snapshot_names_both_ends() -> None:
    """Of every broken reference, not only the first."""
    snapshot = Snapshot([cluster("a"), routes("edge", "a", "b"), routes("egress", "c")])

    with pytest.raises(Inconsistent) as caught:
        snapshot.check_consistent()

    assert str(caught.value) == (
        "RouteConfiguration 'edge' needs Cluster 'b', which is not there; "
        "RouteConfiguration 'egress' needs Cluster 'c', which is not there"
    )
    assert [(resource.name, key) for resource, key in caught.value.missing] == [
        ("edge", (CLUSTER, "b")),
        ("egress", (CLUSTER, "c")),
    ]


def test_a_consistent_snapshot_passes() -> None:
    """Everything that is needed is there."""
    Snapshot([cluster("a"), routes("edge", "a")]).check_consistent()


def test_two_resources_of_one_name_are_refused() -> None:
    """Which one would a client get?"""
    with pytest.raises(ValueError, match="two resources are Cluster 'a'"):
        Snapshot([cluster("a"), cluster("a", "2")])


def test_replacing_a_resource_leaves_the_former_snapshot_as_it_was() -> None:
    """Streams may still be reading it."""
    before = Snapshot([cluster("a"), routes("edge", "a")])
    after = before.with_resources(cluster("a", "2"), cluster("b"))

    assert before.resources(CLUSTER) == {"a": cluster("a")}
    assert after.resources(CLUSTER) == {"a": cluster("a", "2"), "b": cluster("b")}
    assert after.resources(ROUTES) is before.resources(ROUTES)
    assert after.changed_types(before) == {CLUSTER}


def test_equal_types_are_shared_with_the_former_snapshot() -> None:
    """A snapshot built anew costs no more than what differs in it."""
    before = Snapshot([cluster("a"), routes("edge", "a")])
    after = Snapshot([cluster("a", "2"), routes("edge", "a")]).after(before)

    assert after.resources(ROUTES) is before.resources(ROUTES)
    assert after.resources(CLUSTER) is not before.resources(CLUSTER)


def test_a_type_that_disappears_has_changed() -> None:
    """Its resources must be removed from clients."""
    before = Snapshot([cluster("a"), routes("edge")])

    assert Snapshot([cluster("a")]).changed_types(before) == {ROUTES}
    assert Snapshot([cluster("a")]).changed_types(None) == {CLUSTER}
