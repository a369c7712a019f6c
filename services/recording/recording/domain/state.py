"""One class a phase: only a ``Stored`` recording has an object."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Unknown:
    pass


@dataclass(frozen=True, slots=True)
class Leg:
    """Whose conversation, and with whom."""

    recording: str
    contact: str
    leg: int
    queue: str
    agent: str
    team: str
    customer_ref: str


@dataclass(frozen=True, slots=True)
class Running:
    leg: Leg
    holds: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Stored:
    leg: Leg
    sha256: str
    object: str
    key_id: str
    nonce: bytes
    duration_ms: int
    messages: int
    holds: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Deleted:
    """``object`` is what a crash may have left behind."""

    leg: Leg
    object: str = ""


RecordingState = Unknown | Running | Stored | Deleted
