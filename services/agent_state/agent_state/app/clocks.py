"""The time limit of a wrap-up: set and cleared by facts, fired as a command (AG-2, kernel rule 16)."""

from __future__ import annotations

import msgspec

from switchlog.envelope import Cause, Codec, Row, StreamId
from switchlog.store import Timer, TimerChange, TimerCleared, TimerSet, TimersOf
from switchlog.timers import Fire, timer_command_id
from switchlog.writer import Writer

from ..domain.commands import AgentCommand, EndWrapUp
from ..domain.events import AgentEvent, EndedBy, Leg, WrapUpEnded, WrapUpStarted
from ..domain.state import AgentState

WRAP_UP = "wrap_up"
# the only facts that touch a timer: others are not even decoded
OF_WRAP_UP = ("WrapUpStarted", "WrapUpEnded")


def timers_of(codec: Codec[AgentEvent]) -> TimersOf:
    """What a stored row does to the timers of its agent."""

    def changes(stream: StreamId, row: Row) -> list[TimerChange]:
        if not row.type.endswith(OF_WRAP_UP):
            return []
        match codec.read(codec.parse(row.value)):
            case WrapUpStarted(_, leg, ends_at):
                payload = msgspec.msgpack.encode((leg.contact, leg.leg))
                return [TimerSet(Timer(stream, _timer_id(leg), WRAP_UP, ends_at, payload))]
            case WrapUpEnded(_, leg):
                return [TimerCleared(stream, _timer_id(leg))]
            case _:
                return []

    return changes


def firing(writer: Writer[AgentCommand, AgentState, AgentEvent]) -> Fire:
    """Ends the wrap-up whose time is over."""

    async def fire(timer: Timer) -> None:
        contact, leg = msgspec.msgpack.decode(timer.payload, type=tuple[str, int])
        command = EndWrapUp(contact, leg, EndedBy.TIMEOUT)
        await writer.execute(timer.stream, command, Cause(timer_command_id(timer), "", writer.service))

    return fire


def _timer_id(leg: Leg) -> str:
    return f"{WRAP_UP}-{leg.contact}-{leg.leg}"
