"""What a pool can be told: facts it observes, timers that elapsed, and orders, each in the imperative."""

from __future__ import annotations

from dataclasses import dataclass

from routing.domain.events import AgentObserved, ContactObserved, Queue, TimerElapsed


@dataclass(frozen=True, slots=True)
class TakePool:
    owner: str
    generation: int


@dataclass(frozen=True, slots=True)
class StartDay:
    date: str
    carry_id: str
    time_zone: str = ""


@dataclass(frozen=True, slots=True)
class DefineQueue:
    """Orders carry ``command_id`` and ``expires_at`` (epoch milliseconds, 0 = never): a late one is refused."""

    queue: Queue
    command_id: str
    expires_at: int = 0


@dataclass(frozen=True, slots=True)
class ChoosePolicy:
    policy: str
    command_id: str
    expires_at: int = 0


@dataclass(frozen=True, slots=True)
class AcceptOffer:
    offer_id: str
    agent: str
    command_id: str
    expires_at: int = 0


@dataclass(frozen=True, slots=True)
class DeclineOffer:
    offer_id: str
    agent: str
    command_id: str
    expires_at: int = 0
    reason: str = ""


Order = DefineQueue | ChoosePolicy | AcceptOffer | DeclineOffer
Input = ContactObserved | AgentObserved | TimerElapsed | TakePool | StartDay | Order
