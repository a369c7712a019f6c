"""The HTTP edge of a service: the same errors, limits, headers and helpers everywhere."""

from switchlog.web.app import create_app
from switchlog.web.commands import (
    Body,
    Offset,
    PageSize,
    Principaled,
    answer,
    cause_of,
    if_match,
    principal,
    require,
)
from switchlog.web.problems import problem_of
from switchlog.web.sockets import Socket, Sockets, open_socket

__all__ = [
    "Body",
    "Offset",
    "PageSize",
    "Principaled",
    "Socket",
    "Sockets",
    "answer",
    "cause_of",
    "create_app",
    "if_match",
    "open_socket",
    "principal",
    "problem_of",
    "require",
]
