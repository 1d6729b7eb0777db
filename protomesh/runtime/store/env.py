"""What a migrations/env.py calls. Alembic runs that file whenever it needs the service's tables or a connection."""

from collections.abc import MutableMapping
from typing import Any

from alembic import context
from sqlalchemy import MetaData

from protomesh.runtime.store.tables import is_own

__all__ = ["run"]


def run(metadata: MetaData) -> None:
    """Runs migrations towards `metadata`: the tables as the service's code declares them.

    The whole of `services/<name>/migrations/env.py` is

        from protomesh.runtime.store import env
        from services.<name>.store import Base

        env.run(Base.metadata)
    """
    attributes = context.config.attributes
    own: bool = attributes["own"]

    def concerns_us(name: str | None, kind: str, _parents: MutableMapping[Any, str | None]) -> bool:
        # Autogenerate drops tables that it does not know; each side sees its own.
        return kind != "table" or is_own(name) is own

    context.configure(
        connection=attributes["connection"],
        target_metadata=metadata,
        version_table=attributes["version_table"],
        include_name=concerns_us,
        transactional_ddl=True,  # PostgreSQL can, and so can SQLite if nobody commits behind its back
        render_as_batch=True,  # SQLite changes columns by copying the table
        compare_type=True,
    )
    context.run_migrations()
