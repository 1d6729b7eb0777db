"""The commands of docs/tour.md, as a reader types them in a checkout of their own, on a free port."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.mesh import Mesh, mesh_of
from tests.e2e.terminal import Terminal

ROOT = Path(__file__).resolve().parents[2]
DERIVED = ("__pycache__", ".*cache", ".git", ".protomesh", ".venv", "build", "dist", "node_modules")


@dataclass(frozen=True)
class Reader:
    """Somebody with a checkout, a terminal, and the tour in front of them."""

    mesh: Mesh
    commands: tuple[str, ...]

    def type(self, command: str) -> str:
        """Runs a command of the tour; returns what it prints.

        Raises:
            AssertionError: it fails.
        """
        done = subprocess.run(
            command, shell=True, cwd=self.mesh.root, env=self.mesh.env, capture_output=True, text=True, timeout=90,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{command}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def command(self, beginning: str) -> str:
        """The tour's one command that begins so."""
        (found,) = (command for command in self.commands if command.startswith(beginning))
        return found


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader who has done what the first paragraph says: `make up`."""
    root = tmp_path_factory.mktemp("tour") / "protomesh"
    shutil.copytree(
        ROOT, root, symlinks=True, ignore=shutil.ignore_patterns(*DERIVED)
    )  # a golden case has one to nowhere
    with mesh_of(root) as mesh:
        for name in ("VENV", "MAKEFLAGS", "MAKELEVEL", "PYTHONPATH"):
            mesh.env.pop(name, None)
        _set_up(root)
        page = (root / "docs/tour.md").read_text().replace("127.0.0.1:8080", mesh.gateway)
        reader = Reader(mesh, tuple(_commands(page)))
        reader.type("make up")
        yield reader


@pytest.fixture(scope="module")
def order(reader: Reader) -> Any:
    """What the third command of the tour answers; the first two make a customer of the reader."""
    register, login = (command for command in reader.commands if "/v1/users:" in command)
    assert json.loads(reader.type(register))["user"]["email"] == "you@example.com"
    reader.type(login)
    return json.loads(reader.type(reader.command("curl -H")))["order"]


def test_every_command_of_the_tour_is_run_here(reader: Reader) -> None:
    """Whoever adds one adds its test."""
    assert [command.split()[:2] for command in reader.commands] == [
        ["curl", "--json"],
        ["curl", "--json"],
        ["curl", "-H"],
        ["make", "explain"],
        [".venv/bin/protomesh", "logs"],
        [".venv/bin/protomesh", "run"],
    ]


def test_the_order_is_placed(order: Any) -> None:
    """It comes back through the transcoder, as JSON."""
    assert order["orderId"]
    assert [(line["productId"], line["quantity"]) for line in order["lines"]] == [("assam-tea", 2)]


def test_explain_shows_what_the_tour_says_of_the_method(reader: Reader) -> None:
    """Its options with their lines, and the route by REST."""
    shown = reader.type(reader.command("make explain"))

    for said in (
        "protos/shop/orders/v1/orders_service.proto:",
        "10 s",
        "user",
        "POST /v1/orders",
        "acknowledged by Envoy",
    ):
        assert said in shown, shown


@pytest.mark.usefixtures("order")
def test_the_logs_show_the_call_under_one_request_id(reader: Reader) -> None:
    """What inventory, orders and payments logged of it."""
    shown = reader.type(reader.command(".venv/bin/protomesh logs"))

    ids: dict[str, set[str]] = {}
    for entry in map(json.loads, shown.splitlines()):
        ids.setdefault(entry["service"], set()).add(entry.get("request_id", ""))
    assert (ids["orders"] & ids["inventory"]) - {""}, shown


def test_a_worker_in_the_terminal_answers_the_order_placed_again(reader: Reader, order: Any) -> None:
    """It is the same order: a repeat gets the first answer."""
    command = reader.command(".venv/bin/protomesh run")
    terminal = Terminal(command.split(), cwd=reader.mesh.root, env=reader.mesh.env)
    try:
        terminal.read_until("orders runs here now: every call reaches this terminal. Ctrl-C gives it back.")

        assert json.loads(reader.type(reader.command("curl -H")))["order"] == order
        assert reader.mesh.service("orders")["state"] == "STATE_ATTACHED"
    finally:
        terminal.type("\x03")
        terminal.wait()
        terminal.close()


def _commands(page: str) -> Iterator[str]:
    """What the page's blocks tell to type; a line that ends with a backslash goes on."""
    for block in re.findall(r"^```\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        yield from block.replace("\\\n", " ").splitlines()


def _set_up(root: Path) -> None:
    """Makes the environment that `scripts/setup up` would, out of the packages that the tests run with.

    Nothing is downloaded; scripts/setup then finds it fresh, as the second time that somebody types `make up`.
    """
    environment = root / ".venv"
    venv.create(environment, with_pip=False, symlinks=True)
    python = environment / "bin/python"
    packages = Path(sysconfig.get_path("purelib", vars={"base": str(environment)}))
    for installed in Path(sysconfig.get_path("purelib")).iterdir():
        if installed.suffix != ".pth":  # those name the checkout that the tests run in
            (packages / installed.name).symlink_to(installed)
    (packages / "checkout.pth").write_text(f"{root}\n{root / 'generated/python'}\n")
    for script in Path(sys.executable).parent.iterdir():
        content = script.read_bytes()
        if content.startswith(b"#!") and sys.executable.encode() in content:
            copied = environment / "bin" / script.name
            copied.write_bytes(content.replace(sys.executable.encode(), str(python).encode()))
            copied.chmod(0o755)
    stamp = environment / ".protomesh/up"
    stamp.parent.mkdir()
    version = subprocess.run([python, "-V"], capture_output=True, text=True, check=True).stdout
    texts = [(root / name).read_text() for name in ("pyproject.toml", "locks/up.txt")]
    stamp.write_text("".join([f"{os.path.realpath(root)}\n", version, *texts]))
