import pytest

from protomesh.xds.status import NodeStatus, Rejection, StreamStatus, TypeStatus, short_reason

TYPE = "type.googleapis.com/test.Thing"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Error adding cluster x: unknown type", "Error adding cluster x: unknown type"),
        (
            "Proto constraint failed (A | caused by B: Proto constraint validation failed (B.n: > 0)",
            "Proto constraint validation failed (B.n: > 0)",
        ),
        ("bad duration: goo.gle/debugstr    \nseconds: -1\n", "bad duration: seconds: -1"),
    ],
)
def test_a_reason_is_the_part_that_helps(text: str, reason: str) -> None:
    """Not the whole resource once for each level of nesting, and no line breaks."""
    assert short_reason(text) == reason


def test_a_node_has_acknowledged_what_all_its_streams_have() -> None:
    """During a hot restart an old and a new proxy are there at once."""

    def stream(**acknowledged: str) -> StreamStatus:
        rejection = Rejection(name="bad", version="1", reason="no")
        status = TypeStatus(subscribed=None, acknowledged=acknowledged, in_flight=frozenset(), rejections=(rejection,))
        return StreamStatus(peer="", types={TYPE: status})

    node = NodeStatus(node="n", streams=(stream(a="1", b="2", c="1"), stream(a="1", b="1")))

    assert node.acknowledged(TYPE) == {"a": "1"}
    assert [rejection.name for rejection in node.rejections(TYPE)] == ["bad"]
    assert NodeStatus(node="n", streams=()).acknowledged(TYPE) == {}
