"""The log decided again: the same inputs must cause the same facts, forever (RT-10)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import assert_never

from routing.domain.commands import (
    AcceptOffer,
    ChoosePolicy,
    DeclineOffer,
    DefineHours,
    DefineQueue,
    DefineWorkflow,
    Input,
    MoveContact,
    PullContact,
    RaisePriority,
    RemoveQueue,
    RequestCallback,
    StartDay,
    TakePool,
)
from routing.domain.decide import decide_one
from routing.domain.definitions import Action
from routing.domain.events import (
    AgentObserved,
    CommandRefused,
    ContactObserved,
    ContactOverflowed,
    ContactPulled,
    Event,
    HoursDefined,
    OfferAccepted,
    OfferDeclined,
    OverflowObserved,
    PolicyChosen,
    PoolDayStarted,
    PoolTaken,
    PriorityRaised,
    Queue,
    QueueDefined,
    TimerElapsed,
    WorkflowDefined,
)
from routing.domain.state import Board

Recorded = tuple[Event, int]
"""An event and when it was recorded, in epoch milliseconds."""

Opening = (
    ContactObserved
    | AgentObserved
    | OverflowObserved
    | TimerElapsed
    | PoolTaken
    | PoolDayStarted
    | QueueDefined
    | HoursDefined
    | WorkflowDefined
    | PolicyChosen
    | OfferAccepted
    | OfferDeclined
    | ContactPulled
    | CommandRefused
)
ByRule = ContactOverflowed | PriorityRaised
"""What a person may cause, or a rule in the middle of a turn."""


@dataclass(frozen=True, slots=True)
class Divergence:
    """The ``n``-th turn (from 0) was recorded one way and is decided another."""

    n: int
    item: Input
    recorded: tuple[Event, ...]
    decided: tuple[Event, ...]


def replay(history: Iterable[Recorded], board: Board) -> Divergence | None:
    """Decide every turn of ``history`` again on ``board``; the first difference, or ``None``."""
    for n, (recorded, at) in enumerate(turns(history)):
        item = input_of(recorded[0])
        decided = tuple(decide_one(item, board, at))
        if decided != recorded:
            return Divergence(n, item, recorded, decided)
    return None


def opens(event: Event) -> bool:
    """Whether ``event`` is the first of a turn: only an input causes it."""
    if isinstance(event, OfferAccepted) and event.automatic:
        return False
    return isinstance(event, Opening) or (isinstance(event, ByRule) and bool(event.command_id))


def turns(history: Iterable[Recorded]) -> Iterator[tuple[tuple[Event, ...], int]]:
    """The facts of one input each."""
    turn: list[Event] = []
    began = 0
    for event, at in history:
        if turn and opens(event):
            yield tuple(turn), began
            turn = []
        began = began if turn else at
        turn.append(event)
    if turn:
        yield tuple(turn), began


def input_of(event: Event) -> Input:
    """The input that a turn's first fact tells of."""
    match event:
        case ContactObserved() | AgentObserved() | OverflowObserved() | TimerElapsed():
            return event
        case PoolTaken(owner, generation):
            return TakePool(owner, generation)
        case PoolDayStarted(date, carry_id, time_zone):
            return StartDay(date, carry_id, time_zone)
        case OfferAccepted(offer_id, agent=agent, command_id=command_id):
            return AcceptOffer(offer_id, agent, command_id)
        case OfferDeclined(offer_id, agent=agent, command_id=command_id, reason=reason):
            return DeclineOffer(offer_id, agent, command_id, reason=reason)
        case CommandRefused():
            return event.request or _refused(event)
        case QueueDefined() | HoursDefined() | WorkflowDefined() | PolicyChosen():
            return _defining(event)
        case ContactOverflowed() | PriorityRaised() | ContactPulled():
            return _supervising(event)
        case _:
            raise ValueError(f"{type(event).__name__} opens no turn")


def _defining(event: QueueDefined | HoursDefined | WorkflowDefined | PolicyChosen) -> Input:
    """By whose rights it was done does not matter any more: it was done. Opening a queue is defining it anew."""
    match event:
        case QueueDefined(queue, command_id, removed=True, to_pool=to_pool, reason=reason):
            return RemoveQueue(queue.id, to_pool, command_id, reason=reason)
        case QueueDefined(queue, command_id, reason=reason):
            return DefineQueue(queue, command_id, reason=reason)
        case HoursDefined(hours, command_id, removed):
            return DefineHours(hours, command_id, removed=removed)
        case WorkflowDefined(workflow, command_id, removed):
            return DefineWorkflow(workflow, command_id, removed=removed)
        case PolicyChosen(policy, command_id, queue, parameters, reason):
            return ChoosePolicy(policy, command_id, queue=queue, parameters=parameters, reason=reason)
        case _:
            assert_never(event)


def _supervising(event: ContactOverflowed | PriorityRaised | ContactPulled) -> Input:
    command_id, reason = event.command_id, event.reason
    match event:
        case ContactPulled(contact, agent=agent):
            return PullContact(contact, agent, command_id, reason=reason)
        case PriorityRaised(contact, priority=priority, credit_ms=credit_ms):
            return RaisePriority(contact, priority, credit_ms, command_id, reason=reason)
        case ContactOverflowed(contact, action=Action.CALLBACK):
            return RequestCallback(contact, command_id, reason=reason)
        case ContactOverflowed(contact, to_queue=to_queue, to_pool=to_pool):
            return MoveContact(contact, to_queue, to_pool, command_id, reason=reason)
        case _:
            assert_never(event)


def _refused(event: CommandRefused) -> Input:
    """As the first logs told it, without the order itself.

    Who asked does not matter to a refusal, only that it was nobody with the right to.
    """
    late = 1 if event.reason == "EXPIRED" else 0
    match event.command:
        case "AcceptOffer":
            return AcceptOffer(event.offer_id, "", event.command_id, late)
        case "DeclineOffer":
            return DeclineOffer(event.offer_id, "", event.command_id, late)
        case "DefineQueue":
            return DefineQueue(Queue(""), event.command_id, late)
        case "ChoosePolicy":
            return ChoosePolicy("", event.command_id, late)
        case _:
            raise ValueError(f"unknown command {event.command!r}")


__all__ = ["Divergence", "Recorded", "input_of", "opens", "replay", "turns"]
