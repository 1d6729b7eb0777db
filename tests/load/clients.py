#!/usr/bin/env python3
"""How long `protomesh clients` takes for one language, for the shop, once its tools are installed.

    python tests/load/clients.py           # prints seconds for each language, exits 1 if one misses 30

Each client is made into a folder of its own, twice: the first time installs what pins name, the second is measured. So
nothing that is there makes it faster but the tools themselves.
"""

import shutil
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from protomesh.clients import LANGUAGES, ToolMissing, generate_client  # noqa: E402 - after the path is set
from protomesh.contract import compile_project  # noqa: E402

BOUND = 30


def main() -> int:
    """Measures each language whose tools are there."""
    topology = compile_project(ROOT).topology
    missed = False
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory)
        tools = ROOT / ".protomesh/tools"
        tools.mkdir(parents=True, exist_ok=True)
        (root / ".protomesh").mkdir()
        (root / ".protomesh/tools").symlink_to(tools)
        for name, language in LANGUAGES.items():
            try:
                generate_client(root, topology, language)
                shutil.rmtree(root / "generated")
                made = generate_client(root, topology, language)
            except ToolMissing as missing:
                print(f"{name}: {missing}")
                continue
            print(f"{name}: {made.seconds:.2f} s, {len(made.changed)} files")
            missed |= made.seconds > BOUND
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
