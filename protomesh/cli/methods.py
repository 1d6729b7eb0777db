"""Which method someone means."""

import difflib
from collections.abc import Sequence

from protomesh.cli.exits import ExitCode, Failure

__all__ = ["resolve"]


def resolve(text: str, methods: Sequence[str]) -> str:
    """The full name of the one method that `text` names: `package.Service/Method`, or an end of that.

    `GetProduct`, `CatalogService/GetProduct` and `/shop.catalog.v1.CatalogService/GetProduct` are all understood, and
    `.` in the place of `/`.

    Raises:
        Failure: none or more than one is meant; the text names candidates.
    """
    wanted = text.removeprefix("/")
    service, slash, method = wanted.rpartition("/")
    if not slash:
        service, _, method = wanted.rpartition(".")
    wanted = f"{service}/{method}" if service else method
    found = [name for name in methods if name == wanted or name.endswith((f".{wanted}", f"/{wanted}"))]
    if len(found) == 1:
        return found[0]
    if found:
        raise Failure(f"{text} may be any of:\n" + "\n".join(f"  {name}" for name in found), ExitCode.INVALID)
    short = {name.rpartition("/")[2]: name for name in methods}
    close = difflib.get_close_matches(method, short, n=3, cutoff=0.5) or list(short)[:5]
    listed = "".join(f"\n  {short[name]}" for name in close)
    raise Failure(f"there is no method {text}. There are, for example:{listed}", ExitCode.INVALID)
