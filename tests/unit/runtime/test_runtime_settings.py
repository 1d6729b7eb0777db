import enum
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from protomesh.runtime import InvalidSettings, Secret
from protomesh.runtime.settings import read_settings


class Mode(enum.StrEnum):
    """A setting with few values."""

    LIVE = "live"
    TEST = "test"


@dataclass(frozen=True)
class Payments:
    """One setting of each type."""

    api_key: Secret
    provider_url: str
    attempts: int
    fee: float
    wait: timedelta
    mode: Mode
    certificate: Path | None
    sandbox: bool = False
    currencies: tuple[str, ...] = ("EUR",)
    limits: tuple[int, ...] = field(default_factory=tuple)


GIVEN = {
    "API_KEY": "k3y",
    "PROVIDER_URL": "https://pay",
    "ATTEMPTS": "3",
    "FEE": "0.5",
    "WAIT": "1.5s",
    "MODE": "live",
    "SANDBOX": "Yes",
    "LIMITS": "1, 2,3",
}


def test_settings_are_read_by_their_types() -> None:
    """From the variable of the field's name; what is not set has its default, or is None where it may be."""
    settings = read_settings(Payments, GIVEN)
    assert settings == Payments(
        api_key=Secret("k3y"),
        provider_url="https://pay",
        attempts=3,
        fee=0.5,
        wait=timedelta(seconds=1.5),
        mode=Mode.LIVE,
        certificate=None,
        sandbox=True,
        currencies=("EUR",),
        limits=(1, 2, 3),
    )
    assert read_settings(Payments, {**GIVEN, "CERTIFICATE": "/a", "SANDBOX": "0"}).certificate == Path("/a")


def test_all_wrong_settings_are_named_at_once_and_no_value_is_printed() -> None:
    """A value in the wrong variable may be a secret."""
    given = {"PROVIDER_URL": "", "ATTEMPTS": "hunter2", "FEE": "1", "WAIT": "hunter2", "MODE": "hunter2", "LIMITS": "x"}
    with pytest.raises(InvalidSettings) as caught:
        read_settings(Payments, given)
    message = str(caught.value)
    assert message == (
        "API_KEY is not set; it has to be text; "
        "PROVIDER_URL is not set; it has to be text; "
        "ATTEMPTS has to be a whole number; "
        "WAIT has to be a duration such as 500ms or 2s; "
        "MODE has to be one of live, test; "
        "LIMITS has to be a whole number, with commas"
    )
    assert "hunter2" not in repr(caught.value)


def test_a_secret_is_not_printed() -> None:
    """Neither alone nor in the settings that hold it."""
    settings = read_settings(Payments, GIVEN)
    assert settings.api_key.reveal() == "k3y"
    for text in (str(settings), repr(settings), f"{settings.api_key}", str([settings.api_key])):
        assert "k3y" not in text


def test_a_type_that_no_text_can_give_is_a_mistake_in_the_code() -> None:
    """It is told by the field's name, before any value is looked at."""

    @dataclass(frozen=True)
    class Wrong:
        table: dict[str, str]

    with pytest.raises(TypeError, match=r"Wrong\.table: settings can't have the type dict"):
        read_settings(Wrong, {"TABLE": "x"})
    with pytest.raises(TypeError, match="Mode is not a dataclass"):
        read_settings(Mode, {})
