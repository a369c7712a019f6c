"""What happens in a pool, as facts in the past tense. Times are epoch milliseconds, streams ``<tenant>/<stream>``."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from routing.domain.members import Agent, Contact
from routing.domain.observed import AgentFact, ContactFact, Skills

DEFAULT_POLICY = "longest-idle@1"


class Outcome(StrEnum):
    """How a contact left its queue."""

    ANSWERED = "answered"
    ABANDONED = "abandoned"
    SHORT_ABANDONED = "short_abandoned"
    FLOWED_OUT = "flowed_out"
    CALLBACK = "callback"
    TIMED_OUT = "timed_out"
    BLOCKED = "blocked"
    FAILED = "failed"


class Withdrawal(StrEnum):
    """Why an offer was taken back."""

    CUSTOMER_LEFT = "customer_left"
    AGENT_LEFT = "agent_left"
    MOVED = "moved"


class TimerKind(StrEnum):
    OFFER = "offer"
    FINALITY = "finality"


@dataclass(frozen=True, slots=True)
class Queue:
    """How one queue of the pool is served. ``definition`` is all of it, in bytes that only ``wire`` reads."""

    id: str
    open: bool = True
    offer_timeout_ms: int = 20_000
    threshold_ms: int = 20_000
    short_abandon_ms: int = 0
    credit_ms: int = 0
    required_skills: Skills = ()
    not_ready_on_no_answer: bool = True
    definition: bytes = b""


@dataclass(frozen=True, slots=True)
class Explanation:
    """Who was looked at, how many were refused for which reason, and what told the winner from the rest.

    ``cause_version`` (the input's own version in the pool's stream) is known only when it is stored.
    """

    considered: int
    refused: tuple[tuple[str, int], ...]
    tie_break: str
    winner: str
    score: str
    cause_version: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class PoolTaken:
    owner: str
    generation: int


@dataclass(frozen=True, slots=True)
class PoolDayStarted:
    """A local day (``date`` as YYYY-MM-DD in ``time_zone``) begins; its carry follows."""

    date: str
    carry_id: str
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class PoolCarried:
    """The ``piece``-th part (from 1) of what the day begins with; ``finalities`` are (queue, interval end, T)."""

    carry_id: str
    piece: int
    generation: int = 0
    policy: str = ""
    queues: tuple[Queue, ...] = ()
    agents: tuple[Agent, ...] = ()
    contacts: tuple[Contact, ...] = ()
    finalities: tuple[tuple[str, int, int], ...] = ()
    commands: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PoolOpened:
    date: str
    carry_id: str
    state_digest: bytes
    pieces: int


@dataclass(frozen=True, slots=True)
class QueueDefined:
    queue: Queue
    command_id: str = ""


@dataclass(frozen=True, slots=True)
class PolicyChosen:
    policy: str
    command_id: str = ""


@dataclass(frozen=True, slots=True)
class ContactObserved:
    """What the pool saw of a contact, as seen; ``raw`` are the published bytes, which only ``wire`` reads."""

    source: str
    version: int
    fact: ContactFact
    inbox_offset: int = field(default=0, compare=False)
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class AgentObserved:
    source: str
    version: int
    fact: AgentFact
    inbox_offset: int = field(default=0, compare=False)
    raw: bytes = field(default=b"", compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class ContactWaiting:
    """``required_skills`` are the contact's and its queue's together."""

    contact: str
    leg: int
    queue: str
    channel: str
    priority: int
    credit_ms: int
    queued_at: int
    arrived_at: int
    required_skills: Skills = ()
    preferred_agent: str = ""


@dataclass(frozen=True, slots=True)
class ContactOffered:
    offer_id: str
    contact: str
    leg: int
    queue: str
    agent: str
    team: str
    channel: str
    attempt: int
    queued_at: int
    expires_at: int
    policy: str
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class OfferAccepted:
    offer_id: str
    contact: str
    leg: int
    queue: str
    agent: str
    team: str
    offered_at: int
    command_id: str = ""


@dataclass(frozen=True, slots=True)
class OfferDeclined:
    offer_id: str
    contact: str
    leg: int
    queue: str
    agent: str
    team: str
    command_id: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class OfferExpired:
    """``not_ready``: the agent is to be set not ready, and counts as such here from now on."""

    offer_id: str
    contact: str
    leg: int
    queue: str
    agent: str
    team: str
    not_ready: bool


@dataclass(frozen=True, slots=True)
class OfferWithdrawn:
    offer_id: str
    contact: str
    leg: int
    queue: str
    agent: str
    team: str
    reason: Withdrawal


@dataclass(frozen=True, slots=True)
class ContactAssigned:
    offer_id: str
    contact: str
    leg: int
    queue: str
    agent: str
    team: str
    channel: str
    queued_at: int
    accepted_at: int
    policy: str


@dataclass(frozen=True, slots=True)
class ContactDequeued:
    """``agent``, ``offer_id`` and the times of the offer stand when it was answered; times not known are 0."""

    contact: str
    leg: int
    queue: str
    outcome: Outcome
    channel: str
    queued_at: int
    left_at: int
    offers: int
    agent: str = ""
    team: str = ""
    offer_id: str = ""
    offered_at: int = 0
    accepted_at: int = 0
    to_queue: str = ""
    after_announcement: bool = False


@dataclass(frozen=True, slots=True)
class CapacityReleased:
    agent: str
    team: str
    contact: str
    leg: int
    queue: str
    channel: str


@dataclass(frozen=True, slots=True)
class AgentReleased:
    agent: str
    team: str
    to_pool: str


@dataclass(frozen=True, slots=True)
class CommandRefused:
    """``command`` and ``offer_id`` say what was asked, so that a replay can ask again."""

    command_id: str
    reason: str
    command: str = ""
    offer_id: str = ""


@dataclass(frozen=True, slots=True)
class TimerElapsed:
    """An offer's deadline, or a queue's quarter hour whose verdicts can no longer change (T after its end)."""

    kind: TimerKind
    due_at: int
    offer_id: str = ""
    queue: str = ""
    interval_end: int = 0
    threshold_ms: int = 0


Observed = ContactObserved | AgentObserved
Event = (
    PoolTaken
    | PoolDayStarted
    | PoolCarried
    | PoolOpened
    | QueueDefined
    | PolicyChosen
    | ContactObserved
    | AgentObserved
    | ContactWaiting
    | ContactOffered
    | OfferAccepted
    | OfferDeclined
    | OfferExpired
    | OfferWithdrawn
    | ContactAssigned
    | ContactDequeued
    | CapacityReleased
    | AgentReleased
    | CommandRefused
    | TimerElapsed
)
