from collections.abc import Mapping
from typing import Any

import pytest

from protomesh.contract.report import Report
from protomesh.contract.yaml_tree import Tree, read_tree


def test_every_value_and_key_knows_its_line_and_column() -> None:
    """As editors count: from 1."""
    tree = read("name: shop\nservices:\n  catalog: {workers: 2, serves: [a, b]}\n")
    assert tree.data == {"name": "shop", "services": {"catalog": {"workers": 2, "serves": ["a", "b"]}}}
    assert str(tree.origin(("services", "catalog", "workers"))) == "mesh.yaml:3:13"
    assert str(tree.value_origin(("services", "catalog", "workers"))) == "mesh.yaml:3:22"
    assert str(tree.origin(("services", "catalog", "serves", 1))) == "mesh.yaml:3:37"


def test_what_is_absent_is_placed_at_what_encloses_it() -> None:
    """A missing key has no line of its own."""
    tree = read("services:\n  catalog: {}\n")
    assert str(tree.origin(("services", "catalog", "run"))) == "mesh.yaml:2:3"
    assert str(tree.origin(("gateways", 0))) == "mesh.yaml:1:1"


def test_values_are_typed_by_yaml_1_2() -> None:
    """`off` and `no` are words, as they are in `lint: off`."""
    assert read("a: off\nb: no\nc: true\nd: 1\ne: 1.5\nf: ~\ng: '1'\n").data == {
        "a": "off",
        "b": "no",
        "c": True,
        "d": 1,
        "e": 1.5,
        "f": None,
        "g": "1",
    }


@pytest.mark.parametrize(
    ("text", "variables", "value"),
    [
        ("${A}", {"A": "x"}, "x"),
        ("${A:-d}", {}, "d"),
        ("${A:-d}", {"A": ""}, "d"),
        ("${A:-d}", {"A": "x"}, "x"),
        ("${A}", {"A": ""}, ""),
        ("${A:-}", {}, ""),
        ("${A:-2}", {}, 2),
        ("'${A:-2}'", {}, 2),
        ("127.0.0.1:${A:-8080}", {"A": "9080"}, "127.0.0.1:9080"),
        ("${A}/${B}", {"A": "a", "B": "b"}, "a/b"),
        ("$$A", {}, "$A"),
        ("$A", {"A": "x"}, "$A"),
        ("${A}", {"A": "${B}", "B": "b"}, "${B}"),
    ],
)
def test_variables_are_expanded_and_then_typed(text: str, variables: Mapping[str, str], value: Any) -> None:
    """${NAME} and ${NAME:-default}, once; $$ is a dollar sign and a lone $ is itself."""
    assert read(f"a: {text}\n", variables).data == {"a": value}


def test_an_unset_variable_is_reported_where_it_stands() -> None:
    """With its name, so that the user can set it."""
    report = Report()
    read_tree("a: 1\nb: x-${NOPE}\n", "mesh.yaml", {}, report)
    (found,) = report
    assert str(found.diagnostic).startswith("mesh.yaml:2:4: UNSET_VARIABLE the environment variable NOPE is not set.")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a: [1\nb: 2\n", "2:2"),
        ("a: 1\n b: 2\n", "2:3"),
        ("a: ${\n", "1:4"),
        ("a: 1\na: 2\n", "2:1"),
        ("a: *x\n", "1:4"),
    ],
)
def test_what_is_not_yaml_is_reported_where_it_breaks(text: str, place: str) -> None:
    """Never as an exception, and a key given twice is one of them."""
    report = Report()
    read_tree(text, "mesh.yaml", {}, report)
    (found,) = report
    assert str(found.diagnostic).startswith(f"mesh.yaml:{place}: YAML_SYNTAX ")


def test_an_empty_document_is_an_empty_mapping() -> None:
    """So that what it lacks can be told, key by key."""
    assert read("# nothing yet\n").data == {}


def test_literals_are_what_the_file_itself_says() -> None:
    """A variable's value is not in the file; its default is."""
    tree = read("a: x\nb: ${B}\nc: ${C:-y}\nd: ${D:-}\ne: z${B}\n", {"B": "b", "D": "d"})
    assert {path[0] for path in tree.literals if path} == {"a", "c", "e"}


def test_mappings_merge_and_all_else_is_replaced() -> None:
    """Places come along from the file that said it."""
    below = read("a: {x: 1, y: 2}\nl: [1, 2]\ns: {k: {v: 1}}\n")
    above = read("a: {y: 3, z: 4}\nl: [9]\ns: {k: text}\n", file="mesh.prod.yaml")
    merged = below.merged(above)
    assert merged.data == {"a": {"x": 1, "y": 3, "z": 4}, "l": [9], "s": {"k": "text"}}
    assert str(merged.origin(("a", "x"))) == "mesh.yaml:1:5"
    assert str(merged.origin(("a", "y"))) == "mesh.prod.yaml:1:5"
    assert str(merged.origin(("a", "z"))) == "mesh.prod.yaml:1:11"
    assert str(merged.value_origin(("l", 0))) == "mesh.prod.yaml:2:5"
    assert str(merged.origin(("l", 1))) == "mesh.prod.yaml:2:1"
    assert str(merged.origin(("s", "k", "v"))) == "mesh.prod.yaml:3:5"
    assert below.data == {"a": {"x": 1, "y": 2}, "l": [1, 2], "s": {"k": {"v": 1}}}


def test_null_in_an_overlay_takes_a_key_away() -> None:
    """The one way to get back to a default."""
    assert read("a: {x: 1, y: 2}\n").merged(read("a: {y: ~, z: ~}\n")).data == {"a": {"x": 1}}


def read(text: str, variables: Mapping[str, str] | None = None, file: str = "mesh.yaml") -> Tree:
    """Reads text that has nothing wrong."""
    report = Report()
    tree = read_tree(text, file, variables or {}, report)
    assert [str(found.diagnostic) for found in report] == []
    assert tree is not None
    return tree
