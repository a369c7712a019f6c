"""What happens to an agent, as facts in the past tense."""

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
    SUPERVISOR = "supervisor"


class Activity(StrEnum):
    """What an agent is doing; exactly one at any time (AG-6)."""

    SIGNED_OUT = "signed_out"
    SIGNED_IN = "signed_in"
    READY = "ready"
    BUSY = "busy"
    WRAP_UP = "wrap_up"
    BREAK = "break"
    NOT_READY = "not_ready"


@dataclass(frozen=True, slots=True)
class Stamp:
    """Whom a fact is about. ``pool`` stands in every fact after ``JoinedPool``, so that routing finds it without
    asking; ``at`` is the time of recording, epoch milliseconds."""

    agent: str
    pool: str = ""
    team: str = ""
    at: int = 0


@dataclass(frozen=True, slots=True)
class Card:
    """What stands about an agent: ``wrap_up_ms`` 0 means none; without ``auto_ready`` the agent must set ready again
    after each contact (AG-2); empty ``queues`` means every queue of the pool that the skills allow. ``ranks`` (queue,
    rank) count in their queues instead of ``priority``; ``attributes`` are what targeting expressions may ask."""

    name: str
    wrap_up_ms: int = 0
    auto_ready: bool = True
    priority: int = 0
    queues: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    ranks: tuple[tuple[str, int], ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, order=True)
class Skill:
    skill: str
    level: int = 1


@dataclass(frozen=True, slots=True, order=True)
class Slots:
    """How many contacts of one channel at once, and what one of them takes of the capacity's units (CH-2).

    Those of an ``interruptible`` channel take no units from offers of the others.
    """

    channel: str
    slots: int
    cost: int = 0
    interruptible: bool = False


@dataclass(frozen=True, slots=True)
class Capacity:
    """With ``units`` 0 only the slots count."""

    channels: tuple[Slots, ...] = ()
    units: int = 0


@dataclass(frozen=True, slots=True)
class Leg:
    """One agent's part of one contact: what work is counted by."""

    contact: str
    leg: int
    queue: str = ""
    channel: str = ""


@dataclass(frozen=True, slots=True)
class Forced:
    """A supervisor did it, for a reason (RT-8)."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Standing:
    """All that a pool must know of an agent who joins it; ``idle_since`` is ``None`` unless ready without work."""

    skills: tuple[Skill, ...]
    capacity: Capacity
    priority: int
    queues: tuple[str, ...]
    activity: Activity
    mode: Mode | None
    takes_offers: bool
    idle_since: int | None
    ranks: tuple[tuple[str, int], ...] = ()
    attributes: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class AgentRegistered:
    stamp: Stamp
    card: Card


@dataclass(frozen=True, slots=True)
class TeamAssigned:
    """To the team of the stamp."""

    stamp: Stamp
    from_team: str = ""


@dataclass(frozen=True, slots=True)
class SkillsAssigned:
    stamp: Stamp
    skills: tuple[Skill, ...]


@dataclass(frozen=True, slots=True)
class CapacitySet:
    stamp: Stamp
    capacity: Capacity


@dataclass(frozen=True, slots=True)
class JoinedPool:
    """The pool of the stamp."""

    stamp: Stamp
    standing: Standing
    from_pool: str = ""


@dataclass(frozen=True, slots=True)
class PoolLeaveRequested:
    """Nothing is offered from here on; the old pool answers ``AgentReleased`` (kernel rule 24)."""

    stamp: Stamp
    to_pool: str


@dataclass(frozen=True, slots=True)
class AgentSignedIn:
    stamp: Stamp


@dataclass(frozen=True, slots=True)
class AgentCheckedIn:
    stamp: Stamp
    mode: Mode


@dataclass(frozen=True, slots=True)
class AgentReady:
    stamp: Stamp
    forced: Forced | None = None


@dataclass(frozen=True, slots=True)
class AgentNotReady:
    stamp: Stamp
    reason: str
    planned: bool = False
    break_id: str = ""
    forced_by: str = ""


@dataclass(frozen=True, slots=True)
class BreakRequested:
    stamp: Stamp
    break_id: str
    reason: str
    planned: bool = False


@dataclass(frozen=True, slots=True)
class BreakApproved:
    stamp: Stamp
    break_id: str
    approved_by: str


@dataclass(frozen=True, slots=True)
class WorkStarted:
    """``wrap_up_ms`` is its queue's limit of a wrap-up; 0: the agent's own."""

    stamp: Stamp
    work: Leg
    offer_id: str = ""
    wrap_up_ms: int = 0


@dataclass(frozen=True, slots=True)
class WorkEnded:
    """The conversation is over. The slot is free again unless a wrap-up follows."""

    stamp: Stamp
    work: Leg
    wrap_up_follows: bool = False


@dataclass(frozen=True, slots=True)
class WrapUpStarted:
    """``ends_at`` is epoch milliseconds."""

    stamp: Stamp
    work: Leg
    ends_at: int


@dataclass(frozen=True, slots=True)
class WrapUpEnded:
    """The slot is free again."""

    stamp: Stamp
    work: Leg
    by: EndedBy


@dataclass(frozen=True, slots=True)
class AgentCheckedOut:
    stamp: Stamp
    forced: Forced | None = None


@dataclass(frozen=True, slots=True)
class AgentSignedOut:
    stamp: Stamp
    forced: Forced | None = None


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
