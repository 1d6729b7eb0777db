import pytest
from probe.v1 import AnswerRequest, Baked, Rung

from protomesh.runtime.events import Delivery, on
from protomesh.runtime.events.consumers import Consumers, SubscriptionsDiffer


class Shelf:
    """Learns of two events."""

    @on(Baked)
    async def take(self, event: Baked, delivery: Delivery) -> None:
        """Does nothing."""

    @on(Rung)
    async def answer(self, event: Rung, delivery: Delivery) -> None:
        """Does nothing."""


class Bell:
    """Learns of one of them too."""

    @on(Rung)
    async def ring(self, event: Rung, delivery: Delivery) -> None:
        """Does nothing."""


class Deaf:
    """Learns of nothing."""


def test_consumers_are_known_by_the_events_full_names() -> None:
    """Whatever the methods are called."""
    consumers = Consumers([Shelf()])
    assert set(consumers.events) == {"probe.v1.Baked", "probe.v1.Rung"}
    found = consumers.find("probe.v1.Baked")
    assert found is not None
    assert found.message_type is Baked
    assert consumers.find("probe.v1.Cooled") is None


def test_all_that_is_wrong_with_consumers_is_said() -> None:
    """Two for one event, and one for none."""
    with pytest.raises(
        TypeError, match=r"two methods learn of probe.v1.Rung: Bell.ring and another; Deaf learns of no"
    ):
        Consumers([Shelf(), Bell(), Deaf()])


def test_only_an_event_can_be_learnt_of_and_only_by_an_async_method() -> None:
    """Said when the class is made."""
    with pytest.raises(TypeError, match=r"probe.v1.AnswerRequest is no event"):
        on(AnswerRequest)

    def learn(_self: object, _event: Rung, _delivery: Delivery) -> None: ...

    with pytest.raises(TypeError, match=r"probe.v1.Rung has to be `async def`"):
        on(Rung)(learn)  # type: ignore[arg-type] # the mistake under test


def test_code_and_mesh_yaml_must_agree() -> None:
    """Both ways, at once, and the text says which line to change."""
    consumers = Consumers([Shelf()])
    consumers.check("shelf", ["probe.v1.Rung", "probe.v1.Baked"])
    with pytest.raises(SubscriptionsDiffer) as differ:
        consumers.check("shelf", ["probe.v1.Rung", "probe.v1.Cooled"])
    unheard, ignored = str(differ.value).splitlines()
    assert unheard == (
        "shelf consumes probe.v1.Baked, and mesh.yaml does not subscribe it: add it to `subscribes` of shelf"
    )
    assert ignored == (
        "mesh.yaml subscribes shelf to probe.v1.Cooled, and no consumer learns of it: add a method with @on(Cooled) to "
        "App(consumers=[...]), or remove it from `subscribes` of shelf"
    )
