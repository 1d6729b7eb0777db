#!/usr/bin/env python3
"""Measures the figures that the documentation promises, on the shop, and prints them beside their bounds.

    python tests/load/figures.py            # prints a table, exits 1 if a median misses its bound
    python tests/load/figures.py --write    # and writes docs/reference/figures.md

The shop is copied to a directory of its own and run there on a free port, with a fresh database, so that a mesh that
is up in the checkout is not disturbed. What wrapping a handler costs comes from handler_wrapping.py, and
what a look for many streams costs from watching.py, both without a mesh; how long clients take to make, from
clients.py.
"""

import argparse
import asyncio
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from protomesh.admin.v1 import admin_service_pb2 as admin  # noqa: E402 - after the path is set
from protomesh.cli.connection import connect  # noqa: E402
from protomesh.cli.project import Project  # noqa: E402
from tests.e2e.mesh import COMMAND, Mesh, copy_shop, mesh_of  # noqa: E402

RUNS = 5
PUSHES = 200
PAGE = ROOT / "docs/reference/figures.md"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """What was promised and what was measured, in `unit`."""

    name: str
    unit: str
    bound: float
    samples: list[float]

    @property
    def median(self) -> float:
        """The figure to quote."""
        return statistics.median(self.samples)

    def row(self) -> str:
        """A line of the table."""
        low, high = min(self.samples), max(self.samples)
        return (
            f"| {self.name} | {self.bound:g} {self.unit} | {self.median:.3g} {self.unit} "
            f"| {low:.3g} to {high:.3g}, {len(self.samples)} runs |"
        )


@contextmanager
def shop() -> Iterator[Mesh]:
    """The shop in a directory of its own, not started; down at the end."""
    with tempfile.TemporaryDirectory() as directory:
        root = Path(directory, "shop")
        copy_shop(root)
        with mesh_of(root) as mesh:
            yield mesh


def help_time() -> Figure:
    """`protomesh --help`, as a whole process."""
    samples = []
    for _ in range(RUNS + 1):
        begin = time.perf_counter()
        subprocess.run([COMMAND, "--help"], stdout=subprocess.DEVNULL, check=True)
        samples.append(time.perf_counter() - begin)
    return Figure(name="`protomesh --help`", unit="s", bound=0.3, samples=samples[1:])


def start_times(mesh: Mesh) -> tuple[Figure, Figure]:
    """`protomesh up` until every service serves through Envoy: with an empty data directory, and later."""
    first: list[float] = []
    later: list[float] = []
    for _ in range(RUNS):
        shutil.rmtree(mesh.root / ".protomesh/data", ignore_errors=True)
        for samples in (first, later):
            begin = time.perf_counter()
            mesh.protomesh("up", check=True)
            samples.append(time.perf_counter() - begin)
            mesh.protomesh("down", check=True)
    return (
        Figure(name="`up` to all seven SERVING, first run (migrations, seed)", unit="s", bound=8, samples=first),
        Figure(name="`up` to all seven SERVING", unit="s", bound=5, samples=later),
    )


def resident(mesh: Mesh) -> Figure:
    """Memory of control plane and supervisor (one process) and Envoy."""
    status = mesh.status()
    pids = (status["pid"], status["proxy"]["pid"])
    total = sum(psutil.Process(pid).memory_info().rss for pid in pids)
    return Figure(name="supervisor and Envoy, resident", unit="MB", bound=250, samples=[total / 1e6])


def workers(mesh: Mesh) -> Figure:
    """Memory of each service's workers, after they have begun to serve."""
    pids = [pid for service in mesh.status()["services"] for pid in _pids(service)]
    samples = [psutil.Process(pid).memory_info().rss / 1e6 for pid in pids]
    return Figure(name="a service worker, resident", unit="MB", bound=140, samples=samples)


def _pids(service: dict[str, Any]) -> list[int]:
    return [worker["pid"] for worker in service["workers"]]


async def acknowledgements(mesh: Mesh) -> Figure:
    """A change of an endpoint's weight, from the admin API's request to its answer, which waits for Envoy's ACK."""
    samples = []
    async with connect(Project.find(mesh.root)) as stub:
        status = (await stub.GetStatus(admin.GetStatusRequest())).status
        addresses = next(s.endpoints for s in status.services if s.name == "catalog")
        for push in range(PUSHES):
            endpoints = [admin.Endpoint(address=a, weight=1 + push % 2) for a in addresses]
            begin = time.perf_counter()
            await stub.ReportEndpoints(admin.ReportEndpointsRequest(service="catalog", endpoints=endpoints))
            samples.append(1000 * (time.perf_counter() - begin))
    return Figure(name="change of endpoint weights to Envoy's ACK", unit="ms", bound=20, samples=samples)


def wrapping() -> Figure:
    """CPU of a call whose handler is wrapped, over that of a bare one; a sample for each kind of call.

    Where the request has rules, the bare handler checks them too: that costs the same whoever does it.
    """
    script = Path(__file__).with_name("handler_wrapping.py")
    done = subprocess.run([sys.executable, script], stdout=subprocess.PIPE, text=True, check=True)
    ratios = [float(ratio) for ratio in re.findall(r"ratio ([0-9.]+)", done.stdout)]
    return Figure(
        name="wrapping a handler, beside checking the request's rules",
        unit="%",
        bound=5,
        samples=[100 * (ratio - 1) for ratio in ratios],
    )


def relayed(transport: str, way: str) -> Figure:
    """500 events of a long backlog, from the outbox of one service to the database of another."""
    samples = []
    for _ in range(3):
        script = Path(__file__).with_name("events.py")
        done = subprocess.run(
            [sys.executable, script, "5000", transport], stdout=subprocess.PIPE, text=True, check=True
        )
        samples += [float(seconds) for seconds in re.findall(r"500 in ([0-9.]+) s", done.stdout)]
    return Figure(name=f"500 events, from outbox through {way} to applied", unit="s", bound=1, samples=samples)


def watching() -> Figure:
    """CPU of a change of the database with 500 streams that follow things in it, over that of a look for each."""
    script = Path(__file__).with_name("watching.py")
    done = subprocess.run([sys.executable, script], stdout=subprocess.PIPE, text=True, check=True)
    return Figure(
        name="a change that 500 streams look for, beside a look for each",
        unit="%",
        bound=20,
        samples=[100 * float(share) for share in re.findall(r"; share ([0-9.]+)", done.stdout)],
    )


def policies() -> Figure:
    """CPU of Envoy for a call with the whole policy set, over that of a call that is proxied and nothing else."""
    script = Path(__file__).with_name("policies.py")
    done = subprocess.run([sys.executable, script], stdout=subprocess.PIPE, text=True, check=False)  # 1: missed
    samples = [float(cost) for cost in re.findall(r"more (-?[0-9.]+) us", done.stdout)]
    return Figure(name="Envoy's CPU for the policies of a call", unit="us", bound=55, samples=samples)


def clients() -> Figure:
    """A client of the shop, made anew with tools that are there; a sample for each language whose are."""
    script = Path(__file__).with_name("clients.py")
    done = subprocess.run([sys.executable, script], stdout=subprocess.PIPE, text=True, check=False)  # 1: missed
    samples = [float(seconds) for seconds in re.findall(r": ([0-9.]+) s, ", done.stdout)]
    return Figure(name="`clients` in one language, tools installed", unit="s", bound=30, samples=samples)


def checkouts() -> list[Figure]:
    """The p99 of PlaceOrder, the whole saga through the edge, in milliseconds."""
    script = Path(__file__).with_name("checkout.py")
    done = subprocess.run([sys.executable, script], stdout=subprocess.PIPE, text=True, check=False)  # 1: missed
    found = re.findall(r"(\d+) callers: .* p99 ([0-9.]+) ms, .*below (\d+) ms", done.stdout)
    return [
        Figure(name=f"PlaceOrder, p99 of {callers} callers", unit="ms", bound=int(bound), samples=[float(p99)])
        for callers, p99, bound in found
    ]


def page(figures: list[Figure]) -> str:
    """docs/reference/figures.md."""
    machine = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, Python {platform.python_version()}"
    return "\n".join(
        [
            "# Figures",
            "",
            f"Measured by `python tests/load/figures.py --write` on {machine}; median, and the range of the runs.",
            "A median over its bound is a promise not kept yet.",
            "",
            "| what | bound | median | range |",
            "|---|---|---|---|",
            *(figure.row() for figure in figures),
            "",
        ]
    )


def main() -> int:
    """Measures everything once."""
    parser = argparse.ArgumentParser(description="Measures the figures that the documentation promises.")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    chosen = parser.parse_args()
    with shop() as mesh:
        os.environ |= {"XDG_RUNTIME_DIR": str(mesh.run)}
        figures = [help_time(), *start_times(mesh)]
        mesh.protomesh("up", check=True)
        figures += [resident(mesh), workers(mesh), asyncio.run(acknowledgements(mesh))]
    figures += [wrapping(), relayed("mesh", "Envoy"), relayed("nats", "NATS"), watching(), policies(), clients()]
    figures += checkouts()
    text = page(figures)
    print(text)
    if chosen.write:
        PAGE.write_text(text)
    missed = [figure.name for figure in figures if figure.median > figure.bound]
    if missed:
        print(f"missed: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
