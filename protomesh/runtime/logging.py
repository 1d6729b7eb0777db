"""Logs of a worker: one line for each event, with the call that it belongs to."""

import logging
import sys
from typing import TextIO

import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from protomesh.runtime.current import current

__all__ = ["configure"]


def configure(service: str, form: str, stream: TextIO = sys.stderr) -> None:
    """Sends structlog's events and those of `logging` to `stream`: as JSON, or in colours where a person looks.

    Every line has time, level and service; during a call also method, request id and trace id.

    Args:
        service: The service's name in mesh.yaml.
        form: `json` or `console`.
        stream: Flushed after each line.
    """

    def in_call(_logger: WrappedLogger, _name: str, event: EventDict) -> EventDict:
        event["service"] = service
        scope = current.get()
        if scope is not None:
            for key, value in (
                ("method", scope.method),
                ("request_id", scope.request_id),
                ("trace_id", scope.trace_id),
            ):
                if value:
                    event.setdefault(key, value)
        return event

    shared: list[Processor] = [
        in_call,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    ending: list[Processor] = (
        [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
        if form == "json"
        # Plain tracebacks: pretty ones print local variables, and those hold secrets.
        else [structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=structlog.dev.plain_traceback)]
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *ending],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            in_call,
            structlog.stdlib.add_log_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
