"""Secrets that can be recognised wherever they come out: as they are, in base64 or in hexadecimal digits."""

import base64
import secrets
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

__all__ = ["canary", "files_with", "forms", "leaks", "scalar"]


def canary() -> str:
    """A secret that nothing else is equal to. It reads the same in a URL, in JSON and in Python's quotes."""
    return f"canary{secrets.token_hex(12)}"


def scalar(pem: bytes) -> bytes:
    """What is secret in a private key, as it stands inside PEM, DER and (in base64) a JWK."""
    key = serialization.load_pem_private_key(pem, password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return key.private_numbers().private_value.to_bytes(32, "big")


def forms(secret: bytes) -> list[bytes]:
    """The secret by itself, and inside of whatever is written in base64 or in hexadecimal digits."""
    found = [secret, secret.hex().encode(), secret.hex().upper().encode()]
    for before in range(3):  # bytes in front of it in its group of three
        encoded = base64.b64encode(b"\0" * before + secret)
        own = encoded[-(-8 * before // 6) : 8 * (before + len(secret)) // 6]  # digits that say nothing else
        found += [own, own.translate(bytes.maketrans(b"+/", b"-_"))]
    return found


def leaks(canaries: Mapping[str, bytes], content: bytes) -> set[str]:
    """Names of the secrets that are in `content`. Lines of base64 count as one, as in PEM."""
    joined = content.replace(b"\\n", b"").replace(b"\n", b"")
    return {
        name
        for name, secret in canaries.items()
        if any(form in content or form in joined for form in dict.fromkeys(forms(secret)))
    }


def files_with(canaries: Mapping[str, bytes], *directories: Path) -> dict[Path, tuple[int, set[str]]]:
    """The files below some directories in which a secret is: each with its mode, and which."""
    return {
        path: (stat.S_IMODE(path.stat().st_mode), found)
        for path in _files(directories)
        if (found := leaks(canaries, path.read_bytes()))
    }


def _files(directories: Iterable[Path]) -> Iterable[Path]:
    for directory in directories:
        yield from (path for path in sorted(directory.rglob("*")) if path.is_file() and not path.is_symlink())
