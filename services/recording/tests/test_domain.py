"""The rule book of a recording, given / when / then."""

from __future__ import annotations

from recording.domain.commands import (
    DeleteRecording,
    LiftHold,
    PlaceHold,
    PlayRecording,
    StartRecording,
    StoreRecording,
)
from recording.domain.decide import RECORDING
from recording.domain.events import (
    HoldLifted,
    HoldPlaced,
    RecordingDeleted,
    RecordingPlayed,
    RecordingStarted,
    RecordingStored,
)
from switchlog.testing import DeciderTest

NOW = 1_750_000_000_000
recording = DeciderTest(RECORDING)
SIDE = ("r1", "c1", 1, "sales", "front", "ann", "x", "cust-1")
started = RecordingStarted(*SIDE)
store = StoreRecording("abc", "t/recordings/r1/abc", 10, 5000, 3, "k", b"n")
stored = RecordingStored("r1", "c1", 1, "abc", "t/recordings/r1/abc", 10, 5000, 3, "k", b"n")
held = HoldPlaced("r1", "h1", "adm", "court")


def test_a_leg_is_recorded_once() -> None:
    """VO-6"""
    recording.given().when(StartRecording(*SIDE), NOW).then(started)
    recording.given(started).when(StartRecording(*SIDE), NOW).then()
    recording.given(started).when(store, NOW).then(stored)
    recording.given(started, stored).when(store, NOW).then()


def test_playing_is_a_fact() -> None:
    """RC-1"""
    recording.given(started, stored).when(PlayRecording("sue", "qa"), NOW).then(RecordingPlayed("r1", "sue", "qa"))
    recording.given(started).when(PlayRecording("sue"), NOW).then_rejected("NOT_STORED")


def test_a_held_recording_is_not_deleted() -> None:
    """RC-1"""
    recording.given(started, stored).when(PlaceHold("h1", "adm", "court"), NOW).then(held)
    recording.given(started, stored, held).when(DeleteRecording("old", "adm"), NOW).then_rejected("ON_HOLD")
    lifted = HoldLifted("r1", "h1", "adm")
    recording.given(started, stored, held).when(LiftHold("h1", "adm"), NOW).then(lifted)
    deleted = RecordingDeleted("r1", "old", "adm")
    recording.given(started, stored, held, lifted).when(DeleteRecording("old", "adm"), NOW).then(deleted)
    recording.given(started, stored, deleted).when(DeleteRecording("old", "adm"), NOW).then()


def test_nothing_happens_to_a_recording_that_never_began() -> None:
    recording.given().when(store, NOW).then_rejected("RECORDING_UNKNOWN")
