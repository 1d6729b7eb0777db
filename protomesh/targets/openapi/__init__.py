"""What callers read: OpenAPI 3.1 of what is exposed by REST, and a page for people, both from the contracts."""

from protomesh.targets.openapi.contracts import Contracts
from protomesh.targets.openapi.document import document
from protomesh.targets.openapi.page import content_security_policy, page

__all__ = ["Contracts", "content_security_policy", "document", "page"]
