"""Whatever is published and refused in whatever order: the client ends where it should, no route ever dangles."""

from collections import deque

from hypothesis import given, note, settings
from hypothesis import strategies as st

from protomesh.xds.resource import Key, Resource
from protomesh.xds.snapshot import Snapshot
from protomesh.xds.stream import Stream
from protomesh.xds.subscription import Request, Response

PREFIX = "type.googleapis.com/envoy.config."
CLUSTER = PREFIX + "cluster.v3.Cluster"
ENDPOINTS = PREFIX + "endpoint.v3.ClusterLoadAssignment"
LISTENER = PREFIX + "listener.v3.Listener"
ROUTES = PREFIX + "route.v3.RouteConfiguration"

# Of each cluster its content, where "bad" is one that the client refuses; of each route the clusters it names.
Contents = st.dictionaries(st.sampled_from("abcd"), st.sampled_from(["1", "2", "bad"]), max_size=4)


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    """A consistent snapshot of up to four clusters, their endpoints and two listeners with their routes."""
    clusters = draw(Contents)
    resources = [
        Resource(type_url=CLUSTER, name=name, body=body.encode(), needs=((ENDPOINTS, name),))
        for name, body in clusters.items()
    ]
    resources += [
        Resource(type_url=ENDPOINTS, name=name, body=draw(st.sampled_from([b"x", b"y"]))) for name in clusters
    ]
    for name in draw(st.sets(st.sampled_from(["edge", "egress"]))):
        targets = sorted(draw(st.sets(st.sampled_from(sorted(clusters))))) if clusters else []
        resources += [
            Resource(type_url=LISTENER, name=name, body=b"l", needs=((ROUTES, name),)),
            Resource(
                type_url=ROUTES, name=name, body=" ".join(targets).encode(), needs=tuple((CLUSTER, t) for t in targets)
            ),
        ]
    return Snapshot(resources)


class Proxy:
    """A client as Envoy is one: wildcards for clusters and listeners, names for what these ask for.

    It refuses a response that holds anything bad as a whole, and answers in the order of arrival.
    """

    def __init__(self) -> None:
        self.held: dict[Key, Resource] = {}
        self.inbox: deque[Response] = deque()
        self.received: list[Key] = []
        # A cluster of which the client refused the first version has never existed for it: its routes fail.
        self.spoiled: set[Key] = set()
        # Changed clusters whose endpoints have not come since. Meanwhile it says nothing about clusters.
        self.warming: set[str] = set()
        self.withheld: list[Request] = []
        self.connect()

    def connect(self) -> None:
        self.stream = Stream()
        self.inbox.clear()
        self.following: dict[str, set[str]] = {}
        self.withheld.clear()
        for type_url in (CLUSTER, ENDPOINTS, LISTENER, ROUTES):
            if type_url in {ENDPOINTS, ROUTES}:
                self._follow(type_url)
            else:
                self._request(Request(type_url=type_url, node="n", initial_versions=self._versions(type_url)))

    def work(self) -> None:
        response = self.inbox.popleft()
        self.received += [resource.key for resource in response.resources]
        if any(resource.body == b"bad" for resource in response.resources):
            self._request(Request(type_url=response.type_url, nonce=response.nonce, error="bad"))
            return
        for resource in response.resources:
            if resource.name in self.following.get(response.type_url, {resource.name}):
                self.held[resource.key] = resource
        for name in response.removed:
            self.held.pop((response.type_url, name), None)
        self._warm(response)
        self._check()
        # Envoy asks for what it now needs before it answers.
        self._follow(ENDPOINTS)
        self._follow(ROUTES)
        self._request(Request(type_url=response.type_url, nonce=response.nonce))
        self._speak()

    def _warm(self, response: Response) -> None:
        if response.type_url == CLUSTER:
            self.warming |= {resource.name for resource in response.resources}
            self.warming -= {*response.removed}
        elif response.type_url == ENDPOINTS:
            self.warming -= {resource.name for resource in response.resources} | {*response.removed}

    def settle(self, snapshot: Snapshot) -> None:
        for _ in range(200):
            self.inbox += self.stream.push(snapshot)
            if self.inbox:
                self.work()
            elif self.warming:
                # After 15 s it gives up. That must not happen for a cluster that still exists.
                assert not [name for name in self.warming if snapshot.get((ENDPOINTS, name))]
                self.warming.clear()
                self._speak()
            else:
                return
        raise AssertionError("there is no end to it")

    def _follow(self, type_url: str) -> None:
        parent = CLUSTER if type_url == ENDPOINTS else LISTENER
        wanted = {name for (kind, name) in self.held if kind == parent}
        first = type_url not in self.following
        following = self.following.get(type_url, set())
        gone = following - wanted
        for name in gone:
            self.held.pop((type_url, name), None)
        if (first and wanted) or (not first and following != wanted):
            self.following[type_url] = wanted
            self._request(
                Request(
                    type_url=type_url,
                    node="n" if first else "",
                    subscribe=tuple(sorted(wanted - following)),
                    unsubscribe=tuple(sorted(gone)),
                    initial_versions=self._versions(type_url) if first else {},
                )
            )

    def _request(self, request: Request) -> None:
        if request.type_url == CLUSTER and self.warming:
            self.withheld.append(request)
        else:
            self.stream.receive(request)

    def _speak(self) -> None:
        if not self.warming:
            for request in self.withheld:
                self.stream.receive(request)
            self.withheld.clear()

    def _versions(self, type_url: str) -> dict[str, str]:
        return {name: resource.version for (kind, name), resource in self.held.items() if kind == type_url}

    def _check(self) -> None:
        for resource in [*self.held.values()]:
            if resource.type_url == ROUTES:
                for key in resource.needs:
                    assert key in self.held or key in self.spoiled, f"{resource.name} routes to {key[1]}, which is gone"


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(snapshots(), st.integers(0, 6), st.booleans()), min_size=1, max_size=6))
def test_a_client_converges_without_a_dangling_route(steps: list[tuple[Snapshot, int, bool]]) -> None:
    """Published snapshots overtake each other, answers come late, streams break; nothing is sent without need."""
    proxy = Proxy()
    former: Snapshot | None = None
    for snapshot, answers, breaks in steps:
        proxy.spoiled.update(r.key for r in snapshot if r.body == b"bad")
        former = snapshot.after(former)
        note(f"{[f'{r.type_url[-8:]} {r.name}={r.body.decode()}' for r in snapshot]} {answers} {breaks}")
        if breaks:
            proxy.connect()
        proxy.inbox += proxy.stream.push(former)
        for _ in range(min(answers, len(proxy.inbox))):
            proxy.work()
            proxy.inbox += proxy.stream.push(former)
    assert former is not None
    proxy.settle(former)

    refusing = {r.key for r in former if r.body == b"bad"}
    for resource in former:
        involved = {resource.key, (CLUSTER, resource.name), *resource.needs}
        if not refusing & involved:
            assert proxy.held.get(resource.key) == resource
    if not refusing:
        assert {*proxy.held} == {resource.key for resource in former}

    # In sync: a stream that comes back hears nothing but, once more, what it refused.
    proxy.received.clear()
    proxy.connect()
    proxy.settle(former)
    if not refusing:
        assert proxy.received == []
