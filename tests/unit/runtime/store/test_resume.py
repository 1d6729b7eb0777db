import grpc
import pytest

from protomesh.runtime.errors import StatusError
from protomesh.runtime.store import read_resume_token, resume_token
from protomesh.runtime.store.opaque import to_text


@pytest.mark.parametrize(("subject", "position"), [("matcha", 1), ("a:b:c", 0), ("grün", 10**18)])
def test_a_token_says_where_its_owner_left_off(subject: str, position: int) -> None:
    """Whatever the subject is called."""
    assert read_resume_token(resume_token(subject, position), subject, "is none") == position


@pytest.mark.parametrize(
    "token",
    [
        resume_token("sencha", 1),
        "%%%",
        "ÿ",
        "A",
        to_text(b"matcha"),
        to_text(b"matcha:one"),
        to_text(b"matcha:"),
        to_text(b"\xff:1"),
    ],
)
def test_any_other_token_is_refused_in_the_methods_words(token: str) -> None:
    """INVALID_ARGUMENT names the field."""
    with pytest.raises(StatusError) as refused:
        read_resume_token(token, "matcha", "is not one that WatchStock gave out for matcha")
    assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert "resume_token" in str(refused.value)
    assert "is not one that WatchStock gave out for matcha" in str(refused.value)
