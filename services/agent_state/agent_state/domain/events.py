"""What happens to an agent, as facts in the past tense.

Every fact after ``JoinedPool`` names the pool it happened in, so that routing finds it without asking anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Mode(StrEnum):
    """How the agent works (AG-3)."""

    WEB = "web"
    PHONE = "phone"
    MOBILE = "mobile"


class EndedBy(StrEnum):
    """Who ended a wrap-up."""

    AGENT = "agent"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True, order=True)
class Skill:
    skill: str
    level: int = 1


@dataclass(frozen=True, slots=True, order=True)
class Slots:
    """How many contacts of one channel at once."""

    channel: str
    slots: int


@dataclass(frozen=True, slots=True)
class Leg:
    """One agent's part of one contact: what work is counted by."""

    contact: str
    leg: int
    queue: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class AgentRegistered:
    """``wrap_up_ms`` 0 means none; without ``auto_ready`` the agent is not ready after each contact (AG-2)."""

    name: str
    wrap_up_ms: int
    auto_ready: bool
    pool: str = ""


@dataclass(frozen=True, slots=True)
class TeamAssigned:
    team: str
    pool: str = ""


@dataclass(frozen=True, slots=True)
class SkillsAssigned:
    skills: tuple[Skill, ...]
    pool: str = ""


@dataclass(frozen=True, slots=True)
class CapacitySet:
    capacity: tuple[Slots, ...]
    pool: str = ""


@dataclass(frozen=True, slots=True)
class JoinedPool:
    pool: str
    from_pool: str = ""


@dataclass(frozen=True, slots=True)
class PoolLeaveRequested:
    """Nothing is offered from here on; the old pool answers ``AgentReleased`` (kernel rule 24)."""

    pool: str
    to: str


@dataclass(frozen=True, slots=True)
class AgentSignedIn:
    pool: str
    team: str = ""


@dataclass(frozen=True, slots=True)
class AgentCheckedIn:
    mode: Mode
    pool: str
    team: str = ""


@dataclass(frozen=True, slots=True)
class AgentReady:
    pool: str
    team: str = ""


@dataclass(frozen=True, slots=True)
class AgentNotReady:
    reason: str
    planned: bool
    pool: str
    team: str = ""


@dataclass(frozen=True, slots=True)
class BreakRequested:
    reason: str
    planned: bool
    pool: str
    team: str = ""


@dataclass(frozen=True, slots=True)
class BreakApproved:
    approved_by: str
    pool: str
    team: str = ""


@dataclass(frozen=True, slots=True)
class WorkStarted:
    work: Leg
    pool: str
    team: str = ""


@dataclass(frozen=True, slots=True)
class WorkEnded:
    """Over without wrap-up: the slot is free again."""

    work: Leg
    pool: str
    team: str = ""


@dataclass(frozen=True, slots=True)
class WrapUpStarted:
    """The contact is over for the agent, the slot is not free yet; ``ends_at`` is epoch milliseconds."""

    work: Leg
    ends_at: int
    pool: str
    team: str = ""


@dataclass(frozen=True, slots=True)
class WrapUpEnded:
    """The slot is free again."""

    work: Leg
    by: EndedBy
    pool: str
    team: str = ""


@dataclass(frozen=True, slots=True)
class AgentCheckedOut:
    pool: str
    team: str = ""


@dataclass(frozen=True, slots=True)
class AgentSignedOut:
    pool: str
    team: str = ""


AgentEvent = (
    AgentRegistered
    | TeamAssigned
    | SkillsAssigned
    | CapacitySet
    | JoinedPool
    | PoolLeaveRequested
    | AgentSignedIn
    | AgentCheckedIn
    | AgentReady
    | AgentNotReady
    | BreakRequested
    | BreakApproved
    | WorkStarted
    | WorkEnded
    | WrapUpStarted
    | WrapUpEnded
    | AgentCheckedOut
    | AgentSignedOut
)
