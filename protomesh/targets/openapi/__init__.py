"""REST as OpenAPI 3.1 describes it: what is exposed with `google.api.http`, with the contract's comments and rules."""

from protomesh.targets.openapi.document import document

__all__ = ["document"]
