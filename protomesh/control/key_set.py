"""The keys that the issuer has published: what they must be, and where they outlive the control plane."""

import json
import logging
from pathlib import Path

from protomesh.atomic_file import write_atomically

__all__ = ["LARGEST", "InvalidKeySet", "KeySetFile", "check_key_set"]

LARGEST = 64 * 1024  # bytes
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})  # RFC 7518, sections 6.2.2, 6.3.2 and 6.4
_log = logging.getLogger(__name__)


class InvalidKeySet(ValueError):  # noqa: N818 - it names the set's state
    """What should be a key set can't be one, or must not be published."""


class KeySetFile:
    """The last key set of an issuer that Envoy has taken.

    Without it a mesh that starts again would refuse good tokens until its issuer has published. Who removes the
    project's data removes it too.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def read(self) -> str:
        """The set, empty if there is none. One that can't be used is left alone, and said in the log."""
        try:
            key_set = self._path.read_text(encoding="utf-8")
            check_key_set(key_set)
        except FileNotFoundError:
            return ""
        except (OSError, ValueError) as error:
            _log.warning(
                "the key set of the last run can't be used", extra={"file": str(self._path), "why": str(error)}
            )
            return ""
        return key_set

    def write(self, key_set: str) -> None:
        """Keeps a set for the next run. If that fails the next run waits for the issuer, and the log says why."""
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(self._path, key_set, private=True)
        except OSError as error:
            _log.warning("the key set can't be kept", extra={"file": str(self._path), "why": str(error)})


def check_key_set(jwks: str) -> None:
    """Looks whether a text is a JSON Web Key Set (RFC 7517, section 5) of public keys that tokens can name.

    Raises:
        InvalidKeySet: it is not. The text names no part of a key but its kid.
    """
    if len(jwks.encode()) > LARGEST:
        raise InvalidKeySet(f"it has more than {LARGEST} bytes")
    try:
        found = json.loads(jwks)
    except ValueError:
        raise InvalidKeySet("it is not JSON") from None
    members = found.get("keys") if isinstance(found, dict) else None
    if not isinstance(members, list) or not members:
        raise InvalidKeySet('it has no keys; write {"keys": [...]}')
    seen: set[str] = set()
    for index, key in enumerate(members):
        if not isinstance(key, dict) or not isinstance(key.get("kty"), str):
            raise InvalidKeySet(f"keys[{index}] is no key: it has no kty")
        kid = key.get("kid")
        if not isinstance(kid, str) or not kid:
            raise InvalidKeySet(f"keys[{index}] has no kid, so that no token can name it")
        if kid in seen:
            raise InvalidKeySet(f"two keys have the kid {kid!r}")
        if _PRIVATE & key.keys():
            raise InvalidKeySet(f"the key {kid!r} is a private or symmetric one; publish public keys only")
        seen.add(kid)
