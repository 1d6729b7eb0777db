"""Whether Envoy accepts a configuration."""

import asyncio
import json
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from protomesh.proxy.errors import ConfigurationRefused
from protomesh.proxy.find import EnvoyBinary

__all__ = ["reason", "validate"]

_BEFORE = re.compile(r"^.*?error initializing configuration '[^']*': ", re.DOTALL)
_LOG_PREFIX = re.compile(r"^\[[^]]*\]\[\d+\]\[[^]]*\]\[[^]]*\]\s*(\[[^]]*\]\s*)?", re.MULTILINE)
_MARK = re.compile(r"goo\.gle/debug\w+")  # protobuf's reminder that this text is for people
_CONSTRAINT = ": Proto constraint validation failed"
_LONGEST = 400


async def validate(binary: EnvoyBinary, bootstrap: Mapping[str, Any]) -> None:
    """Asks Envoy whether it would run with `bootstrap`; nothing is bound and nothing is connected.

    Takes 50 to 400 ms. Envoy checks `static_resources` only: what comes by ADS must be rendered there to be seen.

    Raises:
        ConfigurationRefused: it would not; the reason is Envoy's own, shortened to its end.
    """
    with tempfile.TemporaryDirectory(prefix="protomesh-") as directory:
        file = Path(directory) / "envoy.json"
        file.write_text(json.dumps(bootstrap), encoding="utf-8")
        process = await asyncio.create_subprocess_exec(
            binary.path,
            *("--mode", "validate", "--config-path", str(file), "--log-level", "error"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await process.communicate()
        except BaseException:
            if process.returncode is None:
                process.kill()
                await process.wait()
            raise
    if process.returncode != 0:
        raise ConfigurationRefused(reason(output.decode(errors="replace")) or f"exit code {process.returncode}")


def reason(text: str) -> str:
    """The useful end of what Envoy says when it refuses a configuration, in a NACK or in its log: one line.

    A violated constraint comes behind the whole message that violates it, and as a chain of causes; only the last
    cause is for people.
    """
    if _CONSTRAINT in text:
        return text.rpartition(_CONSTRAINT)[2].rpartition("caused by ")[2].strip().removeprefix("(").removesuffix(")")
    text = _LOG_PREFIX.sub("", _BEFORE.sub("", _MARK.sub("", text)))
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else f"... {line[-_LONGEST:]}"
