import pytest

from protomesh.model import Call, Command, Origin, Service
from protomesh.supervisor.stop_order import callers_of

ORIGIN = Origin(file="mesh.yaml")


def services(**calls: str) -> dict[str, Service]:
    """Services by name, each with the names of those that it calls."""
    return {
        name: Service(
            name=name,
            runs=Command(argv=("program",)),
            serves=(),
            calls=tuple(Call(service=callee, origin=ORIGIN) for callee in callees.split()),
            origin=ORIGIN,
        )
        for name, callees in calls.items()
    }


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ({"front": "middle", "middle": "leaf", "leaf": ""}, {"front": "", "middle": "front", "leaf": "middle"}),
        ({"a": "leaf", "b": "leaf", "leaf": ""}, {"a": "", "b": "", "leaf": "a b"}),
        ({"a": "b", "b": "a"}, {"a": "", "b": ""}),
        ({"a": "b", "b": "c", "c": "a d", "d": ""}, {"a": "", "b": "", "c": "", "d": "c"}),
        ({"alone": "alone"}, {"alone": ""}),
        ({"a": "gone"}, {"a": ""}),
    ],
    ids=["a row", "two callers", "a circle of two", "a circle of three with a leaf", "itself", "a callee elsewhere"],
)
def test_a_service_outlives_its_callers(calls: dict[str, str], expected: dict[str, str]) -> None:
    """On a circle nobody waits for anybody."""
    assert callers_of(services(**calls)) == {name: frozenset(callers.split()) for name, callers in expected.items()}
