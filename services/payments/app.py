"""What a worker of the payments is made of."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from protomesh.runtime import App, Mesh, every
from protomesh.runtime.store import forget
from services.payments.bank import LocalBank
from services.payments.service import Payments

# How long a repeat gets the first answer. Nobody repeats a request a week later.
_REMEMBERED = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentsSettings:
    """What an operator may set."""

    provider_ledger: Path | None = None  # PROVIDER_LEDGER: the local provider's books; a file in PROTOMESH_DATA
    provider_timeout: timedelta = timedelta(seconds=2)  # PROVIDER_TIMEOUT: how long one call waits for its answer


@asynccontextmanager
async def app(mesh: Mesh) -> AsyncGenerator[App]:
    """Builds the payments on their own database, with the local provider."""
    settings = mesh.settings(PaymentsSettings)

    def now() -> datetime:
        return datetime.now(UTC)

    async with mesh.database(migrations="services.payments") as db:

        async def forget_answers() -> None:
            await forget(db, before=now() - _REMEMBERED)

        bank = LocalBank(settings.provider_ledger or mesh.data / "provider-ledger.sqlite", now)
        yield App(
            Payments(db, bank, now, patience=settings.provider_timeout),
            jobs=[every(timedelta(hours=1), forget_answers, one_worker=True, name="forget_answers")],
        )
