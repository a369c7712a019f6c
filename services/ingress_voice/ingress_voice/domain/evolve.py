"""How each fact changes a call."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from .events import (
    AgentConnected,
    AgentDisconnected,
    CallEvent,
    ContactAbandoned,
    ContactEnded,
    ContactHeld,
    ContactQueued,
    ContactResumed,
    ContactStarted,
    CustomerDisconnected,
    SystemConnected,
    TrunkReleased,
    TrunkSeized,
)
from .state import MESSAGE_TAKER, AfterAgent, CallState, Ended, Leaving, Line, NotStarted, Ringing, Talking, Waiting

INITIAL: CallState = NotStarted()


def evolve(state: CallState, event: CallEvent) -> CallState:
    """The state after ``event``; facts that say nothing about the phase leave it alone."""
    match event:
        case ContactStarted(entry_point, trunk=trunk):
            return Ringing(Line(trunk, "", entry_point=entry_point))
        case TrunkSeized(trunk, line):
            return Ringing(replace(_line(state), trunk=trunk, line=line))
        case SystemConnected(system, leg, queue, pool) if system == MESSAGE_TAKER:
            return Leaving(replace(_line(state), answered=True), leg, queue, pool)
        case SystemConnected():
            return Ringing(replace(_line(state), answered=True))
        case ContactQueued(leg, queue, pool, arrived_at):
            return Waiting(replace(_line(state), arrived_at=arrived_at), leg, queue, pool)
        case AgentConnected(leg, queue, pool, agent, team):
            return Talking(_line(state), leg, queue, pool, agent, team)
        case ContactHeld() | ContactResumed():
            return replace(state, held=isinstance(event, ContactHeld)) if isinstance(state, Talking) else state
        case AgentDisconnected(leg, queue, pool, agent):
            return AfterAgent(_line(state), leg, queue, pool, agent)
        case ContactEnded():
            return Ended(_line(state), state.agent if isinstance(state, Talking | AfterAgent) else "")
        case CustomerDisconnected() | ContactAbandoned() | TrunkReleased():
            return state
        case _:
            assert_never(event)


def _line(state: CallState) -> Line:
    if isinstance(state, NotStarted):
        raise ValueError("a fact of a call that never started")
    return state.line
