"""The log decided again: the same inputs must cause the same facts, forever (RT-10)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from routing.domain.commands import AcceptOffer, ChoosePolicy, DeclineOffer, DefineQueue, Input, StartDay, TakePool
from routing.domain.decide import decide_one
from routing.domain.events import (
    AgentObserved,
    CommandRefused,
    ContactObserved,
    Event,
    OfferAccepted,
    OfferDeclined,
    PolicyChosen,
    PoolDayStarted,
    PoolTaken,
    Queue,
    QueueDefined,
    TimerElapsed,
)
from routing.domain.state import Board

Recorded = tuple[Event, int]
"""An event and when it was recorded, in epoch milliseconds."""

Opening = (
    ContactObserved
    | AgentObserved
    | TimerElapsed
    | PoolTaken
    | PoolDayStarted
    | QueueDefined
    | PolicyChosen
    | OfferAccepted
    | OfferDeclined
    | CommandRefused
)


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
    return isinstance(event, Opening)


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
        case ContactObserved() | AgentObserved() | TimerElapsed():
            return event
        case PoolTaken(owner, generation):
            return TakePool(owner, generation)
        case PoolDayStarted(date, carry_id, time_zone):
            return StartDay(date, carry_id, time_zone)
        case QueueDefined(queue, command_id):
            return DefineQueue(queue, command_id)
        case PolicyChosen(policy, command_id):
            return ChoosePolicy(policy, command_id)
        case OfferAccepted(offer_id, agent=agent, command_id=command_id):
            return AcceptOffer(offer_id, agent, command_id)
        case OfferDeclined(offer_id, agent=agent, command_id=command_id, reason=reason):
            return DeclineOffer(offer_id, agent, command_id, reason=reason)
        case CommandRefused():
            return _refused(event)
        case _:
            raise ValueError(f"{type(event).__name__} opens no turn")


def _refused(event: CommandRefused) -> Input:
    """Who asked does not matter to a refusal, only that it was nobody with the right to."""
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
