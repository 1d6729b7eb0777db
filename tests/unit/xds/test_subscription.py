"""One type on one stream, without the network."""

from collections.abc import Iterable, Mapping

import pytest

from protomesh.xds.resource import Resource
from protomesh.xds.subscription import Request, Response, Subscription

TYPE = "type.googleapis.com/test.Thing"


def thing(name: str, content: str = "1") -> Resource:
    """A resource of any content."""
    return Resource(type_url=TYPE, name=name, body=content.encode())


def things(*resources: Resource) -> dict[str, Resource]:
    """Resources by name."""
    return {resource.name: resource for resource in resources}


class Client:
    """Sends requests to a subscription and remembers nothing that a test does not ask for."""

    def __init__(self, resources: Mapping[str, Resource]) -> None:
        self.resources = resources
        self.subscription = Subscription(TYPE)

    def ask(
        self,
        *subscribe: str,
        unsubscribe: Iterable[str] = (),
        initial: Mapping[str, str] | None = None,
        nonce: str = "",
        error: str | None = None,
    ) -> list[Response]:
        self.subscription.receive(
            Request(
                type_url=TYPE,
                subscribe=subscribe,
                unsubscribe=tuple(unsubscribe),
                initial_versions=initial or {},
                nonce=nonce,
                error=error,
            )
        )
        return self.subscription.respond(self.resources)

    def publish(self, *resources: Resource) -> list[Response]:
        self.resources = things(*resources)
        return self.subscription.respond(self.resources)

    def acknowledge(self, *responses: Response) -> list[Response]:
        return [more for response in responses for more in self.ask(nonce=response.nonce)]


def sent(responses: Iterable[Response]) -> list[tuple[list[str], list[str]]]:
    """Names sent and names removed, response by response."""
    return [([r.name for r in response.resources], list(response.removed)) for response in responses]


def test_a_wildcard_is_answered_in_one_response() -> None:
    """Everything there is goes out together, each resource with its version."""
    (response,) = Client(things(thing("a"), thing("b"))).ask()

    assert sent([response]) == [(["a", "b"], [])]
    assert response.resources[0].version == thing("a").version


@pytest.mark.parametrize("subscribe", [(), ("*",)])
def test_the_first_wildcard_is_answered_even_if_there_is_nothing(subscribe: tuple[str, ...]) -> None:
    """A client waits for the first answer before it goes on starting."""
    client = Client({})

    assert sent(client.ask(*subscribe)) == [([], [])]
    assert client.publish() == []


def test_update_add_and_remove_send_only_what_changed() -> None:
    """An unchanged resource is never sent again."""
    client = Client(things(thing("a"), thing("b")))
    client.acknowledge(*client.ask())

    assert sent(client.publish(thing("a"), thing("b", "2"))) == [(["b"], [])]
    assert sent(client.publish(thing("a"), thing("b", "2"), thing("c"))) == [(["c"], [])]
    assert client.publish(thing("a"), thing("b", "2"), thing("c")) == []


def test_what_is_no_longer_there_is_reported_once() -> None:
    """A removal that the client took is not repeated."""
    client = Client(things(thing("a"), thing("b")))
    client.acknowledge(*client.ask())

    removal = client.publish(thing("a"))

    assert sent(removal) == [([], ["b"])]
    assert client.acknowledge(*removal) == []
    assert client.subscription.status().acknowledged == {"a": thing("a").version}


def test_a_named_subset_hears_of_nothing_else() -> None:
    """Names that were not asked for are not sent."""
    client = Client(things(thing("a"), thing("b"), thing("c")))

    assert sent(client.ask("a", "c")) == [(["a", "c"], [])]
    assert client.publish(thing("a"), thing("b", "2"), thing("c")) == []


def test_a_name_that_does_not_exist_is_reported_removed_and_sent_once_it_does() -> None:
    """The client learns at once that it need not wait, and later that there is one after all."""
    client = Client(things(thing("a")))

    assert sent(client.ask("a", "later")) == [(["a"], ["later"])]
    assert client.publish(thing("a")) == []
    assert sent(client.publish(thing("a"), thing("later"))) == [(["later"], [])]


def test_unsubscribing_some_names_silences_them() -> None:
    """Changes of the rest still arrive."""
    client = Client(things(thing("a"), thing("b")))
    client.acknowledge(*client.ask("a", "b"))

    assert client.ask(unsubscribe=["a"]) == []
    assert sent(client.publish(thing("a", "2"), thing("b", "2"))) == [(["b"], [])]


def test_unsubscribing_every_name_is_silence_and_not_a_wildcard() -> None:
    """Only the first request of a stream means everything when it names nothing."""
    client = Client(things(thing("a")))
    client.acknowledge(*client.ask("a"))

    assert client.ask(unsubscribe=["a"]) == []
    assert client.ask() == []
    assert client.publish(thing("a", "2")) == []


def test_a_name_subscribed_again_is_answered_again() -> None:
    """The client may have dropped what it had, and says so by asking."""
    client = Client(things(thing("a")))
    client.acknowledge(*client.ask("a"))

    assert sent(client.ask("a")) == [(["a"], [])]

    client.ask(unsubscribe=["a"])
    assert sent(client.ask("a")) == [(["a"], [])]


def test_a_missing_name_subscribed_again_is_reported_again() -> None:
    """It is an answer that the client waits for, and not news."""
    client = Client({})
    client.acknowledge(*client.ask("a"))

    assert sent(client.ask("a")) == [([], ["a"])]


def test_a_name_unsubscribed_under_a_wildcard_is_told_whether_it_stays() -> None:
    """The wildcard still covers it, so the client must not be left guessing."""
    client = Client(things(thing("a"), thing("b")))
    client.acknowledge(*client.ask("*", "a", "gone"))

    assert sent(client.ask(unsubscribe=["a", "gone"])) == [(["a"], ["gone"])]


def test_ending_the_wildcard_keeps_the_names() -> None:
    """What only the wildcard covered is forgotten without a word."""
    client = Client(things(thing("a"), thing("b")))
    client.acknowledge(*client.ask("*", "a"))

    assert client.ask(unsubscribe=["*"]) == []
    assert sent(client.publish(thing("a", "2"), thing("b", "2"))) == [(["a"], [])]


def test_a_wildcard_can_join_names_later() -> None:
    """The wildcard's answer holds everything, also what was sent for its name."""
    client = Client(things(thing("a"), thing("b")))
    client.acknowledge(*client.ask("a"))

    assert sent(client.ask("*")) == [(["a", "b"], [])]


def test_a_wildcard_asked_again_hears_of_everything_removals_included() -> None:
    """As if it were the first time, but for what the client still holds."""
    client = Client(things(thing("a"), thing("b")))
    client.acknowledge(*client.ask("*"))
    client.resources = things(thing("a"))

    assert sent(client.ask("*")) == [(["a"], ["b"])]


def test_what_is_to_be_sent_again_and_is_gone_is_removed() -> None:
    """It must not be forgotten that the client holds it."""
    client = Client(things(thing("a"), thing("b")))
    client.acknowledge(*client.ask("*"))

    client.subscription.send_again("b")

    assert sent(client.publish(thing("a"))) == [([], ["b"])]


def test_a_reconnect_with_equal_versions_sends_nothing() -> None:
    """Versions are hashes of the content, so that a restarted server knows them too."""
    initial = {"a": thing("a").version, "b": thing("b").version}

    assert Client(things(thing("a"), thing("b"))).ask(initial=initial) == []
    assert Client(things(thing("a"), thing("b"))).ask("a", "b", initial=initial) == []


def test_a_reconnect_sends_what_changed_meanwhile() -> None:
    """Added, changed and removed, and nothing else."""
    client = Client(things(thing("a"), thing("b", "2"), thing("new")))

    assert sent(client.ask(initial={"a": thing("a").version, "b": thing("b").version, "old": "x"})) == [
        (["b", "new"], ["old"])
    ]


def test_a_reconnect_drops_versions_of_names_it_does_not_follow() -> None:
    """They are no business of this subscription any more."""
    client = Client(things(thing("a")))

    assert client.ask("a", initial={"a": thing("a").version, "other": "x"}) == []
    assert client.subscription.status().acknowledged == {"a": thing("a").version}


def test_an_answer_to_an_older_response_counts() -> None:
    """Each response of the incremental protocol stands for itself."""
    client = Client(things(thing("a")))
    first = client.ask()
    second = client.publish(thing("a"), thing("b"))

    client.acknowledge(*second)
    client.acknowledge(*first)

    assert set(client.subscription.status().acknowledged) == {"a", "b"}


def test_a_request_with_a_stale_nonce_changes_the_subscription() -> None:
    """Ignoring it, as the state-of-the-world variant does, would lose the name."""
    client = Client(things(thing("a"), thing("b")))
    client.acknowledge(*client.ask("a"))

    assert sent(client.ask("b", nonce="long ago")) == [(["b"], [])]


def test_a_refused_resource_is_not_sent_again_until_it_changes() -> None:
    """The refusal is remembered with its reason, the last good version stays."""
    client = Client(things(thing("a")))
    client.acknowledge(*client.ask())
    (bad,) = client.publish(thing("a", "bad"))

    assert client.ask(nonce=bad.nonce, error="no") == []
    assert client.publish(thing("a", "bad")) == []

    status = client.subscription.status()
    assert [(r.name, r.version, r.reason) for r in status.rejections] == [("a", thing("a", "bad").version, "no")]
    assert status.acknowledged == {"a": thing("a").version}

    good = client.publish(thing("a", "good"))
    assert sent(good) == [(["a"], [])]
    client.acknowledge(*good)
    assert client.subscription.status().rejections == ()


def test_going_back_to_the_last_good_version_sends_nothing_and_ends_the_refusal() -> None:
    """The client holds it already."""
    client = Client(things(thing("a")))
    client.acknowledge(*client.ask())
    (bad,) = client.publish(thing("a", "bad"))
    client.ask(nonce=bad.nonce, error="no")

    assert client.publish(thing("a")) == []
    assert client.subscription.status().rejections == ()


def test_a_resource_that_was_refused_and_then_deleted_is_forgotten() -> None:
    """There is nothing left to complain about."""
    client = Client(things(thing("a"), thing("bad")))
    response = client.ask()
    client.acknowledge(*response)
    (bad,) = client.publish(thing("a"), thing("bad", "2"), thing("worse"))
    for half in client.ask(nonce=bad.nonce, error="no"):
        client.ask(nonce=half.nonce, error="no")
    assert [r.name for r in client.subscription.status().rejections] == ["bad", "worse"]

    client.publish(thing("a"))

    assert client.subscription.status().rejections == ()


def test_of_a_refused_response_the_good_resources_arrive_and_the_bad_one_is_set_aside() -> None:
    """The response is halved until the bad resource is alone."""
    names = [f"r{n:02}" for n in range(16)]
    client = Client({})
    client.acknowledge(*client.ask())
    outstanding = client.publish(*(thing(name) for name in names))
    rounds = 0
    while outstanding:
        rounds += 1
        response = outstanding.pop(0)
        refused = any(resource.name == "r11" for resource in response.resources)
        outstanding += client.ask(nonce=response.nonce, error="r11 is bad" if refused else None)

    status = client.subscription.status()
    assert [r.name for r in status.rejections] == ["r11"]
    assert set(status.acknowledged) == set(names) - {"r11"}
    assert rounds <= 9  # the whole and two halves of each level


def test_a_refused_removal_is_remembered() -> None:
    """It is not repeated for ever, and the resource counts as held."""
    client = Client(things(thing("a")))
    client.acknowledge(*client.ask())
    (removal,) = client.publish()

    assert client.ask(nonce=removal.nonce, error="in use") == []
    assert client.publish() == []
    assert client.subscription.holds("a")


def test_a_refusal_of_what_was_replaced_meanwhile_is_old_news() -> None:
    """The newer version has its own answer under way."""
    client = Client(things(thing("a")))
    (first,) = client.ask()
    (second,) = client.publish(thing("a", "2"))

    assert client.ask(nonce=first.nonce, error="no") == []
    client.acknowledge(second)

    assert client.subscription.status().rejections == ()
    assert client.subscription.settled(thing("a", "2"))


def test_a_resource_waits_until_it_may_be_sent() -> None:
    """It is looked at again each time, and the rest does not wait with it."""
    subscription = Subscription(TYPE)
    subscription.receive(Request(type_url=TYPE))
    resources = things(thing("a"), thing("b"))

    assert sent(subscription.respond(resources, ready=lambda r: r.name == "a")) == [(["a"], [])]
    assert sent(subscription.respond(resources)) == [(["b"], [])]


def test_a_removal_waits_until_it_may_be_sent() -> None:
    """Something that the client holds may still need the resource."""
    subscription = Subscription(TYPE)
    subscription.receive(Request(type_url=TYPE, initial_versions={"a": thing("a").version}))

    assert subscription.respond({}, removable=lambda _: False) == []
    assert sent(subscription.respond({})) == [([], ["a"])]


def test_send_again_sends_what_the_client_holds() -> None:
    """Even though it did not change; but only to who subscribes to it."""
    client = Client(things(thing("a"), thing("b")))
    client.acknowledge(*client.ask("a"))

    client.subscription.send_again("a")
    client.subscription.send_again("b")

    assert sent(client.subscription.respond(client.resources)) == [(["a"], [])]
