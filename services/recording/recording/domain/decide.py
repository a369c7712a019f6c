"""What a recording answers to each command, and how its facts change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from switchlog.decider import Decider, Rejected

from .commands import (
    DeleteRecording,
    LiftHold,
    PlaceHold,
    PlayRecording,
    RecordingCommand,
    StartRecording,
    StoreRecording,
)
from .events import (
    HoldLifted,
    HoldPlaced,
    RecordingDeleted,
    RecordingEvent,
    RecordingPlayed,
    RecordingStarted,
    RecordingStored,
)
from .state import Deleted, Leg, RecordingState, Running, Stored, Unknown

ERASURE = "erasure"


def decide(command: RecordingCommand, state: RecordingState, now: int) -> Sequence[RecordingEvent]:
    """The facts that ``command`` causes; ``[]`` when it is already true; raises ``Rejected``."""
    match command, state:
        case StartRecording(), Unknown():
            return [_started(command)]
        case StartRecording(), _:
            return []
        case _, Unknown():
            raise Rejected("RECORDING_UNKNOWN")
        case StoreRecording(), Running(leg):
            return [_stored(command, leg)]
        case StoreRecording(), _:
            return []
        case PlayRecording(by, reason), Stored(leg):
            return [RecordingPlayed(leg.recording, by, reason)]
        case PlayRecording(), _:
            raise Rejected("NOT_STORED")
        case PlaceHold(hold_id, by, reason), _:
            held = _holdable(state)
            return [] if hold_id in held.holds else [HoldPlaced(held.leg.recording, hold_id, by, reason)]
        case LiftHold(hold_id, by), _:
            held = _holdable(state)
            return [HoldLifted(held.leg.recording, hold_id, by)] if hold_id in held.holds else []
        case DeleteRecording(), _:
            return _deleted(command, state)
        case _:
            assert_never(command)


def evolve(state: RecordingState, event: RecordingEvent) -> RecordingState:
    """The state after ``event``."""
    match event:
        case RecordingStarted(recording, contact, leg, queue, _, agent, team, customer_ref):
            return Running(Leg(recording, contact, leg, queue, agent, team, customer_ref))
        case RecordingStored():
            return _kept(state, event)
        case HoldPlaced(hold_id=hold_id):
            held = _held(state)
            return replace(held, holds=held.holds | {hold_id})
        case HoldLifted(hold_id=hold_id):
            held = _held(state)
            return replace(held, holds=held.holds - {hold_id})
        case RecordingDeleted():
            return Deleted(_held(state).leg, state.object if isinstance(state, Stored) else "")
        case RecordingPlayed():
            return state
        case _:
            assert_never(event)


def _deleted(command: DeleteRecording, state: RecordingState) -> Sequence[RecordingEvent]:
    match state:
        case Deleted():
            return []
        case Stored(holds=holds) if holds:
            raise Rejected("ON_HOLD", "lift its holds first")
        case Stored(leg):
            return [RecordingDeleted(leg.recording, command.rule, command.by)]
        case Running(leg) if command.rule == ERASURE:  # nothing can be kept any more, hold or not
            return [RecordingDeleted(leg.recording, command.rule, command.by)]
        case _:
            raise Rejected("NOT_STORED")


def _started(command: StartRecording) -> RecordingStarted:
    return RecordingStarted(
        command.recording,
        command.contact,
        command.leg,
        command.queue,
        command.pool,
        command.agent,
        command.team,
        command.customer_ref,
    )


def _stored(command: StoreRecording, leg: Leg) -> RecordingStored:
    return RecordingStored(
        leg.recording,
        leg.contact,
        leg.leg,
        command.sha256,
        command.object,
        command.size,
        command.duration_ms,
        command.messages,
        command.key_id,
        command.nonce,
    )


def _kept(state: RecordingState, event: RecordingStored) -> Stored:
    held = _held(state)
    return Stored(
        held.leg,
        event.sha256,
        event.object,
        event.key_id,
        event.nonce,
        event.duration_ms,
        event.messages,
        held.holds,
    )


def _held(state: RecordingState) -> Running | Stored:
    if isinstance(state, Running | Stored):
        return state
    raise ValueError(f"a fact of a living recording in {type(state).__name__}")


def _holdable(state: RecordingState) -> Running | Stored:
    if isinstance(state, Running | Stored):
        return state
    raise Rejected("DELETED")


RECORDING: Decider[RecordingCommand, RecordingState, RecordingEvent] = Decider(Unknown(), decide, evolve)
