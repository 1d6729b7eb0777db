"""What a worker of the payments is made of."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from protomesh.runtime import App, InvalidSettings, Mesh, every
from protomesh.runtime.store import forgetting_answers
from services.payments.bank import LocalBank
from services.payments.lapsing import Lapsing
from services.payments.service import Payments


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentsSettings:
    """What an operator may set.

    Raises:
        InvalidSettings: No order that got stuck could be charged in that time.
    """

    provider_ledger: Path | None = None  # PROVIDER_LEDGER: the local provider's books; a file in PROTOMESH_DATA
    provider_timeout: timedelta = timedelta(seconds=2)  # PROVIDER_TIMEOUT: how long one call waits for its answer
    authorization_lifetime: timedelta = timedelta(days=7)  # AUTHORIZATION_LIFETIME: how long an amount is held

    def __post_init__(self) -> None:
        if self.authorization_lifetime < timedelta(minutes=1):
            raise InvalidSettings("AUTHORIZATION_LIFETIME has to be a minute or more")


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Builds the payments on their own database, with the local provider."""
    settings = mesh.settings(PaymentsSettings)

    def now() -> datetime:
        return datetime.now(UTC)

    async with mesh.database(migrations="services.payments") as db:
        bank = LocalBank(settings.provider_ledger or mesh.data / "provider-ledger.sqlite", now)
        patience = settings.provider_timeout
        lapsing = Lapsing(db, bank, now, patience=patience, lifetime=settings.authorization_lifetime)
        yield App(
            Payments(db, bank, now, patience=patience),
            jobs=[
                forgetting_answers(db, now),
                every(timedelta(minutes=1), lapsing.release, one_worker=True, name="release_authorizations"),
            ],
        )
