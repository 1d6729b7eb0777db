from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from protomesh.targets.openapi import Contracts, document
from tests.golden.case import CASES, ERROR, compiled, written

_DOCUMENTED = [case for case in CASES if ERROR not in written(case)]


@pytest.mark.parametrize("case", _DOCUMENTED)
def test_the_document_of_a_case_keeps_to_openapi(case: str, tmp_path: Path) -> None:
    """As the specification's own schema says, with every reference in it resolved."""
    topology = compiled(case, tmp_path).topology
    found = document(topology, Contracts(topology))
    assert [str(error) for error in OpenAPIV31SpecValidator(found).iter_errors()] == []
    assert found["info"] == {"title": topology.name, "version": found["info"]["version"]}
    assert len(found["info"]["version"]) == 12


def test_a_wrong_document_would_be_found() -> None:
    """The validator is one that can say no."""
    wrong = {"openapi": "3.1.1", "info": {"title": "x"}, "paths": {"/a": {"get": {"responses": {}}}}}
    assert list(OpenAPIV31SpecValidator(wrong).iter_errors())
