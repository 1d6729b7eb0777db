"""Plugins of protoc that are not one file: protoc starts a program, and hands it no arguments of ours."""

import shlex
from collections.abc import Sequence
from pathlib import Path

__all__ = ["write_protoc_plugin"]


def write_protoc_plugin(path: Path, arguments: Sequence[str | Path]) -> Path:
    """Writes a program that is these arguments, and returns its path."""
    path.write_text(f'#!/bin/sh\nexec {shlex.join(map(str, arguments))} "$@"\n', encoding="utf-8")
    path.chmod(0o700)
    return path
