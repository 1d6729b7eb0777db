"""The real discovery schema: the one of the installed Envoy."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from google.protobuf.descriptor_pool import DescriptorPool

from protomesh.proxy import Schemas, find


@pytest.fixture(scope="session")
def pool(tmp_path_factory: pytest.TempPathFactory) -> DescriptorPool:
    """Envoy's messages."""
    return Schemas.load(find(), tmp_path_factory.mktemp("schemas")).pool


@pytest.fixture
def run_directory() -> Iterator[Path]:
    """A directory whose path is short enough for a unix socket."""
    with tempfile.TemporaryDirectory(prefix="pm-", dir="/tmp") as directory:
        yield Path(directory)
