"""Comments of a contract as Python docstrings."""

import textwrap

__all__ = ["quoted"]


def quoted(text: str, indent: str = "") -> str:
    """The docstring that says `text`, without the indent of its first line."""
    safe = text.replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if safe.endswith('"'):
        safe += " "
    if "\n" not in safe:
        return f'"""{safe}"""'
    first, _, rest = safe.partition("\n")
    return f'"""{first}\n{textwrap.indent(rest, indent)}\n{indent}"""'
