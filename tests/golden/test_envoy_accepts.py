"""Whether the real Envoy accepts what golden cases become."""

from pathlib import Path, PurePosixPath

import pytest

from protomesh.model import Layout
from protomesh.proxy import Schemas, find, validate
from protomesh.targets.envoy import render, static_bootstrap
from tests.golden.case import CASES, compiled, written

COMPILED = [case for case in CASES if "model.yaml" in written(case)]
LAYOUT = Layout(run=PurePosixPath("/run/protomesh"), state=PurePosixPath("/state"))


@pytest.fixture(scope="module")
def schemas(tmp_path_factory: pytest.TempPathFactory) -> Schemas:
    """The installed Envoy's messages."""
    return Schemas.load(find(), tmp_path_factory.mktemp("schemas"))


@pytest.mark.parametrize("case", COMPILED)
async def test_envoy_accepts_what_a_project_becomes(case: str, tmp_path: Path, schemas: Schemas) -> None:
    """A project without errors is a configuration that Envoy would run with, in the form that it gets by ADS too."""
    configuration = render(compiled(case, tmp_path).topology, LAYOUT)
    for resource in configuration.resources():
        assert schemas.encode(resource.type_url, resource.body)
    await validate(find(), static_bootstrap(configuration, LAYOUT))
