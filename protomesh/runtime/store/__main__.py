"""`python -m protomesh.runtime.store`: migrations, in a process of their own."""

import argparse
import sys
from pathlib import Path

from protomesh.runtime.cannot_start import CannotStart
from protomesh.runtime.store.dialect import dialect_of
from protomesh.runtime.store.migrate import migrations_of
from protomesh.runtime.store.revisions import differences, upgrade, write_revision
from protomesh.runtime.store.url import database_url

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Runs one command. Returns 0 if it did its work, 1 if code and migrations differ, 2 for a mistake in the call."""
    parser = argparse.ArgumentParser(prog="python -m protomesh.runtime.store", description="Migrations of services.")
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("upgrade", help="run the migrations that PROTOMESH_DATA's database lacks")
    one.add_argument("packages", nargs="+", metavar="PACKAGE", help="as services.catalog")
    one = commands.add_parser("revision", help="write the next migration from what changed in the code's tables")
    one.add_argument("package", metavar="PACKAGE")
    one.add_argument("-m", "--message", required=True, metavar="TITLE", help="what it does, as 'add weights'")
    one = commands.add_parser("reset", help="remove everything in PROTOMESH_DATA's database, and migrate it again")
    one.add_argument("package", metavar="PACKAGE")
    one = commands.add_parser("check", help="say whether the migrations make the tables that the code has")
    one.add_argument("packages", nargs="+", metavar="PACKAGE")
    chosen = parser.parse_args(arguments)
    try:
        match chosen.command:
            case "upgrade":
                return _upgrade(chosen.packages)
            case "revision":
                return _revision(chosen.package, chosen.message)
            case "reset":
                return _reset(chosen.package)
            case _:
                return _check(chosen.packages)
    except CannotStart as mistake:
        print(mistake, file=sys.stderr)  # noqa: T201 - a command's output
        return 2


def _upgrade(packages: list[str]) -> int:
    url = database_url()
    for package in packages:
        for line in upgrade(url, package):
            print(line)  # noqa: T201 - a command's output
    return 0


def _revision(package: str, title: str) -> int:
    path = write_revision(package, title)
    if path is not None and path.is_relative_to(Path.cwd()):
        path = path.relative_to(Path.cwd())
    print(path or f"{package}: the migrations make the tables that the code has")  # noqa: T201 - a command's output
    return 0


def _reset(package: str) -> int:
    migrations_of(package)  # or else nothing would be there afterwards
    dialect_of(database_url()).empty(database_url())
    print(f"{package}: emptied")  # noqa: T201 - a command's output
    return _upgrade([package])


def _check(packages: list[str]) -> int:
    found = [f"{package}: {difference}" for package in packages for difference in differences(package)]
    for line in found:
        print(line)  # noqa: T201 - a command's output
    if found:
        print("write a migration: python -m protomesh.runtime.store revision PACKAGE -m TITLE")  # noqa: T201 - as above
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
