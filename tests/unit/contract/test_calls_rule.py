from hypothesis import given
from hypothesis import strategies as st

from protomesh.contract.lint.calls import cycles

NODES = "abcdef"
GRAPHS = st.dictionaries(st.sampled_from(NODES), st.lists(st.sampled_from(NODES), unique=True).map(sorted))


def test_each_circle_is_told_once() -> None:
    """By its shortest way around, from its first name."""
    graph = {"a": ["b"], "b": ["a", "c"], "c": ["d"], "d": ["c"], "e": ["e"], "f": ["a"]}
    assert cycles(graph) == [("a", "b"), ("c", "d"), ("e",)]


def test_a_graph_without_a_circle_has_none() -> None:
    """Two ways to one callee are no circle."""
    assert cycles({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": ["unknown"]}) == []


@given(GRAPHS)
def test_a_circle_is_found_exactly_if_there_is_one(graph: dict[str, list[str]]) -> None:
    """What is found is a way around; what is not found would be caught by taking leaves away."""
    found = cycles(graph)
    for cycle in found:
        assert all(b in graph.get(a, []) for a, b in zip(cycle, (*cycle[1:], cycle[0]), strict=True))
    left = {node: set(callees) & set(graph) for node, callees in graph.items()}
    while leaves := [node for node, callees in left.items() if not callees]:
        left = {node: callees - set(leaves) for node, callees in left.items() if node not in leaves}
    assert bool(found) == bool(left)
