"""What may be asked of a recording."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StartRecording:
    recording: str
    contact: str
    leg: int
    queue: str
    pool: str
    agent: str
    team: str
    customer_ref: str


@dataclass(frozen=True, slots=True)
class StoreRecording:
    """The object is in the store already."""

    sha256: str
    object: str
    size: int
    duration_ms: int
    messages: int
    key_id: str
    nonce: bytes


@dataclass(frozen=True, slots=True)
class PlayRecording:
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class PlaceHold:
    hold_id: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class LiftHold:
    hold_id: str
    by: str


@dataclass(frozen=True, slots=True)
class DeleteRecording:
    rule: str
    by: str


RecordingCommand = StartRecording | StoreRecording | PlayRecording | PlaceHold | LiftHold | DeleteRecording
