"""The path templates of google.api.http, and which of them Envoy takes.

The grammar is that of google/api/http.proto:

    Template  = "/" Segments [ Verb ] ;
    Segments  = Segment { "/" Segment } ;
    Segment   = "*" | "**" | LITERAL | Variable ;
    Variable  = "{" FieldPath [ "=" Segments ] "}" ;
    FieldPath = IDENT { "." IDENT } ;
    Verb      = ":" LITERAL ;

"/" alone is taken too, as every implementation does.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from google.api import http_pb2

__all__ = ["Pattern", "Template", "parse_template", "patterns", "refusal"]

_FIELD_PATH = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*")
_WILDCARDS = ("*", "**")


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A parsed path template."""

    segments: tuple[str, ...]  # "*", "**" or literal text, variables replaced by what they match
    variables: tuple[str, ...]  # the field paths, from left to right
    verb: str = ""

    @property
    def shape(self) -> str:
        """What it matches, whatever the variables are called. Templates of one shape match the same paths."""
        return "/" + "/".join(self.segments) + (f":{self.verb}" if self.verb else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One binding of a google.api.http rule, the first or an additional one."""

    method: str  # GET, PUT, POST, DELETE, PATCH or a custom one
    template: str
    body: str
    response_body: str


def patterns(rule: http_pb2.HttpRule) -> Iterator[Pattern]:
    """Yields the bindings of a rule in the order they are written. One without a path has an empty template."""
    for binding in (rule, *rule.additional_bindings):
        kind = binding.WhichOneof("pattern")
        if kind == "custom":
            method, template = binding.custom.kind, binding.custom.path
        else:
            method, template = (kind.upper(), getattr(binding, kind)) if kind else ("", "")
        yield Pattern(method=method, template=template, body=binding.body, response_body=binding.response_body)


def parse_template(text: str) -> Template:
    """Parses a path template.

    Raises:
        ValueError: `text` does not keep to the grammar; the message says where.
    """
    if not text.startswith("/"):
        raise ValueError("it does not begin with '/'")
    if text == "/":
        return Template(segments=(), variables=())
    segments: list[str] = []
    variables: list[str] = []
    verb = ""
    parts = _split(text[1:])
    for index, part in enumerate(parts):
        variable, rest = _variable(part)
        if index == len(parts) - 1:
            verb = _verb(rest)
            rest = rest[: len(rest) - len(verb) - 1] if verb else rest
        if variable is None:
            segments.append(_segment(rest))
            continue
        if rest:
            raise ValueError(f"{rest!r} follows a variable in the same segment")
        name, equals, inner = variable.partition("=")
        if not _FIELD_PATH.fullmatch(name):
            raise ValueError(f"{name!r} is not a field" if name else "a variable has no name")
        variables.append(name)
        segments.extend(_segment(piece) for piece in inner.split("/")) if equals else segments.append("*")
    return Template(segments=tuple(segments), variables=tuple(variables), verb=verb)


def refusal(template: Template) -> str | None:
    """Why Envoy's transcoder refuses a legal template, and with it the whole configuration; None if it does not.

    Measured with Envoy 1.40: `**` may be followed by literals only, and a colon is nothing but the verb's.
    """
    if "**" in template.segments:
        after = template.segments[template.segments.index("**") + 1 :]
        if any(segment in _WILDCARDS for segment in after):
            return "a variable or wildcard follows '**'"
    if any(":" in segment for segment in template.segments):
        return "a path segment contains ':'"
    if ":" in template.verb:
        return "its verb contains ':'"
    return None


def _split(text: str) -> list[str]:
    """Splits at slashes outside braces."""
    parts, depth = [""], 0
    for character in text:
        depth += {"{": 1, "}": -1}.get(character, 0)
        if depth not in {0, 1}:
            raise ValueError("its braces do not match")
        if character == "/" and not depth:
            parts.append("")
        else:
            parts[-1] += character
    if depth:
        raise ValueError("its braces do not match")
    return parts


def _variable(part: str) -> tuple[str | None, str]:
    """Takes a variable off the front of a segment: what is in its braces, and what follows them."""
    if not part.startswith("{"):
        return None, part
    inner, _, rest = part[1:].partition("}")
    return inner, rest


def _verb(rest: str) -> str:
    """The verb at the end of the last segment: all after its first colon."""
    _, colon, verb = rest.partition(":")
    if colon and not verb:
        raise ValueError("nothing follows ':'")
    if set(verb) & set("{}"):
        raise ValueError("its verb contains a variable")
    return verb


def _segment(text: str) -> str:
    if not text:
        raise ValueError("a path segment is empty")
    if "{" in text or "}" in text:
        raise ValueError(f"a variable is not a whole path segment in {text!r}")
    if "***" in text:
        raise ValueError(f"{text!r} is no wildcard")
    return text
