"""An identity with everything that a worker gives it, but for time, cost and mesh."""

import uuid
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager
from datetime import timedelta

import pytest
from argon2 import PasswordHasher

from protomesh.runtime import User
from protomesh.runtime.store import Database
from protomesh.testing.database import Databases
from protomesh.testing.serving import serving
from services.identity.keys import Keys, new_key
from services.identity.passwords import Passwords
from services.identity.service import Identity
from services.identity.tokens import Tokens
from shop.identity.v1 import IdentityServiceStub
from tests.services.clock import Clock
from tests.services.identity.stand_ins import AUDIENCE, ISSUER, Envoys

As = Callable[[str], AbstractAsyncContextManager[IdentityServiceStub]]


@pytest.fixture
def clock() -> Clock:
    """The time."""
    return Clock()


@pytest.fixture
def envoys(clock: Clock) -> Envoys:
    """Those who verify tokens."""
    return Envoys(clock)


@pytest.fixture
async def db(database: Databases) -> Database:
    """Identity's database as the shop opens with it."""
    return await database("services.identity")


@pytest.fixture
async def passwords() -> AsyncGenerator[Passwords]:
    """Real hashes at no cost."""
    async with Passwords(PasswordHasher(memory_cost=8, time_cost=1, parallelism=1)) as made:
        yield made


@pytest.fixture
def keys(db: Database, envoys: Envoys, clock: Clock) -> Keys:
    """The keys, none of them made yet."""
    return Keys(
        db,
        envoys.publish,
        mesh="here",
        lifetime=timedelta(days=1),
        token_lifetime=timedelta(minutes=5),
        now=clock,
        generate=new_key,
        patience=timedelta(0),
    )


@pytest.fixture
async def servicer(db: Database, passwords: Passwords, keys: Keys, clock: Clock) -> Identity:
    """The servicer, with a key to sign with."""
    await keys.keep()
    tokens = Tokens(issuer=ISSUER, audience=AUDIENCE, lifetime=timedelta(minutes=5), new_id=lambda: str(uuid.uuid4()))
    return Identity(
        db,
        passwords,
        keys,
        tokens,
        refresh_token_lifetime=timedelta(days=30),
        now=clock,
        new_id=lambda: str(uuid.uuid4()),
    )


@pytest.fixture
async def identity(servicer: Identity) -> AsyncGenerator[IdentityServiceStub]:
    """A client of it who is nobody yet."""
    async with serving(servicer, IdentityServiceStub) as client:
        yield client


@pytest.fixture
def calling_as(servicer: Identity) -> As:
    """Makes a client of it on behalf of a user."""
    return lambda user_id: serving(servicer, IdentityServiceStub, user=User(user_id))
