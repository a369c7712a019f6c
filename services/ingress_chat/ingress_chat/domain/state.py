"""One class a phase: a ``Talking`` contact always has an agent, a ``Waiting`` one a queue."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class NotStarted:
    pass


@dataclass(frozen=True, slots=True)
class Open:
    """What every conversation has; ``arrived_at`` is 0 until it first waits, ``served_by`` (agent, team) who had it."""

    customer_ref: str
    entry_point: str
    locale: str
    attributes: tuple[tuple[str, str], ...]
    arrived_at: int
    message_ids: frozenset[str]
    served_by: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class Greeting:
    """Started, nothing said yet."""

    contact: Open


@dataclass(frozen=True, slots=True)
class Waiting:
    contact: Open
    leg: int
    queue: str
    pool: str


@dataclass(frozen=True, slots=True)
class Talking:
    contact: Open
    leg: int
    queue: str
    pool: str
    agent: str
    team: str


@dataclass(frozen=True, slots=True)
class Leaving:
    """Nobody will come; what the customer writes is taken down. ``leg`` is 0 when it never waited."""

    contact: Open
    leg: int = 0
    queue: str = ""
    pool: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    contact: Open


ContactState = NotStarted | Greeting | Waiting | Talking | Leaving | Ended
