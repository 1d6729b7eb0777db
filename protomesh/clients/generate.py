"""Makes a client's package and puts it in its place."""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from protomesh.clients.language import Job, Language
from protomesh.clients.table import rows
from protomesh.clients.tools import Tools
from protomesh.contract.client_contracts import client_contracts
from protomesh.file_tree import replace_tree
from protomesh.model import Topology

__all__ = ["Generated", "generate_client"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Generated:
    """What became of one client."""

    folder: Path
    changed: tuple[Path, ...]
    seconds: float


def generate_client(root: Path, topology: Topology, language: Language, *, internal: bool = False) -> Generated:
    """Makes the client of the project at `root` in `generated/<language>`.

    It is made in a temporary folder first: a failure changes nothing. Files that are as they should be keep their
    modification time, so that a build after it builds only what changed.

    Raises:
        ToolMissing: a program has to be installed first.
        ToolFailed: a program did not end well.
    """
    begun = time.monotonic()
    tools = Tools(root)
    language.check(tools)
    contracts = client_contracts(topology, internal=internal)
    with tempfile.TemporaryDirectory(prefix="protomesh-") as temporary:
        descriptors = Path(temporary) / "contracts.binpb"
        descriptors.write_bytes(contracts.SerializeToString(deterministic=True))
        out = Path(temporary) / language.name
        out.mkdir()
        language.generate(
            Job(
                mesh=topology.name,
                contracts=contracts,
                descriptors=descriptors,
                table=tuple(rows(topology, internal=internal)),
                tools=tools,
                out=out,
                internal=internal,
            )
        )
        folder = root / "generated" / language.name
        changed = replace_tree(out, folder, kept=language.kept)
    return Generated(folder=folder, changed=tuple(changed), seconds=time.monotonic() - begun)
