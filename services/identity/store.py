"""Users, sessions and keys in the database."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError

from protomesh.runtime.store import Transaction
from services.identity.domain import RefreshToken, Role, Session, SigningKey, User, Verifier
from services.identity.tables import RefreshTokenRow, SessionRow, SigningKeyRow, UserRow, VerifierRow

__all__ = [
    "AddressInUse",
    "add_session",
    "add_user",
    "credentials_of",
    "drop_keys",
    "drop_sessions",
    "drop_verifiers",
    "has_administrator",
    "keys",
    "put_key",
    "put_password_hash",
    "put_session",
    "put_token",
    "put_user",
    "put_verifier",
    "token_of",
    "token_to_use",
    "user_of",
    "verifiers",
]


class AddressInUse(Exception):  # noqa: N818 - it says what is so
    """Another user has the e-mail address. The transaction can't go on."""


async def add_user(tx: Transaction, user: User, password_hash: str) -> None:
    """Keeps a new user.

    Raises:
        AddressInUse: Somebody has the e-mail address. The database decides, so that of two at once one is told.
    """
    tx.add(
        UserRow(
            user_id=user.user_id,
            email=user.email,
            display_name=user.display_name,
            role=user.role.value,
            password_hash=password_hash,
            create_time=user.create_time,
            update_time=user.update_time,
        )
    )
    try:
        await tx.flush()
    except IntegrityError:
        raise AddressInUse from None


async def user_of(tx: Transaction, user_id: str) -> User | None:
    """The user with this id. In a transaction that writes, nobody else changes it until the end."""
    row = await tx.scalar(select(UserRow).where(UserRow.user_id == user_id))
    return None if row is None else _user(row)


async def credentials_of(tx: Transaction, email: str) -> tuple[User, str] | None:
    """The user with this e-mail address, and the hash of the password."""
    row = await tx.scalar(select(UserRow).where(UserRow.email == email))
    return None if row is None else (_user(row), row.password_hash)


async def has_administrator(tx: Transaction) -> bool:
    """Whether there is an administrator."""
    return await tx.scalar(select(UserRow.user_id).where(UserRow.role == Role.ADMINISTRATOR.value).limit(1)) is not None


async def put_user(tx: Transaction, user: User) -> None:
    """Keeps what may change of a user who is there."""
    row = await tx.get_one(UserRow, user.user_id)
    row.display_name = user.display_name
    row.update_time = user.update_time


async def put_password_hash(tx: Transaction, user_id: str, password_hash: str) -> None:
    """Keeps another hash of a user's password."""
    row = await tx.get_one(UserRow, user_id)
    row.password_hash = password_hash


async def add_session(tx: Transaction, session: Session) -> None:
    """Keeps a new session."""
    tx.add(
        SessionRow(
            session_id=session.session_id,
            user_id=session.user_id,
            create_time=session.create_time,
            end_time=session.end_time,
        )
    )
    await tx.flush()


async def put_session(tx: Transaction, session: Session) -> None:
    """Keeps when a session ended."""
    row = await tx.get_one(SessionRow, session.session_id)
    row.end_time = session.end_time


async def token_to_use(tx: Transaction, digest: bytes) -> tuple[RefreshToken, Session, User] | None:
    """A refresh token, its session and whose it is. Nobody else uses one of the session until the end of `tx`."""
    query = (
        select(RefreshTokenRow, SessionRow, UserRow)
        .join(SessionRow, SessionRow.session_id == RefreshTokenRow.session_id)
        .join(UserRow, UserRow.user_id == SessionRow.user_id)
        .where(RefreshTokenRow.digest == digest)
    )
    row = (await tx.execute(query)).one_or_none()
    return None if row is None else (_token(row[0]), _session(row[1]), _user(row[2]))


async def token_of(tx: Transaction, digest: bytes) -> RefreshToken | None:
    """The refresh token with this digest."""
    row = await tx.get(RefreshTokenRow, digest)
    return None if row is None else _token(row)


async def put_token(tx: Transaction, token: RefreshToken) -> None:
    """Keeps a refresh token in the place of what was there."""
    await tx.merge(
        RefreshTokenRow(
            digest=token.digest,
            session_id=token.session_id,
            expire_time=token.expire_time,
            use_time=token.use_time,
            successor=token.successor,
            replaced=token.replaced,
        )
    )
    await tx.flush()


async def drop_sessions(tx: Transaction, *, before: datetime) -> None:
    """Drops refresh tokens that ran out before a moment, and sessions that have no other."""
    await tx.execute(delete(RefreshTokenRow).where(RefreshTokenRow.expire_time < before))
    await tx.execute(delete(SessionRow).where(SessionRow.session_id.not_in(select(RefreshTokenRow.session_id))))


async def keys(tx: Transaction) -> list[SigningKey]:
    """Every key, the oldest first."""
    rows = await tx.scalars(select(SigningKeyRow).order_by(SigningKeyRow.create_time, SigningKeyRow.kid))
    return [
        SigningKey(
            kid=row.kid,
            private_key=row.private_key,
            create_time=row.create_time,
            sign_time=row.sign_time,
            expire_time=row.expire_time,
        )
        for row in rows
    ]


async def put_key(tx: Transaction, key: SigningKey) -> None:
    """Keeps a key in the place of what was there."""
    await tx.merge(
        SigningKeyRow(
            kid=key.kid,
            private_key=key.private_key,
            create_time=key.create_time,
            sign_time=key.sign_time,
            expire_time=key.expire_time,
        )
    )
    await tx.flush()


async def drop_keys(tx: Transaction, kids: Sequence[str]) -> None:
    """Drops keys."""
    await tx.execute(delete(SigningKeyRow).where(SigningKeyRow.kid.in_(kids)))


async def verifiers(tx: Transaction) -> list[Verifier]:
    """Every mesh that was ever told keys, and is not forgotten."""
    rows = await tx.scalars(select(VerifierRow).order_by(VerifierRow.mesh))
    return [Verifier(mesh=row.mesh, kids=frozenset(row.kids.split()), tell_time=row.tell_time) for row in rows]


async def put_verifier(tx: Transaction, verifier: Verifier) -> None:
    """Keeps what a mesh knows in the place of what was there."""
    kids = " ".join(sorted(verifier.kids))
    await tx.merge(VerifierRow(mesh=verifier.mesh, kids=kids, tell_time=verifier.tell_time))
    await tx.flush()


async def drop_verifiers(tx: Transaction, *, before: datetime) -> None:
    """Forgets meshes that were last told before a moment."""
    await tx.execute(delete(VerifierRow).where(VerifierRow.tell_time < before))


def _user(row: UserRow) -> User:
    return User(
        user_id=row.user_id,
        email=row.email,
        display_name=row.display_name,
        role=Role(row.role),
        create_time=row.create_time,
        update_time=row.update_time,
    )


def _session(row: SessionRow) -> Session:
    return Session(session_id=row.session_id, user_id=row.user_id, create_time=row.create_time, end_time=row.end_time)


def _token(row: RefreshTokenRow) -> RefreshToken:
    return RefreshToken(
        digest=row.digest,
        session_id=row.session_id,
        expire_time=row.expire_time,
        use_time=row.use_time,
        successor=row.successor,
        replaced=row.replaced,
    )
