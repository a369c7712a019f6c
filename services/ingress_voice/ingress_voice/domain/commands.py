"""What the switch reports and what agents ask for."""

from __future__ import annotations

from dataclasses import dataclass

from .events import EndReason, SkillRequirement


@dataclass(frozen=True, slots=True)
class Place:
    """Where a call waits: the queue, its pool now, what it asks of an agent, and who is to be tried first."""

    queue: str
    pool: str
    priority: int = 0
    required_skills: tuple[SkillRequirement, ...] = ()
    preferred_agent: str = ""
    preferred_agent_ms: int = 0


@dataclass(frozen=True, slots=True)
class StartCall:
    """The switch has a caller on a line of ``trunk``."""

    entry_point: str
    customer_ref: str
    called: str
    trunk: str
    line: str


@dataclass(frozen=True, slots=True)
class AnswerBySystem:
    system: str


@dataclass(frozen=True, slots=True)
class QueueCall:
    place: Place


@dataclass(frozen=True, slots=True)
class RequeueCall:
    """Routing has overflowed leg ``leg`` out of its queue to ``place``."""

    leg: int
    place: Place


@dataclass(frozen=True, slots=True)
class TakeMessage:
    """Nobody will come: from leg ``leg`` of a queue, or 0, from the door."""

    leg: int = 0


@dataclass(frozen=True, slots=True)
class GiveUpCall:
    """The line is dropped: from leg ``leg`` of a queue, or 0, from the door."""

    leg: int
    reason: EndReason


@dataclass(frozen=True, slots=True)
class ConnectAgent:
    """Media flow both ways between the caller and the agent whom routing assigned."""

    leg: int
    agent: str
    team: str = ""
    offer_id: str = ""


@dataclass(frozen=True, slots=True)
class HoldCall:
    agent: str


@dataclass(frozen=True, slots=True)
class ResumeCall:
    agent: str


@dataclass(frozen=True, slots=True)
class HangUpAgent:
    """The agent's leg ended; the caller's may go on (to a survey) until ``HangUpCaller``."""

    agent: str


@dataclass(frozen=True, slots=True)
class HangUpCaller:
    """The caller's leg ended."""

    lost: bool = False


CallCommand = (
    StartCall
    | AnswerBySystem
    | QueueCall
    | RequeueCall
    | TakeMessage
    | GiveUpCall
    | ConnectAgent
    | HoldCall
    | ResumeCall
    | HangUpAgent
    | HangUpCaller
)
