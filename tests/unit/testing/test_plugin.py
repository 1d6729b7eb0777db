import subprocess
import sys

from sqlalchemy import text

from protomesh.testing.database import Databases


async def test_the_plugin_brings_databases(database: Databases) -> None:
    """Nothing has to be configured; the database is migrated."""
    db = await database("protomesh.runtime.store")
    async with db.read() as tx:
        assert (await tx.execute(text("SELECT count(*) FROM protomesh_requests"))).scalar_one() == 0


def test_the_plugin_loads_without_what_it_may_need_later() -> None:
    """It is loaded in every project where Protomesh is installed, with or without a database."""
    code = (
        "import sys, protomesh.pytest_plugin; print([m for m in ('grpc', 'sqlalchemy', 'alembic') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
