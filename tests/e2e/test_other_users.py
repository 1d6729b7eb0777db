"""Another user of the machine, a real one: what it gets of a running mesh."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.mesh import Mesh
from tests.e2e.reach import layout
from tests.e2e.test_mtls import set_mtls

STRANGER = 65534  # "nobody", wherever there is one; no account need have it
# Begins as root, so that everything that it needs is loaded, and is somebody else for all that counts.
ATTEMPTS = f"""
import errno, json, os, socket, sys

paths = json.load(sys.stdin)
if sys.argv[1] == "stranger":
    os.setgroups([])
    os.setresgid({STRANGER}, {STRANGER}, {STRANGER})
    os.setresuid({STRANGER}, {STRANGER}, {STRANGER})

def attempt(path):
    try:
        if path.endswith(".sock"):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(10)
                client.connect(path)
        elif os.path.isdir(path):
            os.listdir(path)
        else:
            open(path, "rb").close()
    except OSError as error:
        return errno.errorcode[error.errno]
    return "in"

json.dump({{path: attempt(path) for path in paths}}, sys.stdout)
"""


@pytest.fixture(params=["plain", "mtls"])
def up(mesh: Mesh, request: pytest.FixtureRequest) -> Mesh:
    """The mesh, in a place that everybody may enter: what keeps others out is its own."""
    assert os.getuid() == 0, "this test needs root: it acts as another user of the machine"
    if request.param == "mtls":
        set_mtls(mesh)
    mesh.run.chmod(0o755)
    mesh.protomesh("up", check=True)
    return mesh


def attempts(who: str, paths: list[str]) -> dict[str, str]:
    """What becomes of an attempt to connect to, list or read each of these: "in", or the error."""
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPTS, who], input=json.dumps(paths), capture_output=True, text=True, check=True
    )
    found: dict[str, str] = json.loads(done.stdout)
    return found


def test_another_user_gets_nothing(up: Mesh) -> None:
    """No socket of workers, egress, operator, administration; no key, no log, no data. Its own user gets all of it."""
    where = layout(up)
    sockets = [str(path) for path in Path(where.run).rglob("*.sock")]
    for needed in (where.egress_socket("front"), where.operator_socket, where.admin_socket, where.envoy_admin_socket):
        assert needed in sockets
    assert [endpoint.removeprefix("unix:") in sockets for endpoint in up.service("echo")["endpoints"]] == [True, True]
    files = [str(path) for path in Path(where.run).iterdir() if path.is_file()]
    logs = [str(path) for path in Path(where.logs).iterdir()]
    assert {Path(log).name for log in logs} >= {"echo.log", "envoy.log", "access.log", "mesh.log"}
    paths = [str(where.run), *sockets, *files]

    assert set(attempts("owner", paths).values()) == {"in"}
    assert set(attempts("stranger", [*paths, str(where.run.parent)]).values()) == {"EACCES"}

    # Each is closed by itself, too: the directory is not all that there is between.
    for directory in (Path(where.run).parent, Path(where.run)):
        directory.chmod(0o755)
    opened = attempts("stranger", [*sockets, *files])
    assert {path: got for path, got in opened.items() if got != "EACCES"} == {}

    for directory in (up.root, *up.root.parents, Path(where.state), Path(where.logs)):
        if str(directory).startswith("/tmp/"):
            directory.chmod(0o755)
    opened = attempts("stranger", [*logs, str(where.data("echo"))])
    assert {path: got for path, got in opened.items() if got != "EACCES"} == {}
