"""A run directory of its own for each test, and an agent in it."""

import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from protomesh.model import Layout
from protomesh.supervisor import Agent, StateFile, claim, layout_for, release
from tests.unit.supervisor.programs import PROGRAM, Control, environment


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project directory whose run directory is in a short private place."""
    with tempfile.TemporaryDirectory(prefix="pm-", dir="/tmp") as short:
        monkeypatch.setenv("XDG_RUNTIME_DIR", short)
        project = tmp_path / "project"
        project.mkdir()
        (project / "program.py").write_text(PROGRAM)
        yield project


@pytest.fixture
def layout(root: Path) -> Iterator[Layout]:
    """The claimed layout of `root`."""
    layout = layout_for(root)
    claim(layout)
    yield layout
    release(layout)


@pytest.fixture
def control() -> Control:
    """The control plane that the agent reports to."""
    return Control()


@pytest.fixture
async def agent(root: Path, layout: Layout, control: Control) -> AsyncIterator[Agent]:
    """An agent that is stopped at the end, whatever happened."""
    agent = Agent(root, layout, admin=control, environment=environment, state=StateFile(layout))
    yield agent
    await agent.stop()
