"""What happens in a pool, as facts in the past tense. Times are epoch milliseconds, streams ``<tenant>/<stream>``."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

# What concerns the pool as a whole stands in files of its own and is known by the same names here.
from routing.domain.definitions import Action
from routing.domain.definitions import Queue as Queue
from routing.domain.observed import AgentFact, Attributes, ContactFact, Skills
from routing.domain.pool_facts import Calendar as Calendar
from routing.domain.pool_facts import HoursDefined as HoursDefined
from routing.domain.pool_facts import PolicyChosen as PolicyChosen
from routing.domain.pool_facts import PoolCarried as PoolCarried
from routing.domain.pool_facts import PoolDayStarted as PoolDayStarted
from routing.domain.pool_facts import PoolOpened as PoolOpened
from routing.domain.pool_facts import PoolTaken as PoolTaken
from routing.domain.pool_facts import QueueDefined as QueueDefined
from routing.domain.pool_facts import SurgeEnded as SurgeEnded
from routing.domain.pool_facts import SurgeStarted as SurgeStarted
from routing.domain.pool_facts import SurgeStepTaken as SurgeStepTaken
from routing.domain.pool_facts import WorkflowDefined as WorkflowDefined

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
    TAKEN = "taken"


class TimerKind(StrEnum):
    OFFER = "offer"
    RELAXATION = "relaxation"
    OVERFLOW = "overflow"
    MAX_WAIT = "max_wait"
    PREFERRED_AGENT = "preferred_agent"
    FINALITY = "finality"
    HOURS = "hours"
    TARGET = "target"
    SURGE = "surge"


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
class OverflowObserved:
    """Another pool's contact is to come to ``to_queue``; ``origin_queue`` is the first of its story."""

    source: str
    version: int
    contact: str
    origin_queue: str
    to_queue: str
    inbox_offset: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ContactWaiting:
    """``required_skills`` are the contact's and its queue's together, ``own_skills`` the contact's if those differ.

    ``position`` (from 1) and the estimates are 0 where the queue does not announce them or nobody could tell.
    """

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
    preferred_agent_ms: int = 0
    own_skills: Skills = ()
    attributes: Attributes = ()
    origin_queue: str = ""
    position: int = 0
    estimated_wait_p50_ms: int = 0
    estimated_wait_p90_ms: int = 0


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
    automatic: bool = False


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
    """``wrap_up_ms`` is its queue's time for wrap-up, 0: the agent's own; earlier logs do not have it."""

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
    wrap_up_ms: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class ContactPulled:
    """A supervisor gives a waiting contact to ``agent``; the offer follows."""

    contact: str
    leg: int
    queue: str
    agent: str
    team: str
    command_id: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class SkillsRelaxed:
    """``required_skills`` is what is still asked; ``ring`` counts from 1."""

    contact: str
    leg: int
    queue: str
    required_skills: Skills
    ring: int
    policy: str
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class TargetReached:
    """Agents of ``to_queue`` are looked at from now on, by all that stands here; ``target`` counts from 1."""

    contact: str
    leg: int
    queue: str
    target: int
    to_queue: str
    priority: int
    required_skills: Skills
    expression: str
    order_by: str
    policy: str
    explanation: Explanation


@dataclass(frozen=True, slots=True)
class PriorityRaised:
    """``command_id`` and ``reason`` when a person did it."""

    contact: str
    leg: int
    queue: str
    priority: int
    credit_ms: int
    policy: str
    explanation: Explanation
    command_id: str = ""
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ContactOverflowed:
    """By ``rule``, or by a person (``command_id``, ``reason``). It stays in its queue for ``action`` group only."""

    contact: str
    leg: int
    queue: str
    from_pool: str
    action: Action
    rule: str
    channel: str
    priority: int
    credit_ms: int
    queued_at: int
    arrived_at: int
    origin_queue: str
    policy: str
    explanation: Explanation
    to_queue: str = ""
    to_pool: str = ""
    to_team: str = ""
    command_id: str = ""
    reason: str = ""


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
    rule: str = ""
    origin_queue: str = ""
    estimated_wait_p50_ms: int = 0
    estimated_wait_p90_ms: int = 0


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
    """``command`` and ``offer_id`` say what was asked; ``request`` is the whole order, to be asked again."""

    command_id: str
    reason: str
    command: str = ""
    offer_id: str = ""
    contact: str = ""
    request: Any = field(default=None, compare=False, repr=False)
    detail: str = field(default="", compare=False)


@dataclass(frozen=True, slots=True)
class TimerElapsed:
    """A moment that was waited for.

    ``offer``: an offer's deadline; ``finality``: a queue's quarter hour whose verdicts can no longer change (T after
    its end); ``hours``: the queue is ``open`` or not from now on, and its T is ``threshold_ms`` (0: its own);
    ``surge``: arrivals are to be looked at, of which ``usual_milli`` thousandths are usual in the rule's window; the
    others: the ``step`` (from 1) of a waiting contact's plan.
    """

    kind: TimerKind
    due_at: int
    offer_id: str = ""
    queue: str = ""
    interval_end: int = 0
    threshold_ms: int = 0
    contact: str = ""
    leg: int = 0
    rule: str = ""
    open: bool = False
    step: int = 0
    usual_milli: int = 0


Observed = ContactObserved | AgentObserved | OverflowObserved
Event = (
    PoolTaken
    | PoolDayStarted
    | PoolCarried
    | PoolOpened
    | QueueDefined
    | HoursDefined
    | WorkflowDefined
    | PolicyChosen
    | ContactObserved
    | AgentObserved
    | OverflowObserved
    | ContactWaiting
    | ContactOffered
    | OfferAccepted
    | OfferDeclined
    | OfferExpired
    | OfferWithdrawn
    | ContactAssigned
    | ContactPulled
    | SkillsRelaxed
    | TargetReached
    | PriorityRaised
    | ContactOverflowed
    | ContactDequeued
    | CapacityReleased
    | AgentReleased
    | CommandRefused
    | TimerElapsed
    | SurgeStarted
    | SurgeStepTaken
    | SurgeEnded
)
