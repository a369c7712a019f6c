"""What happens to a recording, as facts in the past tense."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RecordingStarted:
    """One leg of one contact is being kept."""

    recording: str
    contact: str
    leg: int
    queue: str
    pool: str
    agent: str
    team: str
    customer_ref: str


@dataclass(frozen=True, slots=True)
class RecordingStored:
    """``object`` holds the ciphertext whose sum is ``sha256``; the customer's key and ``nonce`` open it."""

    recording: str
    contact: str
    leg: int
    sha256: str
    object: str
    size: int
    duration_ms: int
    messages: int
    key_id: str
    nonce: bytes


@dataclass(frozen=True, slots=True)
class RecordingPlayed:
    """Somebody read it: the audit."""

    recording: str
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class HoldPlaced:
    """It must not be deleted until the hold is lifted."""

    recording: str
    hold_id: str
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class HoldLifted:
    recording: str
    hold_id: str
    by: str


@dataclass(frozen=True, slots=True)
class RecordingDeleted:
    recording: str
    rule: str
    by: str


RecordingEvent = RecordingStarted | RecordingStored | RecordingPlayed | HoldPlaced | HoldLifted | RecordingDeleted
