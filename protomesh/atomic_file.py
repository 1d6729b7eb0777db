"""Files that are replaced as a whole."""

import os
import secrets
from pathlib import Path

__all__ = ["write_atomically"]


def write_atomically(
    path: Path,
    content: str | bytes,
    *,
    private: bool = False,
    owner: tuple[int, int] | None = None,
    mode: int | None = None,
) -> None:
    """Replaces a file's content; whoever opens it sees all of the old one or all of the new one.

    That holds for readers and for a process that is killed in between, which may leave a hidden file beside it; not
    for a machine that loses power. Text is UTF-8. A `private` file is its owner's only (0600), any other one has the
    mode that the umask says, or just `mode`. With `owner`, a user and a group, it is theirs and not ours.

    Raises:
        OSError: it can't be written. The old one is there, and nothing beside it.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600 if private else 0o666)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if mode is not None:
                os.fchmod(descriptor, mode)
            if owner is not None:
                os.fchown(descriptor, *owner)
            file.write(content.encode() if isinstance(content, str) else content)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
