import shutil
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

import pytest

from protomesh.contract.generate import generate_python, python_directory
from protomesh.testing.database import Databases
from tests.integration.events.bakery import TRANSPORTS, Bakery, create_tables, layout_in


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The project of the two services with its stubs, made once."""
    root = tmp_path_factory.mktemp("bakery") / "project"
    shutil.copytree(Path(__file__).parent / "project", root)
    generate_python(root)
    sys.path.insert(0, str(python_directory(root)))
    yield root
    sys.path.remove(str(python_directory(root)))


@pytest.fixture(params=TRANSPORTS)
async def bakery(request: pytest.FixtureRequest, project: Path, database: Databases) -> AsyncGenerator[Bakery]:
    """The two services with each transport between them, not started. They are ended, whatever happened."""
    urls = {name: database.url("protomesh.runtime.store") for name in ("bakery", "shelf")}
    outbox, shelf = await database.open(urls["bakery"]), await database.open(urls["shelf"])
    await create_tables(shelf)
    with tempfile.TemporaryDirectory(prefix="pm", dir="/tmp") as directory:
        layout = layout_in(directory)
        async with TRANSPORTS[request.param](layout) as between:
            made = Bakery(project, layout, urls, between, outbox, shelf)
            try:
                yield made
            finally:
                await made.stop()
                shutil.rmtree(project / "data", ignore_errors=True)
                for log in project.glob("*.log"):
                    log.unlink()
