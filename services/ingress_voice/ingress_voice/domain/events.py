"""What happens to a call, as facts in the past tense."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class LegEnd(StrEnum):
    """Why one side of a leg ended."""

    AGENT_ENDED = "agent_ended"
    CUSTOMER_ENDED = "customer_ended"
    LOST = "lost"
    UNSPECIFIED = "unspecified"


class EndReason(StrEnum):
    AGENT_ENDED = "agent_ended"
    CUSTOMER_ENDED = "customer_ended"
    ABANDONED = "abandoned"
    NEVER_QUEUED = "never_queued"
    BLOCKED = "blocked"
    SELF_SERVED = "self_served"
    CALLBACK = "callback"
    TIMED_OUT = "timed_out"
    FAILED = "failed"
    UNSPECIFIED = "unspecified"


@dataclass(frozen=True, slots=True)
class SkillRequirement:
    skill: str
    min_level: int = 1


@dataclass(frozen=True, slots=True)
class ContactStarted:
    entry_point: str
    customer_ref: str
    called: str
    trunk: str


@dataclass(frozen=True, slots=True)
class TrunkSeized:
    trunk: str
    line: str


@dataclass(frozen=True, slots=True)
class SystemConnected:
    """A menu, an announcement or what takes a message has the caller."""

    system: str
    leg: int = 0
    queue: str = ""
    pool: str = ""


@dataclass(frozen=True, slots=True)
class ContactQueued:
    leg: int
    queue: str
    pool: str
    arrived_at: int
    priority: int = 0
    required_skills: tuple[SkillRequirement, ...] = ()
    from_queue: str = ""
    from_pool: str = ""
    preferred_agent: str = ""
    preferred_agent_ms: int = 0


@dataclass(frozen=True, slots=True)
class AgentConnected:
    leg: int
    queue: str
    pool: str
    agent: str
    team: str
    offer_id: str


@dataclass(frozen=True, slots=True)
class ContactHeld:
    leg: int
    queue: str
    pool: str
    agent: str
    team: str


@dataclass(frozen=True, slots=True)
class ContactResumed:
    leg: int
    queue: str
    pool: str
    agent: str
    team: str


@dataclass(frozen=True, slots=True)
class AgentDisconnected:
    leg: int
    queue: str
    pool: str
    agent: str
    team: str
    reason: LegEnd


@dataclass(frozen=True, slots=True)
class CustomerDisconnected:
    leg: int
    queue: str
    pool: str
    agent: str
    team: str
    reason: LegEnd


@dataclass(frozen=True, slots=True)
class ContactAbandoned:
    """The caller hung up while waiting."""

    leg: int
    queue: str
    pool: str


@dataclass(frozen=True, slots=True)
class TrunkReleased:
    trunk: str
    line: str
    leg: int
    queue: str
    pool: str


@dataclass(frozen=True, slots=True)
class ContactEnded:
    reason: EndReason
    leg: int = 0
    queue: str = ""
    pool: str = ""
    agent: str = ""
    team: str = ""


CallEvent = (
    ContactStarted
    | TrunkSeized
    | SystemConnected
    | ContactQueued
    | AgentConnected
    | ContactHeld
    | ContactResumed
    | AgentDisconnected
    | CustomerDisconnected
    | ContactAbandoned
    | TrunkReleased
    | ContactEnded
)
