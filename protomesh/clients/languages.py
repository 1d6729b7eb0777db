"""Every language there is a client in."""

from protomesh.clients.cpp import Cpp
from protomesh.clients.csharp import CSharp
from protomesh.clients.go import Go
from protomesh.clients.java import Java
from protomesh.clients.kotlin import Kotlin
from protomesh.clients.language import Language
from protomesh.clients.php import Php
from protomesh.clients.ruby import Ruby
from protomesh.clients.rust import Rust
from protomesh.clients.typescript import TypeScript

__all__ = ["LANGUAGES"]

LANGUAGES: dict[str, Language] = {
    language.name: language
    for language in (Go(), TypeScript(), Java(), Rust(), Cpp(), Ruby(), Kotlin(), CSharp(), Php())
}
