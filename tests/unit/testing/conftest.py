"""The contracts of tests/unit/runtime, generated once for the session."""

import atexit
import importlib.util
import shutil
import sys
import tempfile
from pathlib import Path

from protomesh.contract.generate import generate_python, python_directory

if importlib.util.find_spec("probe") is None:
    _root = Path(tempfile.mkdtemp(prefix="pm-"))
    atexit.register(shutil.rmtree, _root)
    shutil.copytree(Path(__file__).parents[1] / "runtime" / "protos", _root / "protos")
    generate_python(_root)
    sys.path.insert(0, str(python_directory(_root)))
