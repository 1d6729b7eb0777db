"""Clients of a mesh in other languages: packages below `generated/` that build with each language's own tool.

In go a `Topology` and a language's name; out comes a folder. One file a language: it knows which tools make its stubs,
and what goes beside them, so that a package is complete: a manifest, a table of the methods, and the function that
finds a declared error. Texts of that kind are in `templates/`; versions of everything fetched are in `pins`.

It imports `contract`, `model` and what writes files. It is never imported by what runs a mesh.
"""

from protomesh.clients.generate import Generated, generate_client
from protomesh.clients.languages import LANGUAGES
from protomesh.clients.tools import ToolFailed, ToolMissing

__all__ = ["LANGUAGES", "Generated", "ToolFailed", "ToolMissing", "generate_client"]
