import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest
from google.protobuf.descriptor import Descriptor

from protomesh.cli.exits import ExitCode
from protomesh.clients import LANGUAGES
from protomesh.contract import mesh_schema
from protomesh.v1 import options_pb2

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("services/*.md"), *ROOT.glob("services/*/*.md")]
)
GUIDES = ROOT / "docs/guides"
REFERENCE = ROOT / "docs/reference"


def keys_in_tables(page: str) -> set[str]:
    """What the first column of a page's tables explains."""
    return set(re.findall(r"^\| `([\w-]+)` +\|", (REFERENCE / page).read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    """A link to a file of the repository names one that is there."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    links = re.findall(r"\]\((?!\w+://|#)([^)#]+)", prose)

    assert [link for link in links if not (page.parent / link).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_paths_in_code_style_exist(page: Path) -> None:
    """What reads as a file of ours is one, or a contract that is imported by that path; patterns aside."""
    paths = re.findall(r"`((?:protomesh|protos|services|scripts|tests|docs)/[\w./-]+)`", page.read_text())
    missing = [path for path in paths if not (ROOT / path).exists() and not (ROOT / "protos" / path).exists()]

    assert [path for path in missing if "NNNN" not in path] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_verbs_exist(page: Path) -> None:
    """Every `make VERB` and `protomesh VERB` that a page tells to type."""
    text = page.read_text()
    rules = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    typed = set(re.findall(r"(?:^|`|&& )make ([a-z]+)", text, re.MULTILINE))
    commands = set(re.findall(r"(?:^|`|bin/)protomesh ([a-z]+)", text, re.MULTILINE))

    assert typed - rules == set()
    assert commands - _verbs() == set()


@cache
def _verbs() -> set[str]:
    """The verbs that the command itself lists."""
    shown = subprocess.run(
        [sys.executable, "-c", "from protomesh.cli.main import main; main()", "--help"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    return set(re.findall(r"^  ([a-z]+) ", shown, re.MULTILINE))


def test_every_rule_is_explained_as_the_code_has_it() -> None:
    """docs/reference/rules.md is made from the rules."""
    done = subprocess.run([sys.executable, ROOT / "scripts/reference", "--check"], capture_output=True, check=False)

    assert done.returncode == 0


def test_every_key_of_mesh_yaml_is_explained() -> None:
    """And no key that there is not."""
    sections = (
        mesh_schema.MeshFile,
        mesh_schema.GatewayFile,
        mesh_schema.AuthFile,
        mesh_schema.EventsFile,
        mesh_schema.ServiceFile,
        mesh_schema.Contracts,
        mesh_schema.Override,
    )

    assert keys_in_tables("mesh-yaml.md") == {key for section in sections for key in section.model_fields}


@pytest.mark.parametrize("message", [options_pb2.ServicePolicy.DESCRIPTOR, options_pb2.MethodPolicy.DESCRIPTOR])
def test_every_field_of_an_option_is_explained(message: Descriptor) -> None:
    """A policy that can be written can be read about."""
    assert {field.name for field in message.fields} - keys_in_tables("options.md") == set()


def test_every_language_of_a_client_is_listed() -> None:
    """What its tests showed, scripts/clients-table writes after a run of them; the rest has to be right before."""
    rows = re.findall(r"^\| (.+) \| (.+) \| (.+) \| (.+) \| .+ \|$", (GUIDES / "clients.md").read_text(), re.MULTILINE)

    assert [(*row[:3], row[3].startswith("calls a mesh")) for row in rows if row[0] != "language"] == [
        (language.title, language.package, language.needs, language.tested) for language in LANGUAGES.values()
    ]


def test_every_exit_code_is_explained() -> None:
    """Scripts rely on them."""
    page = (REFERENCE / "exit-codes.md").read_text()

    assert [code for code in ExitCode if not re.search(rf"^\| {code.value}\b", page, re.MULTILINE)] == []
