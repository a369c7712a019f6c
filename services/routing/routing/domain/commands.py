"""What a pool can be told: facts it observes, timers that elapsed, and orders, each in the imperative.

Orders carry ``command_id`` and ``expires_at`` (epoch milliseconds, 0 = never): a late one is refused. ``teams`` are
those of the supervisor who asks: an order about others is refused; ``None``: whoever asks may do it everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

from routing.domain.definitions import Hours, Parameters, Queue, Workflow
from routing.domain.events import AgentObserved, ContactObserved, OverflowObserved, TimerElapsed

Teams = tuple[str, ...] | None


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
    queue: Queue
    command_id: str
    expires_at: int = 0
    reason: str = ""


@dataclass(frozen=True, slots=True)
class DefineHours:
    """``removed``: the pool is to forget them; refused while a queue names them."""

    hours: Hours
    command_id: str
    expires_at: int = 0
    removed: bool = False


@dataclass(frozen=True, slots=True)
class DefineWorkflow:
    workflow: Workflow
    command_id: str
    expires_at: int = 0
    removed: bool = False


@dataclass(frozen=True, slots=True)
class ChoosePolicy:
    """For ``queue``; empty: for the pool."""

    policy: str
    command_id: str
    expires_at: int = 0
    queue: str = ""
    parameters: Parameters = ()
    reason: str = ""
    teams: Teams = None


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


@dataclass(frozen=True, slots=True)
class MoveContact:
    """A waiting contact to another queue; ``to_pool`` is that queue's."""

    contact: str
    to_queue: str
    to_pool: str
    command_id: str
    expires_at: int = 0
    reason: str = ""
    teams: Teams = None


@dataclass(frozen=True, slots=True)
class PullContact:
    """A waiting contact to ``agent``, whatever its skills and queues, but never over its capacity."""

    contact: str
    agent: str
    command_id: str
    expires_at: int = 0
    reason: str = ""
    teams: Teams = None


@dataclass(frozen=True, slots=True)
class RaisePriority:
    """Both from now on; ``credit_ms`` counts as an earlier arrival."""

    contact: str
    priority: int
    credit_ms: int
    command_id: str
    expires_at: int = 0
    reason: str = ""
    teams: Teams = None


@dataclass(frozen=True, slots=True)
class SetQueueOpen:
    queue: str
    open: bool
    command_id: str
    expires_at: int = 0
    reason: str = ""
    teams: Teams = None


@dataclass(frozen=True, slots=True)
class RemoveQueue:
    """To ``to_pool``; empty: nowhere. Refused while contacts are in it."""

    queue: str
    to_pool: str
    command_id: str
    expires_at: int = 0
    reason: str = ""
    teams: Teams = None


@dataclass(frozen=True, slots=True)
class RequestCallback:
    """The customer is to be called back and need not wait; the place is kept by the ingress."""

    contact: str
    command_id: str
    expires_at: int = 0
    reason: str = ""
    teams: Teams = None


Supervision = MoveContact | PullContact | RaisePriority | SetQueueOpen | RemoveQueue | RequestCallback
Order = DefineQueue | DefineHours | DefineWorkflow | ChoosePolicy | AcceptOffer | DeclineOffer | Supervision
Input = ContactObserved | AgentObserved | OverflowObserved | TimerElapsed | TakePool | StartDay | Order
