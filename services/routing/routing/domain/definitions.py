"""What administrators define: queues, opening hours, workflows. Waits are milliseconds, times of day minutes."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from routing.domain.observed import Skills

Parameters = tuple[tuple[str, str], ...]
"""(key, value) pairs, sorted by key."""

DAY_MINUTES = 24 * 60


class Trigger(StrEnum):
    """When an overflow rule applies."""

    LENGTH = "length"
    WAIT = "wait"
    NOBODY_SIGNED_IN = "nobody_signed_in"
    CLOSED = "closed"


class Action(StrEnum):
    """Where an overflow goes."""

    QUEUE = "queue"
    GROUP = "group"
    VOICEMAIL = "voicemail"
    CALLBACK = "callback"
    END = "end"


class SurgeAction(StrEnum):
    """What a step of a playbook does."""

    OVERFLOW = "overflow"
    CALLBACK_OFFER = "callback_offer"
    MESSAGE = "message"
    RESERVE = "reserve"


@dataclass(frozen=True, slots=True)
class Relaxation:
    """After so long a wait ``min_level`` of ``skill`` will do; 0: it is no longer asked."""

    after_ms: int
    skill: str
    min_level: int = 0


@dataclass(frozen=True, slots=True)
class OverflowRule:
    """``limit`` is a length or a wait; ``to_pool`` is empty for this pool."""

    rule: str
    trigger: Trigger
    limit: int
    action: Action
    to_queue: str = ""
    to_pool: str = ""
    to_team: str = ""


@dataclass(frozen=True, slots=True)
class IntervalTarget:
    """Another target on ``days`` (1 Monday to 7 Sunday; none: all) from minute ``begin`` until ``end`` of the day.

    An ``end`` that is not later than ``begin`` is on the next day.
    """

    days: tuple[int, ...]
    begin: int
    end: int
    threshold_ms: int
    target_ppm: int = 0


@dataclass(frozen=True, slots=True)
class SurgeStep:
    step: str
    action: SurgeAction
    after_ms: int = 0
    to_queue: str = ""
    to_pool: str = ""
    to_team: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class SurgeRule:
    """Shares in hundredths, the usual arrivals of a quarter hour in thousandths (0: only what the log knows)."""

    usual_milli: int = 0
    start_percent: int = 200
    end_percent: int = 130
    window_ms: int = 300_000
    end_after_ms: int = 600_000
    chance_ppm: int = 1000
    steps: tuple[SurgeStep, ...] = ()


@dataclass(frozen=True, slots=True)
class Queue:
    """How one queue of the pool is served. ``definition`` is all of it, in bytes that only ``wire`` reads.

    ``definition`` is empty when the pool itself said the queue anew: then the other fields are all there is.
    """

    id: str
    open: bool = True
    offer_timeout_ms: int = 20_000
    threshold_ms: int = 20_000
    short_abandon_ms: int = 0
    credit_ms: int = 0
    required_skills: Skills = ()
    not_ready_on_no_answer: bool = True
    definition: bytes = b""
    name: str = ""
    policy: str = ""
    parameters: Parameters = ()
    thresholds_s: tuple[int, ...] = ()
    relaxations: tuple[Relaxation, ...] = ()
    overflows: tuple[OverflowRule, ...] = ()
    priority: int = 0
    preferred_agent_ms: int = 0
    max_length: int = 0
    max_wait_ms: int = 0
    wrap_up_ms: int = 0
    hours: str = ""
    channels: tuple[str, ...] = ()
    targeting: str = ""
    target_ppm: int = 0
    ring_agents: int = 0
    workflow: str = ""
    auto_accept: bool = False
    interval_targets: tuple[IntervalTarget, ...] = ()
    weight: int = 0
    surge: SurgeRule | None = None
    announce_wait: bool = False

    @property
    def rules(self) -> bool:
        """Whether anything is to happen to a contact that waits in it."""
        return bool(self.relaxations or self.overflows or self.max_wait_ms)

    def takes(self, channel: str) -> bool:
        """Whether contacts of ``channel`` may wait in it: with no ``channels`` of its own, all may."""
        return not self.channels or channel in self.channels


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Minutes of a local day; an ``end`` that is not later than ``begin`` is on the next day."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Hours:
    """``weekly`` are (day 1 Monday to 7 Sunday, span), ``holidays`` (date YYYY-MM-DD, its spans; none: closed)."""

    id: str
    time_zone: str = ""
    weekly: tuple[tuple[int, Span], ...] = ()
    holidays: tuple[tuple[str, tuple[Span, ...]], ...] = ()
    definition: bytes = b""


@dataclass(frozen=True, slots=True)
class Target:
    """``queue``: whose agents are looked at, until ``timeout_ms`` after queueing (0: for ever).

    ``priority`` ``None`` leaves the contact's as it is; ``skip_if`` is asked when nobody can take it on arrival here.
    """

    queue: str
    timeout_ms: int = 0
    priority: int | None = None
    expression: str = ""
    order_by: str = ""
    skip_if: str = ""


@dataclass(frozen=True, slots=True)
class Workflow:
    """Where agents are looked for as a contact waits."""

    id: str
    targets: tuple[Target, ...] = ()
    definition: bytes = b""
