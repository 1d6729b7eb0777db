"""Every language there is a client in."""

from protomesh.clients.go import Go
from protomesh.clients.language import Language

__all__ = ["LANGUAGES"]

LANGUAGES: dict[str, Language] = {language.name: language for language in (Go(),)}
