"""What a pool sees of contacts and agents: only the facts that a decision may rest on. Times are epoch milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

Skills = tuple[tuple[str, int], ...]
"""(skill, level) pairs, sorted by skill."""

Attributes = tuple[tuple[str, str], ...]
"""(key, value) pairs, sorted by key."""

Ranks = tuple[tuple[str, int], ...]
"""(queue, rank of an agent in it) pairs, sorted by queue."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """``slots`` are (channel, how many at once), ``costs`` (channel, what one takes of ``units``); 0: no count.

    Work of the ``interruptible`` channels takes no units from offers of the others.
    """

    slots: tuple[tuple[str, int], ...] = ()
    costs: tuple[tuple[str, int], ...] = ()
    units: int = 0
    interruptible: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ContactQueued:
    contact: str
    leg: int
    queue: str
    pool: str
    channel: str
    queued_at: int
    arrived_at: int = 0
    priority: int = 0
    credit_ms: int = 0
    required_skills: Skills = ()
    preferred_agent: str = ""
    preferred_agent_ms: int = 0
    attributes: Attributes = ()


@dataclass(frozen=True, slots=True)
class AgentConnected:
    contact: str
    leg: int
    agent: str
    at: int


@dataclass(frozen=True, slots=True)
class ContactAbandoned:
    contact: str
    at: int
    after_announcement: bool = False


@dataclass(frozen=True, slots=True)
class ContactEnded:
    contact: str
    reason: str
    at: int


@dataclass(frozen=True, slots=True)
class JoinedPool:
    """The agent is this pool's from here on, with everything that its stream has said so far."""

    agent: str
    pool: str
    team: str = ""
    skills: Skills = ()
    capacity: Capacity = Capacity()
    queues: tuple[str, ...] = ()
    checked_in: bool = False
    ready: bool = False
    rank: int = 0
    ranks: Ranks = ()
    attributes: Attributes = ()


@dataclass(frozen=True, slots=True)
class AgentRegistered:
    """What stands about the agent, complete: what is not named is gone."""

    agent: str
    queues: tuple[str, ...] = ()
    rank: int = 0
    ranks: Ranks = ()
    attributes: Attributes = ()


@dataclass(frozen=True, slots=True)
class TeamAssigned:
    agent: str
    team: str


@dataclass(frozen=True, slots=True)
class SkillsAssigned:
    agent: str
    skills: Skills


@dataclass(frozen=True, slots=True)
class CapacitySet:
    agent: str
    capacity: Capacity


@dataclass(frozen=True, slots=True)
class PoolLeaveRequested:
    """``to`` is empty when the agent goes to no pool."""

    agent: str
    to: str


@dataclass(frozen=True, slots=True)
class AgentCheckedIn:
    agent: str


@dataclass(frozen=True, slots=True)
class AgentReady:
    agent: str


@dataclass(frozen=True, slots=True)
class AgentNotReady:
    agent: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AgentCheckedOut:
    """Also stands for signing out: no work may be offered any more."""

    agent: str


@dataclass(frozen=True, slots=True)
class WorkEnded:
    """Without wrap-up: the place is free."""

    agent: str
    contact: str
    leg: int


@dataclass(frozen=True, slots=True)
class WrapUpStarted:
    agent: str
    contact: str
    leg: int


@dataclass(frozen=True, slots=True)
class WrapUpEnded:
    agent: str
    contact: str
    leg: int


@dataclass(frozen=True, slots=True)
class Irrelevant:
    """A fact this version does not know: its version counts, nothing else."""

    kind: str = ""


ContactFact = ContactQueued | AgentConnected | ContactAbandoned | ContactEnded | Irrelevant
AgentFact = (
    JoinedPool
    | AgentRegistered
    | TeamAssigned
    | SkillsAssigned
    | CapacitySet
    | PoolLeaveRequested
    | AgentCheckedIn
    | AgentReady
    | AgentNotReady
    | AgentCheckedOut
    | WorkEnded
    | WrapUpStarted
    | WrapUpEnded
    | Irrelevant
)
