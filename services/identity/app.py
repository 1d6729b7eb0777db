"""What a worker of identity is made of."""

import secrets
import socket
import uuid
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import structlog
from grpc.aio import AioRpcError

from protomesh.runtime import App, Mesh, every
from services.identity.administrator import first_administrator
from services.identity.keys import Keys, new_key
from services.identity.passwords import Passwords
from services.identity.service import Identity
from services.identity.settings import Settings
from services.identity.tokens import Tokens

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Builds identity on its own database, with the mesh to tell its keys to."""
    settings = mesh.settings(Settings)

    def now() -> datetime:
        return datetime.now(UTC)

    def new_id() -> str:
        return str(uuid.uuid4())

    async with mesh.database(migrations="services.identity") as db, Passwords() as passwords:
        keys = Keys(
            db,
            mesh.publish_keys,
            mesh=f"{socket.gethostname()}:{mesh.data.resolve()}",
            lifetime=settings.signing_key_lifetime,
            token_lifetime=settings.access_token_lifetime,
            now=now,
            generate=new_key,
        )
        tokens = Tokens(
            issuer=settings.jwt_issuer,
            audience=settings.jwt_audience,
            lifetime=settings.access_token_lifetime,
            new_id=new_id,
        )
        identity = Identity(
            db,
            passwords,
            keys,
            tokens,
            refresh_token_lifetime=settings.refresh_token_lifetime,
            now=now,
            new_id=new_id,
        )

        async def keep_keys() -> None:
            try:
                await keys.keep()
            except AioRpcError as error:  # a line, not a traceback: it is tried again at once, until the mesh listens
                _log.error("the mesh has not taken the keys", code=error.code().name, details=error.details())

        await first_administrator(
            db,
            passwords,
            email=settings.admin_email,
            password=settings.admin_password,
            now=now,
            new_id=new_id,
            new_password=lambda: secrets.token_urlsafe(15),
        )
        yield App(
            identity,
            jobs=[
                # Often, since a mesh that has just started knows no key, and nobody can log in until it does.
                every(timedelta(seconds=2), keep_keys, one_worker=True, per_mesh=True, name="keep_keys"),
                every(timedelta(hours=1), identity.forget, one_worker=True, name="forget_sessions"),
            ],
        )
