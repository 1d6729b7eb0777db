"""Services that run as users of their own, real ones: what each gets, and what one that was taken over does not."""

import asyncio
import json
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import grpc
import psutil
import pytest

from protomesh.model import Account, Origin, PythonApp, Service
from protomesh.supervisor import Owner
from protomesh.supervisor.account import become
from tests.e2e.mesh import Mesh, eventually, mesh_of
from tests.e2e.public_python import NOBODY, library_path, public_python
from tests.e2e.reach import layout
from tests.e2e.terminal import Terminal
from tests.e2e.test_reload import reload

ACCOUNTS = {"echo": "daemon", "front": "bin", "clock": "games"}  # every Debian has them
# What a service does that was taken over: `paths` to connect to, list or read, then to put something in their place.
INTRUDER = """
import errno, json, os, socket, sys
paths = json.load(sys.stdin)

def get(path):
    if path.endswith(".sock"):
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(10)
            client.connect(path)
    elif os.path.isdir(path):
        os.listdir(path)
    else:
        open(path, "rb").close()

def attempt(path, how):
    try:
        how(path)
    except OSError as error:
        return errno.errorcode[error.errno]
    return "in"

found = {"uid": os.getuid(), "groups": os.getgroups(), "got": {path: attempt(path, get) for path in paths}}
ways = {
    "unlink": os.unlink,
    "rename": lambda path: os.rename(path, path + ".old"),
    "link": lambda path: os.symlink("/tmp", path + ".new"),
    "chmod": lambda path: os.chmod(path, 0o777),
}
found["done"] = {path: sorted({attempt(path, ways[way]) for way in sys.argv[1:]}) for path in paths}
json.dump(found, sys.stdout)
"""
CALLER = """
import sys, grpc, os
from pathlib import Path
from protomesh.runtime.identity import IdentityFiles
egress, identity, authorities, method = sys.argv[1:]
credentials = IdentityFiles(Path(identity), Path(authorities)).read().channel_credentials()
options = [("grpc.default_authority", "mesh"), ("grpc.ssl_target_name_override", "mesh")]
with grpc.secure_channel(f"unix:{egress}", credentials, options=options) as channel:
    try:
        channel.unary_unary(method)(b"", timeout=10)
    except grpc.RpcError as error:
        print(error.code().name, error.details())
    else:
        print("OK")
"""


def owner(account: str) -> Owner:
    """That user of the machine."""
    here = Origin(file="mesh.yaml")
    found = Owner.of(
        Service(
            name="any",
            runs=PythonApp(target="a:b"),
            serves=(),
            account=Account(name=account, origin=here),
            origin=here,
        )
    )
    assert found is not None
    return found


def run_as(who: Owner, argv: Sequence[str], mesh: Mesh, stdin: str | None = None) -> "subprocess.CompletedProcess[str]":
    """A program of that user, in the project's directory."""
    with become(who, argv, mesh.env) as start:
        return subprocess.run(
            start.argv,
            env=start.env,
            pass_fds=start.descriptors,
            cwd=mesh.root,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )


def intrude(service: str, mesh: Mesh, paths: Sequence[str], *arguments: str) -> Any:
    """What that service gets of these, as its own user."""
    argv = [mesh.env["PYTHON"], "-c", INTRUDER, *arguments]
    done = run_as(owner(ACCOUNTS[service]), argv, mesh, json.dumps(paths))
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def set_users(mesh: Mesh, users: Mapping[str, str]) -> None:
    """Writes `user:` into mesh.yaml."""
    file = mesh.root / "mesh.yaml"
    text = file.read_text()
    for service, user in users.items():
        text = text.replace(f"  {service}:\n", f"  {service}:\n    user: {user}\n")
    file.write_text(text)


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A directory that everybody may go into."""
    assert os.getuid() == 0, "this test needs root: it has services run as other users of the machine"
    with tempfile.TemporaryDirectory(prefix="pm-", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


@pytest.fixture(scope="module")
def python(place: Path) -> Path:
    """A Python that everybody may run."""
    return public_python(place)


def prepared(mesh: Mesh, python: Path) -> Mesh:
    """Has it use that Python."""
    mesh.run.chmod(0o755)
    mesh.command = [python, "-c", "import sys; from protomesh.cli.main import main; sys.exit(main())"]
    mesh.env |= {"PYTHON": str(python), **library_path(python)}
    return mesh


@pytest.fixture(scope="module")
def up(generated: Path, place: Path, python: Path) -> Iterator[Mesh]:
    """The mesh with a user for each service, and mutual TLS."""
    root = place / "small"
    shutil.copytree(generated, root)
    with mesh_of(root) as mesh:
        prepared(mesh, python)
        set_users(mesh, ACCOUNTS)
        file = root / "mesh.yaml"
        file.write_text(file.read_text().replace("name: small\n", "name: small\nmtls: true\n"))
        mesh.protomesh("up", check=True)
        yield mesh


def assert_serves(mesh: Mesh) -> None:
    """Each service runs as its user, and reaches what its `calls` allow."""
    assert mesh.call("Ask", {"text": "x"})["caller"] == "front"
    assert mesh.call("GetZone")["zone"] == "UTC"
    rows = {row["name"]: row for row in mesh.status()["services"]}
    where = layout(mesh)
    for service, account in ACCOUNTS.items():
        who = owner(account)
        workers = rows[service]["workers"]
        assert workers
        for worker in workers:
            process = psutil.Process(worker["pid"])
            assert set(process.uids()) == {who.uid}
            assert set(process.gids()) == {who.gid}
            assert {name: process.environ()[name] for name in ("HOME", "USER", "LOGNAME")} == {
                "HOME": who.home,
                "USER": account,
                "LOGNAME": account,
            }
        for path in (
            where.egress_socket(service),
            where.worker_sockets(service),
            where.identity_file(service),
            where.data(service),
        ):
            found = Path(path).stat()
            assert (found.st_uid, found.st_mode & 0o077) == (who.uid, 0), path


def belongings(mesh: Mesh, service: str) -> list[str]:
    """What is that service's: its egress, its workers' sockets, its key and its data."""
    where = layout(mesh)
    workers = [endpoint.removeprefix("unix:") for endpoint in mesh.service(service)["endpoints"]]
    data = Path(where.data(service), "secret")
    if not data.exists():
        data.write_text("x")
        os.chown(data, owner(ACCOUNTS[service]).uid, 0)
        data.chmod(0o600)
    return [where.egress_socket(service), *workers, where.identity_file(service), str(data), str(data.parent)]


def test_a_service_that_was_taken_over_gets_nothing_of_another(up: Mesh) -> None:
    """Nor of the mesh itself; it can put nothing in the place of anything; all that is its own it has."""
    assert_serves(up)
    where = layout(up)
    of_others = [*belongings(up, "echo"), *belongings(up, "clock")]
    of_the_mesh = [str(path) for path in Path(where.run).iterdir() if path.is_file() and path.suffix == ".json"]
    of_the_mesh += [where.admin_socket, where.operator_socket, where.envoy_admin_socket, where.control_socket]
    of_the_mesh += [where.edge_api_socket, where.operator_api_socket, where.service_api_socket, str(where.run)]
    of_the_mesh += [str(where.logs), f"{where.logs}/front.log", f"{where.logs}/echo.log"]

    found = intrude("front", up, [*of_others, *of_the_mesh], "unlink", "rename", "link", "chmod")

    assert (found["uid"], found["groups"]) == (owner("bin").uid, os.getgrouplist("bin", owner("bin").gid))
    assert {path: got for path, got in found["got"].items() if got != "EACCES"} == {}
    assert {path: got for path, got in found["done"].items() if not set(got) <= {"EACCES", "EPERM"}} == {}
    assert set(intrude("front", up, belongings(up, "front"))["got"].values()) == {"in"}
    of_its_egress = [where.egress_socket("front"), where.identity_file("front"), where.authorities_file]
    found = intrude("front", up, of_its_egress, "unlink", "rename", "link")  # its user's, in a directory that is not
    assert list(found["done"].values()) == [["EACCES"]] * 3
    for method, answer in (
        ("echo.v1.EchoService/Whisper", "OK"),
        ("echo.v1.ClockService/GetZone", "PERMISSION_DENIED"),
    ):
        done = run_as(owner("bin"), [up.env["PYTHON"], "-c", CALLER, *of_its_egress, f"/{method}"], up)
        assert done.stdout.startswith(answer), done.stderr
    assert_serves(up)


async def test_what_people_do_leaves_everybody_who_he_is(up: Mesh) -> None:
    """Restart, more workers and a new service by reload, another Envoy, a terminal, a tool for the data."""
    up.protomesh("restart", "front", check=True)
    assert_serves(up)

    file = up.root / "mesh.yaml"
    before = file.read_text()
    more = (
        before.replace("workers: 2", "workers: 3")
        + "  idle: {run: services.front.app:app, user: news, calls: [echo]}\n"
    )
    file.write_text(more)
    await reload(up)
    assert len(up.service("echo")["workers"]) == 3
    assert_serves(up)
    where = layout(up)
    eventually(lambda: Path(where.egress_socket("idle")).stat().st_uid == owner("news").uid, "its egress is its own")
    file.write_text(more.replace("user: news", "user: mail").replace("user: games", "user: no-such-user"))
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await reload(up)
    details = refused.value.details() or ""
    assert "NEEDS_RESTART the user of clock has changed" in details
    assert "mesh.yaml:22:39: NEEDS_RESTART the user of idle has changed" in details
    file.write_text(before)
    await reload(up)
    assert not Path(where.identity_file("idle")).exists()

    os.kill(up.status()["proxy"]["pid"], signal.SIGKILL)
    eventually(lambda: up.protomesh("call", "Ask", '{"text": "x"}').returncode == 0, "another Envoy serves")
    assert_serves(up)

    terminal = Terminal([*up.command, "run", "front"], cwd=up.root, env=up.env)
    try:
        terminal.read_until("every call reaches this terminal")
        socket = up.service("front")["endpoints"][0].removeprefix("unix:")
        assert Path(socket).stat().st_uid == owner("bin").uid
        assert up.call("Ask", {"text": "x"})["caller"] == "front"
    finally:
        terminal.close()
    eventually(lambda: up.service("front")["state"] == "STATE_SERVING", "the mesh's own worker is back")

    (up.root / "services" / "front" / "who.py").write_text("import os; print(os.getuid(), os.environ['USER'])\n")
    tool = (
        "from protomesh.cli.project import Project; from protomesh.cli.service_data import ServiceData;"
        "data = ServiceData.of(Project.find(None), 'front');"
        "data.run('services.front.who'); data.run('services.front.who', as_owner=False)"
    )
    done = await asyncio.to_thread(
        subprocess.run,
        [up.env["PYTHON"], "-c", tool],
        cwd=up.root,
        env=up.env,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines() == [f"{owner('bin').uid} bin", "0 bin"]


def test_what_a_killed_mesh_has_left_is_ended(up: Mesh) -> None:
    """It belongs to others, and `up` ends it all the same."""
    left = [psutil.Process(worker["pid"]) for name in ACCOUNTS for worker in up.service(name)["workers"]]
    pid = up.status()["pid"]
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not any(process.pid == pid for process in up.processes()), "the mesh is dead")
    Path(layout(up).state_file).unlink()
    up.protomesh("up", check=True)
    assert not any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in left)
    assert_serves(up)


def test_what_can_not_be_is_said(generated: Path, place: Path, python: Path) -> None:
    """A user that the machine has not; a mesh that is not root's; a place where the user may not go."""
    root = place / "wrong"
    shutil.copytree(generated, root)
    with mesh_of(root) as mesh:
        prepared(mesh, python)
        set_users(mesh, {"echo": "no-such-user"})
        done = mesh.protomesh("up")
        assert done.returncode == 1
        assert (
            "mesh.yaml:7:5: USER_UNUSABLE echo runs as no-such-user, and this machine has no such user."
            in done.stdout + done.stderr
        )

        (root / "mesh.yaml").write_text((root / "mesh.yaml").read_text().replace("no-such-user", "daemon"))
        root.chmod(0o700)
        done = mesh.protomesh("up")
        assert done.returncode == 1
        printed = " ".join((done.stdout + done.stderr).split())
        assert f"daemon may not enter {root} (drwx------ root root)" in printed, printed

        for path in (root, mesh.run, *root.rglob("*")):
            os.chown(path, NOBODY.uid, NOBODY.gid)
        shutil.rmtree(root / ".protomesh")
        argv = [str(part) for part in (*mesh.command, "up")]
        done = run_as(NOBODY, argv, mesh)
        assert done.returncode == 1
        assert "USER_UNUSABLE echo runs as daemon, and only root can start it so. Start the mesh as root" in (
            done.stdout + done.stderr
        ), done.stdout + done.stderr
