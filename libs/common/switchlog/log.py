"""One JSON line a message, for our own code and for every library; ids yes, personal text and secrets never."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, TextIO

import structlog
from opentelemetry import trace

WITHHELD = "[withheld]"

# Words under which personal text or a secret would travel; a safety net behind the rule, not a licence.
_SECRET_KEYS = frozenset(
    {"authorization", "token", "access_token", "ticket", "password", "secret", "client_secret", "master_key", "cookie"}
    | {"text", "body", "plaintext", "message_text", "phone", "email", "address", "display_name", "caller", "ani"}
)
_SECRETS = re.compile(r"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|(?<=ticket=)[\w-]+")
_QUIET = {
    "uvicorn": logging.WARNING,  # at INFO it writes paths with their query, and so tickets
    "aiokafka": logging.WARNING,
    "grpc": logging.WARNING,
    "httpx2": logging.WARNING,
}

EventDict = MutableMapping[str, Any]


def get_logger(name: str = "") -> structlog.stdlib.BoundLogger:
    """A logger: ``log.info("ticket_opened", ticket_id=...)``, a constant first word and then ids."""
    return structlog.stdlib.get_logger(name or None)


def log_plainly() -> None:
    """Hand messages to the standard library as they are: what tests and tools get that configure nothing."""
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, withhold, structlog.stdlib.render_to_log_kwargs],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def configure_logging(service: str, level: str = "INFO", stream: TextIO | None = None) -> None:
    """Send everything logged in this process to ``stream`` (standard output) as JSON lines; safe to repeat."""
    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
        _add_trace,
        _add_service(service),
        structlog.processors.ExceptionRenderer(structlog.tracebacks.ExceptionDictTransformer(show_locals=False)),
        withhold,
    ]
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream or sys.stdout)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), structlog.stdlib.ExtraAdder(), *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, one_line],
        )
    )
    _route_everything_to(handler, level)


def _route_everything_to(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in [
        name for name in logging.root.manager.loggerDict if name.split(".")[0] in ("uvicorn", "grpc", "aiokafka")
    ]:
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(max(quiet, root.level))
    logging.captureWarnings(True)


def withhold(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Cover values whose key says that they are secret or personal."""
    for key in _SECRET_KEYS & event.keys():
        event[key] = WITHHELD
    return event


def one_line(_logger: object, _method: str, event: EventDict) -> str:
    """The event as one line of ASCII JSON: control characters are escaped, tokens and tickets withheld."""
    line = json.dumps(event, default=repr, ensure_ascii=True, separators=(",", ":"))
    return _SECRETS.sub(WITHHELD, line)


def _add_service(service: str) -> structlog.types.Processor:
    def add(_logger: object, _method: str, event: EventDict) -> EventDict:
        event["service"] = service
        return event

    return add


def _add_trace(_logger: object, _method: str, event: EventDict) -> EventDict:
    context = trace.get_current_span().get_span_context()
    if context.is_valid:
        event["trace_id"] = f"{context.trace_id:032x}"
        event["span_id"] = f"{context.span_id:016x}"
    return event


# structlog's own default prints tracebacks with all local variables
log_plainly()
