"""Where somebody left off who was told how one thing changes: the `resume_token` of Watch and Subscribe methods."""

from protomesh.runtime.errors import StatusError
from protomesh.runtime.store.opaque import from_text, to_text

__all__ = ["read_resume_token", "resume_token"]


def resume_token(subject: str, position: int) -> str:
    """The token of somebody who has been told a subject up to a position, as its version.

    It says what it is about, so that it fits nothing else. It has no secret and needs none: it says where to go on and
    grants nothing, since every stream is read with the rights of the call that asks for it.
    """
    return to_text(f"{subject}:{position}".encode())


def read_resume_token(token: str, subject: str, refusal: str) -> int:
    """The position up to which the token's owner has been told.

    Raises:
        StatusError: The token is not one of this subject (INVALID_ARGUMENT, with `refusal` as its text).
    """
    try:
        about, _, position = from_text(token).decode().rpartition(":")
        if about == subject:
            return int(position)
    except ValueError:
        pass  # as wrong as one of another subject
    raise StatusError.invalid("resume_token", refusal)
