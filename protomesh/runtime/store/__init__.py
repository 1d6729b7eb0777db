"""A service's own database: transactions that keep deadlines, repeats that get the first answer, pages, etags, changes.

What goes in: a URL, and messages of the service's contract. What comes out: SQLAlchemy sessions and standard
statuses. It needs the extra `protomesh[store]` and may import `protomesh.runtime`; it knows no mesh and no service.
Migrations run elsewhere: see `protomesh.runtime.store.migrate`.
"""

from protomesh.runtime.store.changes import Changes, Feed, changes
from protomesh.runtime.store.database import Database, Transaction
from protomesh.runtime.store.errors import Contended, RequestIdReused, Unconfirmed, Unreachable, Unstorable
from protomesh.runtime.store.etag import etag
from protomesh.runtime.store.field_mask import masked
from protomesh.runtime.store.idempotency import IdentifiedRequest, forget, forgetting_answers, remember, replayed
from protomesh.runtime.store.migrate import MigrationFailed, migrated
from protomesh.runtime.store.paging import Page, PagedRequest
from protomesh.runtime.store.resume import read_resume_token, resume_token
from protomesh.runtime.store.timestamps import UtcDateTime
from protomesh.runtime.store.url import database_url, sqlite_url
from protomesh.runtime.store.watch import States, Watch

__all__ = [
    "Changes",
    "Contended",
    "Database",
    "Feed",
    "IdentifiedRequest",
    "MigrationFailed",
    "Page",
    "PagedRequest",
    "RequestIdReused",
    "States",
    "Transaction",
    "Unconfirmed",
    "Unreachable",
    "Unstorable",
    "UtcDateTime",
    "Watch",
    "changes",
    "database_url",
    "etag",
    "forget",
    "forgetting_answers",
    "masked",
    "migrated",
    "read_resume_token",
    "remember",
    "replayed",
    "resume_token",
    "sqlite_url",
]
