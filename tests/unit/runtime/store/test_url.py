from pathlib import Path

import pytest

from protomesh.runtime.store import database_url
from protomesh.runtime.store.url import shown, sqlite_file


def test_a_file_in_the_services_own_directory() -> None:
    """The default: nothing to configure."""
    assert sqlite_file(database_url({"PROTOMESH_DATA": "/data/catalog"})) == Path("/data/catalog/database.sqlite3")


def test_a_url_wins() -> None:
    """Another place for one service."""
    environment = {"PROTOMESH_DATA": "/data/catalog", "PROTOMESH_DATABASE_URL": "sqlite:////srv/catalog.db"}
    assert sqlite_file(database_url(environment)) == Path("/srv/catalog.db")


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_postgresql_by_any_of_its_names(scheme: str) -> None:
    """With its parameters; and whoever prints it sees no password."""
    url = database_url({"PROTOMESH_DATABASE_URL": f"{scheme}://shop:se%40cret@db:5433/catalog?sslmode=require"})
    assert (url.get_backend_name(), url.host, url.port, url.database) == ("postgresql", "db", 5433, "catalog")
    assert (url.password, url.query["sslmode"]) == ("se@cret", "require")
    assert "cret" not in f"{url} {url!r}"


def test_people_are_shown_no_password() -> None:
    """Wherever in the URL it is."""
    url = database_url(
        {"PROTOMESH_DATABASE_URL": "postgresql://shop:secret@db/catalog?password=secret&sslmode=require"}
    )
    assert shown(url) == "postgresql://shop:***@db/catalog?password=%2A%2A%2A&sslmode=require"


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({}, "PROTOMESH_DATA"),
        ({"PROTOMESH_DATABASE_URL": "no url"}, "not a URL"),
        ({"PROTOMESH_DATABASE_URL": "sqlite://"}, "in memory"),
        ({"PROTOMESH_DATABASE_URL": "sqlite:///:memory:"}, "in memory"),
        ({"PROTOMESH_DATABASE_URL": "mysql://user:secret@host/shop"}, "'mysql'"),
        ({"PROTOMESH_DATABASE_URL": "postgresql://user:secret@host"}, "needs a database"),
        ({"PROTOMESH_DATABASE_URL": "postgresql://user:top@very:secret@host/shop"}, "not a URL"),
    ],
)
def test_what_can_not_be_used_says_why(environment: dict[str, str], says: str) -> None:
    """And never with the password in it."""
    with pytest.raises(ValueError, match=says) as refused:
        database_url(environment)
    assert "secret" not in str(refused.value)
