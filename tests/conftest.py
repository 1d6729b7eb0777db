import signal

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the flag that rewrites golden files."""
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite tests/golden, and remove what is stale there"
    )


def pytest_configure() -> None:
    """Takes Ctrl-C where it is ignored: what a shell runs in the background ignores it, and all that this starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
