import asyncio
import uuid
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from protomesh.runtime import InvalidSettings, Secret
from protomesh.runtime.settings import read_settings
from protomesh.runtime.store import Database
from protomesh.testing.database import Databases
from services.identity.administrator import first_administrator
from services.identity.passwords import Passwords
from services.identity.settings import Settings
from shop.identity.v1 import IdentityServiceStub, InvalidCredentials, LoginRequest, RegisterRequest
from tests.services.clock import Clock
from tests.services.identity.stand_ins import Envoys

Start = Callable[..., Awaitable[None]]
EMAIL = "Admin@shop.local"
CHOSEN = "a password from the settings"


@pytest.fixture
def start(db: Database, passwords: Passwords, clock: Clock) -> Start:
    """Does what a worker does when it starts."""

    async def started(*, password: str | None = None, email: str = EMAIL, db: Database = db) -> None:
        await first_administrator(
            db,
            passwords,
            email=email,
            password=None if password is None else Secret(password),
            now=clock,
            new_id=lambda: str(uuid.uuid4()),
            new_password=lambda: f"made up {uuid.uuid4()}",
        )

    return started


async def login(identity: IdentityServiceStub, password: str) -> str:
    """The access token of the administrator."""
    answer = await identity.Login(LoginRequest(email=EMAIL, password=password))
    return answer.tokens.access_token


async def test_the_password_comes_from_the_settings(
    start: Start, identity: IdentityServiceStub, envoys: Envoys
) -> None:
    """It is told nobody, and the tokens have the scope."""
    with capture_logs() as logs:
        await start(password=CHOSEN)
    assert CHOSEN not in str(logs)
    claims = envoys.verify(await login(identity, CHOSEN))
    assert claims["scope"] == "shop.admin shop.customer"


async def test_a_password_is_made_up_and_told_once(start: Start, identity: IdentityServiceStub) -> None:
    """At the first start, in the log."""
    with capture_logs() as logs:
        await start()
        await start()
    [told] = [entry["password"] for entry in logs if "password" in entry]
    assert await login(identity, told)


async def test_two_workers_register_one_administrator(
    start: Start, identity: IdentityServiceStub, db: Database, database: Databases
) -> None:
    """And tell one password, which counts."""
    other = await database.open(db.url)
    with capture_logs() as logs:
        await asyncio.gather(start(), start(db=other))
    [told] = [entry["password"] for entry in logs if "password" in entry]
    assert await login(identity, told)


async def test_another_password_in_the_settings_changes_nothing_later(
    start: Start, identity: IdentityServiceStub
) -> None:
    """Settings are for the first start; whoever can change them is not thereby the administrator."""
    await start(password=CHOSEN)
    await start(password="another password", email="second@shop.local")
    with pytest.raises(InvalidCredentials):
        await login(identity, "another password")
    assert await login(identity, CHOSEN)


async def test_a_customer_does_not_become_the_administrator(
    start: Start, identity: IdentityServiceStub, envoys: Envoys
) -> None:
    """By having the e-mail address: the worker does not start, and says why."""
    await identity.Register(RegisterRequest(email=EMAIL, password="the customer's own"))
    with pytest.raises(InvalidSettings, match="ADMIN_EMAIL"):
        await start(password=CHOSEN)
    assert envoys.verify(await login(identity, "the customer's own"))["scope"] == "shop.customer"


def test_settings_that_can_not_work_are_told_together() -> None:
    """By the names of their variables, without their values."""
    with pytest.raises(InvalidSettings) as wrong:
        read_settings(Settings, {"ACCESS_TOKEN_LIFETIME": "0s", "ADMIN_PASSWORD": "short", "ADMIN_EMAIL": "root"})
    assert "ACCESS_TOKEN_LIFETIME" in str(wrong.value)
    assert "ADMIN_PASSWORD" in str(wrong.value)
    assert "ADMIN_EMAIL" in str(wrong.value)
    assert "short" not in str(wrong.value)


def test_there_is_no_default_password() -> None:
    """Of all settings this one must not have one."""
    assert read_settings(Settings, {}).admin_password is None
