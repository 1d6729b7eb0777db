import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the flag that rewrites golden files."""
    parser.addoption(
        "--update-golden", action="store_true", help="rewrite tests/golden, and remove what is stale there"
    )
