"""One class a phase: a ``Talking`` call always has an agent, a ``Waiting`` one a queue."""

from __future__ import annotations

from dataclasses import dataclass

MESSAGE_TAKER = "message"


@dataclass(frozen=True, slots=True)
class NotStarted:
    pass


@dataclass(frozen=True, slots=True)
class Line:
    """The caller's line; ``answered`` once a machine spoke, ``arrived_at`` is 0 until the call first waits."""

    trunk: str
    line: str
    answered: bool = False
    arrived_at: int = 0
    entry_point: str = ""


@dataclass(frozen=True, slots=True)
class Ringing:
    """In the centre, not in a queue yet."""

    line: Line


@dataclass(frozen=True, slots=True)
class Waiting:
    line: Line
    leg: int
    queue: str
    pool: str


@dataclass(frozen=True, slots=True)
class Talking:
    line: Line
    leg: int
    queue: str
    pool: str
    agent: str
    team: str
    held: bool = False


@dataclass(frozen=True, slots=True)
class AfterAgent:
    """The agent has hung up, the caller has not."""

    line: Line
    leg: int
    queue: str
    pool: str
    agent: str


@dataclass(frozen=True, slots=True)
class Leaving:
    """Nobody will come: the caller leaves a message. ``leg`` is 0 when the call never waited."""

    line: Line
    leg: int = 0
    queue: str = ""
    pool: str = ""


@dataclass(frozen=True, slots=True)
class Ended:
    line: Line
    agent: str = ""


CallState = NotStarted | Ringing | Waiting | Talking | AfterAgent | Leaving | Ended
