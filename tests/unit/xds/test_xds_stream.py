"""Rules that span types, on a recorded stream without the network."""

from collections.abc import Mapping

from protomesh.xds.resource import Resource
from protomesh.xds.snapshot import Snapshot
from protomesh.xds.stream import Stream
from protomesh.xds.subscription import Request, Response

PREFIX = "type.googleapis.com/envoy."
CLUSTER = PREFIX + "config.cluster.v3.Cluster"
ENDPOINTS = PREFIX + "config.endpoint.v3.ClusterLoadAssignment"
EXTENSION = PREFIX + "config.core.v3.TypedExtensionConfig"
LISTENER = PREFIX + "config.listener.v3.Listener"
ROUTES = PREFIX + "config.route.v3.RouteConfiguration"


def cluster(name: str, content: str = "1") -> Resource:
    """A cluster, which needs its endpoints."""
    return Resource(type_url=CLUSTER, name=name, body=content.encode(), needs=((ENDPOINTS, name),))


def endpoints(name: str, content: str = "1") -> Resource:
    """Endpoints of any content."""
    return Resource(type_url=ENDPOINTS, name=name, body=content.encode())


def routes(*clusters: str, name: str = "edge") -> Resource:
    """Routes to clusters, which they need."""
    body = " ".join(clusters).encode()
    return Resource(type_url=ROUTES, name=name, body=body, needs=tuple((CLUSTER, c) for c in clusters))


def listener(route: str = "edge") -> Resource:
    """A listener, which needs its routes."""
    return Resource(type_url=LISTENER, name="edge", body=route.encode(), needs=((ROUTES, route),))


def mesh(*clusters: str, route_to: tuple[str, ...] | None = None) -> Snapshot:
    """Clusters with their endpoints, and one listener that routes to all or some of them."""
    return Snapshot(
        [
            *map(cluster, clusters),
            *map(endpoints, clusters),
            listener(),
            routes(*(clusters if route_to is None else route_to)),
        ]
    )


def show(responses: list[Response]) -> list[str]:
    """Each response as `Type: sent -removed`."""
    return [
        f"{r.type_url.rpartition('.')[2]}: {' '.join([x.name for x in r.resources] + [f'-{n}' for n in r.removed])}"
        for r in responses
    ]


class Client:
    """A stream whose answers the test gives."""

    def __init__(self, snapshot: Snapshot, initial: Mapping[str, Mapping[str, str]] | None = None) -> None:
        self.snapshot = snapshot
        self.stream = Stream()
        self.initial = initial or {}

    def ask(self, type_url: str, *subscribe: str) -> list[Response]:
        initial = self.initial.get(type_url, {})
        self.stream.receive(Request(type_url=type_url, node="n", subscribe=subscribe, initial_versions=initial))
        return self.stream.push(self.snapshot)

    def answer(self, response: Response, error: str | None = None) -> list[Response]:
        self.stream.receive(Request(type_url=response.type_url, nonce=response.nonce, error=error))
        return self.stream.push(self.snapshot)

    def publish(self, snapshot: Snapshot) -> list[Response]:
        self.snapshot = snapshot.after(self.snapshot)
        return self.stream.push(self.snapshot)

    def subscribe_all(self, *clusters: str) -> None:
        """Subscribes as Envoy does and takes everything."""
        asked = [(CLUSTER, ()), (ENDPOINTS, clusters), (LISTENER, ()), (ROUTES, ("edge",))]
        outstanding = [response for type_url, names in asked for response in self.ask(type_url, *names)]
        while outstanding:
            outstanding += self.answer(outstanding.pop(0))


def test_types_go_out_in_the_order_in_which_they_need_each_other() -> None:
    """Clusters, endpoints, filters, listeners, routes: in whatever order they were asked for."""
    client = Client(mesh("a").with_resources(Resource(type_url=EXTENSION, name="jwt", body=b"")))
    for type_url in (ROUTES, LISTENER, EXTENSION, ENDPOINTS, CLUSTER):
        client.stream.receive(Request(type_url=type_url, node="n", subscribe=("*",)))

    first = client.stream.push(client.snapshot)

    assert show(first) == [
        "Cluster: a",
        "ClusterLoadAssignment: a",
        "TypedExtensionConfig: jwt",
        "Listener: edge",
    ]
    assert show(client.answer(first[0])) == ["RouteConfiguration: edge"]


def test_two_types_share_a_stream_without_meeting() -> None:
    """A request about one type is answered about that type only."""
    client = Client(mesh("a"))

    assert show(client.ask(CLUSTER)) == ["Cluster: a"]
    assert show(client.ask(LISTENER)) == ["Listener: edge"]


def test_endpoints_follow_a_changed_cluster_at_once_unasked() -> None:
    """Without waiting for the answer about the cluster: Envoy gives it only when it has the endpoints."""
    client = Client(mesh("a", "b"))
    client.subscribe_all("a", "b")

    changed = client.publish(mesh("a", "b").with_resources(cluster("a", "2")))

    assert show(changed) == ["Cluster: a", "ClusterLoadAssignment: a"]


def test_changed_endpoints_bring_no_cluster() -> None:
    """Only the other way round."""
    client = Client(mesh("a"))
    client.subscribe_all("a")

    assert show(client.publish(mesh("a").with_resources(endpoints("a", "2")))) == ["ClusterLoadAssignment: a"]


def test_routes_wait_for_the_cluster_that_they_name() -> None:
    """A route to an unknown cluster would be accepted and fail calls."""
    client = Client(mesh("a"))
    client.subscribe_all("a")

    first = client.publish(mesh("a", "b"))

    assert show(first) == ["Cluster: b"]
    assert show(client.ask(ENDPOINTS, "b")) == ["ClusterLoadAssignment: b"]
    assert show(client.answer(first[0])) == ["RouteConfiguration: edge"]


def test_a_cluster_is_removed_after_the_routes_that_no_longer_name_it_are_taken() -> None:
    """Until then calls still go to it."""
    client = Client(mesh("a", "b"))
    client.subscribe_all("a", "b")

    (route,) = client.publish(mesh("a"))

    assert show([route]) == ["RouteConfiguration: edge"]
    (removal,) = client.answer(route)
    assert show([removal]) == ["Cluster: -b"]
    assert show(client.answer(removal)) == ["ClusterLoadAssignment: -b"]


def test_a_cluster_stays_while_its_routes_are_refused() -> None:
    """The last good routes serve on, and they need it."""
    client = Client(mesh("a", "b"))
    client.subscribe_all("a", "b")
    (route,) = client.publish(mesh("a"))

    assert client.answer(route, error="no") == []
    assert client.publish(mesh("a").with_resources(endpoints("a", "2"))) != []
    assert client.stream.took((CLUSTER, "b"), cluster("b").version)


def test_a_rename_adds_routes_and_removes_in_that_order() -> None:
    """At no moment does a route name a cluster that is not there."""
    client = Client(mesh("old"))
    client.subscribe_all("old")

    (new,) = client.publish(mesh("new"))
    assert show([new]) == ["Cluster: new"]
    client.ask(ENDPOINTS, "new")
    (route,) = client.answer(new)
    assert show([route]) == ["RouteConfiguration: edge"]
    assert show(client.answer(route)) == ["Cluster: -old"]


def test_routes_stay_as_they_are_while_a_new_cluster_is_refused() -> None:
    """The last good ones find all that they need."""
    client = Client(mesh("a"))
    client.subscribe_all("a")

    (bad,) = client.publish(mesh("a", "b"))

    assert client.answer(bad, error="no") == []
    assert client.stream.took((ROUTES, "edge"), routes("a").version)
    (good,) = client.publish(mesh("a", "b").with_resources(cluster("b", "good")))
    assert show(client.answer(good)) == ["RouteConfiguration: edge"]


def test_a_client_with_nothing_yet_gets_the_part_that_works() -> None:
    """One bad cluster must not keep a whole mesh from starting."""
    client = Client(mesh("a", "bad"))
    outstanding = client.ask(CLUSTER) + client.ask(LISTENER) + client.ask(ROUTES, "edge")
    seen: list[str] = []
    while outstanding:
        response = outstanding.pop(0)
        seen += show([response])
        bad = any(resource.name == "bad" for resource in response.resources)
        outstanding += client.answer(response, "bad" if bad else None)

    assert seen == ["Cluster: a bad", "Listener: edge", "Cluster: a", "Cluster: bad", "RouteConfiguration: edge"]


def test_a_halved_response_brings_the_endpoints_again() -> None:
    """Each half makes its clusters warm anew."""
    client = Client(mesh("a", "b"))
    client.subscribe_all("a", "b")
    changed = client.publish(mesh("a", "b").with_resources(cluster("a", "2"), cluster("b", "2")))
    assert show(changed) == ["Cluster: a b", "ClusterLoadAssignment: a b"]

    assert show(client.answer(changed[0], error="no")) == ["Cluster: a", "Cluster: b", "ClusterLoadAssignment: a b"]


def test_after_a_restart_of_the_server_nothing_is_sent_if_nothing_changed() -> None:
    """The client says what it holds, and versions are hashes."""
    snapshot = mesh("a")
    initial = {t: {name: r.version for name, r in snapshot.resources(t).items()} for t in snapshot.types}
    client = Client(snapshot, initial)

    assert client.ask(CLUSTER) + client.ask(ENDPOINTS, "a") + client.ask(LISTENER) + client.ask(ROUTES, "edge") == []


def test_after_a_restart_of_the_server_removals_wait_for_unknown_routes() -> None:
    """Nobody knows what the client's old routes name until it has new ones."""
    before = mesh("a", "b")
    initial = {t: {name: r.version for name, r in before.resources(t).items()} for t in before.types}
    client = Client(mesh("a"), initial)
    requests = [(CLUSTER, ()), (ENDPOINTS, ("a", "b")), (LISTENER, ()), (ROUTES, ("edge",))]
    for type_url, names in requests:
        client.stream.receive(Request(type_url=type_url, node="n", subscribe=names, initial_versions=initial[type_url]))

    (route,) = client.stream.push(client.snapshot)

    assert show([route]) == ["RouteConfiguration: edge"]
    (removal,) = client.answer(route)
    assert show([removal]) == ["Cluster: -b"]
    assert show(client.answer(removal)) == ["ClusterLoadAssignment: -b"]


def test_after_a_restart_everything_that_is_gone_is_removed_step_by_step() -> None:
    """What names others goes first, although nobody knows any more what it named."""
    before = mesh("a")
    initial = {t: {name: r.version for name, r in before.resources(t).items()} for t in before.types}
    client = Client(Snapshot(), initial)
    requests = [(CLUSTER, ()), (ENDPOINTS, ("a",)), (LISTENER, ()), (ROUTES, ("edge",))]
    for type_url, names in requests:
        client.stream.receive(Request(type_url=type_url, node="n", subscribe=names, initial_versions=initial[type_url]))
    outstanding = client.stream.push(client.snapshot)
    seen: list[str] = []
    while outstanding:
        response = outstanding.pop(0)
        seen += show([response])
        outstanding += client.answer(response)

    assert seen == ["Listener: -edge", "RouteConfiguration: -edge", "Cluster: -a", "ClusterLoadAssignment: -a"]


def test_after_a_restart_removals_wait_until_the_client_has_said_what_it_holds() -> None:
    """It asks for one type after the other, and the routes that still need a cluster may come last."""
    before = mesh("a", "b")
    initial = {t: {name: r.version for name, r in before.resources(t).items()} for t in before.types}
    client = Client(mesh("a"), initial)

    assert client.ask(CLUSTER) + client.ask(LISTENER) == []
    (route,) = client.ask(ROUTES, "edge")
    assert show([route]) == ["RouteConfiguration: edge"]
    assert show(client.answer(route)) == ["Cluster: -b"]


def test_a_client_that_follows_fewer_types_is_not_waited_for_for_ever() -> None:
    """After a while it has said all that it has to say."""
    before = mesh("a", "b")
    initial = {t: {name: r.version for name, r in before.resources(t).items()} for t in before.types}
    client = Client(mesh("a"), initial)
    assert client.ask(CLUSTER) == []

    client.stream.arrived()

    assert show(client.stream.push(client.snapshot)) == ["Cluster: -b"]


def test_after_a_restart_endpoints_follow_a_changed_cluster_once_they_are_asked_for() -> None:
    """The cluster goes out before the client has said that it follows endpoints, and warms meanwhile."""
    before = mesh("a")
    initial = {t: {name: r.version for name, r in before.resources(t).items()} for t in before.types}
    client = Client(before.with_resources(cluster("a", "2")), initial)

    assert show(client.ask(CLUSTER)) == ["Cluster: a"]
    assert show(client.ask(ENDPOINTS, "a")) == ["ClusterLoadAssignment: a"]


def test_after_a_restart_a_removal_is_not_held_up_by_routes_that_are_the_published_ones() -> None:
    """What they need is known then."""
    before = mesh("a", "b", route_to=("a",))
    initial = {t: {name: r.version for name, r in before.resources(t).items()} for t in before.types}
    client = Client(mesh("a"), initial)
    client.ask(CLUSTER)
    client.ask(LISTENER)

    assert show(client.ask(ROUTES, "edge")) == ["Cluster: -b"]


def test_after_a_restart_endpoints_are_sent_to_a_client_that_is_silent_about_clusters() -> None:
    """One of them was warming when the stream broke, and the client says that it holds what it waits for."""
    before = mesh("a")
    initial = {t: {name: r.version for name, r in before.resources(t).items()} for t in before.types}
    client = Client(before, initial)

    assert show(client.ask(ENDPOINTS, "a")) == ["ClusterLoadAssignment: a"]
    assert client.ask(CLUSTER) == []


def test_after_a_restart_new_routes_wait_for_a_client_that_is_silent_about_clusters() -> None:
    """It does not hold the new cluster that they name."""
    before = mesh("a")
    initial = {t: {name: r.version for name, r in before.resources(t).items()} for t in before.types}
    client = Client(mesh("a", "b"), initial)

    assert show(client.ask(ENDPOINTS, "a")) == ["ClusterLoadAssignment: a"]
    assert client.ask(LISTENER) + client.ask(ROUTES, "edge") == []
    (new,) = client.ask(CLUSTER)
    assert show([new]) == ["Cluster: b"]
    assert show(client.answer(new)) == ["RouteConfiguration: edge"]
