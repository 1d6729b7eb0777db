"""What a golden case is translated to. A part that translates adds its output to OUTPUTS, and nothing else."""

from collections.abc import Callable, Mapping

from protomesh.contract import Compilation
from tests.golden.envoy_yaml import envoy_yaml
from tests.golden.model_yaml import model_yaml
from tests.golden.openapi_yaml import openapi_yaml

__all__ = ["OUTPUTS"]

# File name in the case's folder -> its text, from a project without errors.
OUTPUTS: Mapping[str, Callable[[Compilation], str]] = {
    "model.yaml": model_yaml,
    "envoy.yaml": envoy_yaml,
    "openapi.yaml": openapi_yaml,
}
