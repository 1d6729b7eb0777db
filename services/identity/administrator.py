"""The first administrator: nobody becomes one by registering."""

from collections.abc import Callable
from datetime import datetime

import structlog

from protomesh.runtime import InvalidSettings, Secret
from protomesh.runtime.store import Database
from services.identity import store
from services.identity.domain import Role, User, normalised
from services.identity.passwords import Passwords

__all__ = ["first_administrator"]

_log = structlog.get_logger(__name__)


async def first_administrator(
    db: Database,
    passwords: Passwords,
    *,
    email: str,
    password: Secret | None,
    now: Callable[[], datetime],
    new_id: Callable[[], str],
    new_password: Callable[[], str],
) -> None:
    """Registers an administrator if there is none.

    Without `password` one is made up, and told in the log, once. It is told before it counts: a worker that ends in
    between has told a password that never will, and the next start tells another.

    Raises:
        InvalidSettings: A customer has the e-mail address, who must not become an administrator by that.
    """
    async with db.read() as tx:
        if await store.has_administrator(tx):
            return
    text = new_password() if password is None else password.reveal()
    password_hash = await passwords.hashed(text)
    async with db.begin() as tx:
        if await store.has_administrator(tx):
            return  # another worker was faster
        created = now()
        user = User(
            user_id=new_id(),
            email=normalised(email),
            display_name="Administrator",
            role=Role.ADMINISTRATOR,
            create_time=created,
            update_time=created,
        )
        try:
            await store.add_user(tx, user, password_hash)
        except store.AddressInUse:
            raise InvalidSettings(f"ADMIN_EMAIL is {user.email}, and that is a customer; choose another") from None
        if password is None:
            _log.warning("the first administrator is registered", email=user.email, password=text)
        else:
            _log.info("the first administrator is registered", email=user.email)
