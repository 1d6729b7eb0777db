import os
import subprocess
import sys
from pathlib import Path

import pytest

from protomesh.proxy import ConfigurationRefused, EnvoyBinary, EnvoyNotFound, Schemas, find

TYPES = "type.googleapis.com/"
CLUSTER = TYPES + "envoy.config.cluster.v3.Cluster"
ROUTES = TYPES + "envoy.config.route.v3.RouteConfiguration"
OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache that `schemas` has filled."""
    return tmp_path_factory.mktemp("schemas")


@pytest.fixture(scope="module")
def schemas(cache: Path) -> Schemas:
    """The installed Envoy's messages."""
    return Schemas.load(find(), cache)


def nested(names: list[str]) -> dict[str, object]:
    """Routes with a map inside an Any inside a map, in the order of `names`."""
    disabled = {"@type": TYPES + "envoy.config.route.v3.FilterConfig", "disabled": True}
    route = {
        "@type": TYPES + "envoy.config.route.v3.Route",
        "match": {"prefix": "/"},
        "route": {"cluster": "c"},
        "typed_per_filter_config": dict.fromkeys(names, disabled),
    }
    tree = {
        "input": {
            "name": "path",
            "typed_config": {"@type": TYPES + "envoy.type.matcher.v3.HttpRequestHeaderMatchInput", "header_name": "a"},
        },
        "exact_match_map": {"map": {name: {"action": {"name": "r", "typed_config": route}} for name in names}},
    }
    return {"name": "r", "virtual_hosts": [{"name": "v", "domains": ["*"], "matcher": {"matcher_tree": tree}}]}


def test_a_dict_becomes_the_message_that_envoy_knows(schemas: Schemas) -> None:
    """Durations, enums and what is packed in an Any are read as protobuf's JSON."""
    options = {"@type": TYPES + OPTIONS, "explicit_http_config": {"http2_protocol_options": {}}}
    body = {
        "name": "catalog",
        "connect_timeout": "1s",
        "type": "EDS",
        "typed_extension_protocol_options": {OPTIONS: options},
    }
    cluster = schemas.message_class("envoy.config.cluster.v3.Cluster").FromString(schemas.encode(CLUSTER, body))
    assert (cluster.name, cluster.connect_timeout.seconds) == ("catalog", 1)  # type: ignore[attr-defined]  # made from the pool
    assert cluster.typed_extension_protocol_options[OPTIONS].type_url == TYPES + OPTIONS  # type: ignore[attr-defined]  # likewise


def test_a_misspelt_field_is_named_with_its_resource(schemas: Schemas) -> None:
    """Without the list of all fields that protobuf adds."""
    with pytest.raises(ConfigurationRefused) as caught:
        schemas.encode(CLUSTER, {"name": "catalog", "connect_timeot": "1s"})
    assert caught.value.resource == "Cluster catalog"
    assert 'no field named "connect_timeot"' in caught.value.reason
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"name": "c", "connect_timeout": "soon"}, "connect_timeout"),
        ({"name": "c", "type": "NO_SUCH_TYPE"}, "NO_SUCH_TYPE"),
        ({"name": "c", "typed_extension_protocol_options": {"x": {"@type": TYPES + "no.Such"}}}, r"no\.Such"),
        ({"name": "c", "typed_extension_protocol_options": {"x": {"a": 1}}}, "@type is missing"),
    ],
)
def test_what_is_wrong_is_in_the_reason(schemas: Schemas, body: dict[str, object], reason: str) -> None:
    """A bad value, an unknown enum value, an unknown type, a type that is missing."""
    with pytest.raises(ConfigurationRefused, match=reason):
        schemas.encode(CLUSTER, body)


def test_an_unknown_type_of_resource_is_refused(schemas: Schemas) -> None:
    """The message says that this Envoy does not have it."""
    with pytest.raises(ConfigurationRefused, match=r"this Envoy knows no type envoy\.Nothing"):
        schemas.encode(TYPES + "envoy.Nothing", {})


def test_encoding_leaves_the_dict_alone(schemas: Schemas) -> None:
    """The order of its keys too: protobuf's parser would take "@type" out and put it back at the end."""
    body = nested(["a", "b"])
    before = repr(body)
    schemas.encode(ROUTES, body)
    assert repr(body) == before


def test_equal_dicts_give_equal_bytes(schemas: Schemas) -> None:
    """However their keys are ordered, inside what is packed too."""
    names = [f"filter-{number}" for number in range(20)]
    assert schemas.encode(ROUTES, nested(names)) == schemas.encode(ROUTES, nested(names[::-1]))


def test_another_process_gives_the_same_bytes(schemas: Schemas, cache: Path) -> None:
    """A version is a hash of these bytes: a restart must not look like a change."""
    names = [f"filter-{number}" for number in range(20)]
    code = (
        "import ast, sys; from pathlib import Path; from protomesh.proxy import Schemas, find;"
        "schemas = Schemas.load(find(), Path(sys.argv[1]));"
        "sys.stdout.write(schemas.encode(sys.argv[2], ast.literal_eval(sys.argv[3])).hex())"
    )
    arguments = [sys.executable, "-c", code, str(cache), ROUTES, repr(nested(names[::-1]))]
    answers = {
        subprocess.run(
            arguments, capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": seed}
        ).stdout
        for seed in ("1", "2")
    }
    assert answers == {schemas.encode(ROUTES, nested(names)).hex()}


def test_a_damaged_cache_is_made_again(tmp_path: Path) -> None:
    """A power cut must not need a person."""
    Schemas.load(find(), tmp_path)
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    for damage in (b"", whole[: len(whole) // 2], b"\xff" * 100):
        file.write_bytes(damage)
        assert Schemas.load(find(), tmp_path).message_class("envoy.config.cluster.v3.Cluster")
        assert file.read_bytes() == whole


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    """It only costs the time of reading the binary again."""
    file = tmp_path / "not-a-directory"
    file.touch()
    assert Schemas.load(find(), file / "cache").message_class("envoy.config.cluster.v3.Cluster")


def test_another_envoy_has_another_cache(tmp_path: Path) -> None:
    """Two builds of one version may differ in their schemas."""
    binary = find()
    Schemas.load(binary, tmp_path)
    Schemas.load(EnvoyBinary(path=binary.path, version=binary.version, build="other/" + binary.build), tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_program_without_schemas_is_no_envoy(tmp_path: Path) -> None:
    """Python's own executable holds none."""
    binary = EnvoyBinary(path=Path(sys.executable).resolve(), version="0.0.0", build="x")
    with pytest.raises(EnvoyNotFound, match="holds none of Envoy's schemas"):
        Schemas.load(binary, tmp_path)
