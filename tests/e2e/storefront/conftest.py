"""The shop with its page, up for all tests here."""

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser import running_browser
from tests.e2e.mesh import ROOT, Mesh, copy_shop, mesh_of

STOREFRONT = ROOT / "services/storefront"


@pytest.fixture(scope="session")
def built() -> Path:
    """The page's files, built from the checkout as it is."""
    venv = Path(sys.executable).parents[1]
    done = subprocess.run(
        [ROOT / "scripts/storefront"],
        env=os.environ | {"WEB": "1", "VENV": str(venv)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return STOREFRONT / "dist"


@pytest.fixture(scope="session")
def shop(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mesh]:
    """The shop, up, with what its migrations put there."""
    root = tmp_path_factory.mktemp("storefront") / "shop"
    copy_shop(root)
    shutil.copytree(built, root / "services/storefront/dist")
    with mesh_of(root) as mesh:
        mesh.protomesh("up", check=True)
        yield mesh


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Chromium."""
    async with running_browser() as running:
        yield running
