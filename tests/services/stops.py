"""Where a worker stops for good, so that it can be killed there: around any commit, by what is kept in it.

The service knows nothing of this: SQLAlchemy tells what is executed, and when it commits. The process stops as a whole,
so that nothing goes on while it is killed.
"""

import os
import socket

from sqlalchemy import Insert, Update, event
from sqlalchemy.orm import ORMExecuteState, Session, UOWTransaction

from protomesh.runtime.store.tables import REQUESTS

__all__ = ["stop_at"]


def stop_at(moment: str, kept: str, told: str) -> None:
    """Stops `before` or `after` the next commit in which `kept` is kept, and says so by connecting to `told`.

    That is a state, of any row that has one; `answer METHOD` for what a repeat of a call is answered; `lease` for a
    new lease of a row whose state stays. `told` is a unix socket. To be called in the worker's process.
    """

    def stop(session: Session) -> None:
        if kept in session.info.get("kept", ()):
            with socket.socket(socket.AF_UNIX) as connection:
                connection.connect(told)
                connection.recv(1)  # nobody answers: this is where the process is killed
            os._exit(1)  # or the test was

    event.listen(Session, "do_orm_execute", _executed)
    event.listen(Session, "before_flush", _flushed)
    event.listen(Session, "before_commit", Session.flush)
    event.listen(Session, f"{moment}_commit", stop)


def _executed(execution: ORMExecuteState) -> None:
    statement = execution.statement
    if isinstance(statement, Insert) and statement.table is REQUESTS:
        answered = str(statement.compile().params["request_type"]).rpartition(".")[2]
        _keep(execution.session, f"answer {answered.removesuffix('Request')}")
    elif isinstance(statement, Update) and "lease_time" in statement.table.columns:
        _keep(execution.session, statement.compile().params.get("state", "lease"))


def _flushed(session: Session, _context: UOWTransaction, _instances: object) -> None:
    for row in (*session.new, *session.dirty):
        if hasattr(row, "state"):
            _keep(session, row.state)


def _keep(session: Session, what: str) -> None:
    session.info.setdefault("kept", set()).add(what)
