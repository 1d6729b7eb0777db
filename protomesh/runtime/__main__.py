"""`python -m protomesh.runtime MODULE:APP`: runs one worker in the environment that the mesh gives it."""

import asyncio
import sys

from protomesh.runtime.cannot_start import CannotStart
from protomesh.runtime.launch import Launch
from protomesh.runtime.logging import configure
from protomesh.runtime.worker import find, serve

__all__ = ["main"]

_WRONG_INPUT = 2


def main() -> int:
    """Runs the worker; 0 after a drain, 2 if something that a person wrote is wrong, 1 for anything else."""
    if len(sys.argv) != 2:  # noqa: PLR2004 - the program and its argument
        sys.stderr.write("usage: python -m protomesh.runtime MODULE:APP, as services.catalog.app:app\n")
        return _WRONG_INPUT
    try:
        launch = Launch.read()
        configure(launch.service, launch.log)
        asyncio.run(serve(find(sys.argv[1]), launch))
    except CannotStart as error:
        sys.stderr.write(f"{error}\n")
        return _WRONG_INPUT
    return 0


if __name__ == "__main__":
    sys.exit(main())
