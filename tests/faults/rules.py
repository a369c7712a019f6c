"""The rule book of the process that is killed: a stream counts tokens, and its one seat can be taken once."""

from __future__ import annotations

from dataclasses import dataclass, replace

from contactcenter.agent.v1 import events_pb2
from switchlog.decider import Decider, Rejected
from switchlog.envelope import Codec


@dataclass(frozen=True)
class Counted:
    by: str


@dataclass(frozen=True)
class SeatTaken:
    by: str


@dataclass(frozen=True)
class SeatLeft:
    by: str


Event = Counted | SeatTaken | SeatLeft


@dataclass(frozen=True)
class Command:
    """``do`` is count, take or leave; ``by`` names who."""

    do: str
    by: str


@dataclass(frozen=True)
class State:
    count: int = 0
    seat: str = ""


def decide(command: Command, state: State, now: int) -> list[Event]:
    match command.do:
        case "count":
            return [Counted(command.by)]
        case "take" if not state.seat:
            return [SeatTaken(command.by)]
        case "take" if state.seat != command.by:
            raise Rejected("TAKEN")
        case "leave" if state.seat == command.by:
            return [SeatLeft(command.by)]
    return []


def evolve(state: State, event: Event) -> State:
    match event:
        case Counted():
            return replace(state, count=state.count + 1)
        case SeatTaken(by):
            return replace(state, seat=by)
        case SeatLeft():
            return replace(state, seat="")


RULES: Decider[Command, State, Event] = Decider(State(), decide, evolve)
KINDS = {"counted": Counted, "taken": SeatTaken, "left": SeatLeft}
WORDS = {kind: word for word, kind in KINDS.items()}


def write(event: Event) -> events_pb2.AgentEvent:
    """Any message of a real topic will do: the kernel does not look inside."""
    return events_pb2.AgentEvent(agent_not_ready=events_pb2.AgentNotReady(reason=f"{WORDS[type(event)]} {event.by}"))


def read(message: events_pb2.AgentEvent) -> Event:
    word, by = message.agent_not_ready.reason.split(" ", 1)
    return KINDS[word](by)


def codec(topic: str) -> Codec[Event]:
    return Codec("faults", topic, events_pb2.AgentEvent, write, read)  # type: ignore[arg-type]
