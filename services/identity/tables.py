"""The tables of identity."""

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from protomesh.runtime.store import UtcDateTime

__all__ = ["Base", "RefreshTokenRow", "SessionRow", "SigningKeyRow", "UserRow", "VerifierRow"]


class Base(DeclarativeBase):
    """The tables of identity."""


class UserRow(Base):
    """One user, with the hash of the password."""

    __tablename__ = "users"

    user_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    display_name: Mapped[str] = mapped_column(String(80))
    role: Mapped[str] = mapped_column(String(16))
    password_hash: Mapped[str] = mapped_column(String(255))
    create_time: Mapped[datetime] = mapped_column(UtcDateTime)
    update_time: Mapped[datetime] = mapped_column(UtcDateTime)


class SessionRow(Base):
    """One session."""

    __tablename__ = "sessions"

    session_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.user_id"))
    create_time: Mapped[datetime] = mapped_column(UtcDateTime)
    end_time: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RefreshTokenRow(Base):
    """One refresh token, by its digest: whoever reads the database can't use it."""

    __tablename__ = "refresh_tokens"

    digest: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.session_id"), index=True)
    expire_time: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    use_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    successor: Mapped[bytes | None] = mapped_column(LargeBinary(32))
    replaced: Mapped[bool]


class SigningKeyRow(Base):
    """One key that signs tokens, with its private half: docs/decisions/0080-private-keys-in-the-database.md."""

    __tablename__ = "signing_keys"

    kid: Mapped[str] = mapped_column(String(64), primary_key=True)
    private_key: Mapped[str] = mapped_column(String(512))
    create_time: Mapped[datetime] = mapped_column(UtcDateTime)
    sign_time: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expire_time: Mapped[datetime | None] = mapped_column(UtcDateTime)


class VerifierRow(Base):
    """One mesh, and which keys it verifies tokens with."""

    __tablename__ = "verifiers"

    mesh: Mapped[str] = mapped_column(Text, primary_key=True)
    kids: Mapped[str] = mapped_column(Text)  # with spaces between them
    tell_time: Mapped[datetime] = mapped_column(UtcDateTime)
