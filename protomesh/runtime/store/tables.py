"""The store's own tables: what it keeps next to a service's data, in the same transactions.

Every name begins with `protomesh_`, so that a service's migrations can leave them alone. They change by the
migrations in `protomesh/runtime/store/migrations`, which count in a version table of their own.
"""

from sqlalchemy import Column, Connection, LargeBinary, MetaData, String, Table, func, inspect, select

from protomesh.runtime.store.timestamps import UtcDateTime

__all__ = ["MIGRATED", "OWN_PREFIX", "OWN_VERSIONS", "REQUESTS", "digest_in", "is_own", "metadata"]

OWN_PREFIX = "protomesh_"
OWN_VERSIONS = f"{OWN_PREFIX}versions"

metadata = MetaData()

# Answers that were given, so that a repeat gets the same one (AIP-155).
REQUESTS = Table(
    f"{OWN_PREFIX}requests",
    metadata,
    Column("request_type", String(255), primary_key=True),  # shop.inventory.v1.ReserveRequest
    Column("request_id", String(255), primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),  # of the whole request
    Column("response", LargeBinary, nullable=False),
    # Indexed for `forget`.
    Column("create_time", UtcDateTime, nullable=False, server_default=func.current_timestamp(), index=True),
)

# The migrations that the database has, as one digest of their files: cheap to compare when a worker starts.
MIGRATED = Table(
    f"{OWN_PREFIX}migrated",
    metadata,
    Column("package", String(255), primary_key=True),  # services.catalog
    Column("digest", String(64), nullable=False),
)


def is_own(name: str | None) -> bool:
    """Whether a table belongs to the store and not to the service."""
    return name is not None and name.startswith(OWN_PREFIX)


def digest_in(connection: Connection, package: str) -> str | None:
    """The digest of migrations that a database says it has for a package; None before the first."""
    if not inspect(connection).has_table(MIGRATED.name):
        return None
    return connection.execute(select(MIGRATED.c.digest).where(MIGRATED.c.package == package)).scalar()
