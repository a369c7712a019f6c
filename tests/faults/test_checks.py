"""The checks see what they are for; no server is needed."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from switchlog.envelope import Cause, Row, StreamId, compose

from . import report
from .checks import Found, _acknowledged, _log, _once, _published, _reacted, _seat
from .clients import Question
from .report import Figures
from .rules import Counted, Event, SeatLeft, SeatTaken, codec

CODEC = codec("counts")


class Record(NamedTuple):
    value: bytes
    headers: Any


def rows(*words: str) -> list[Row]:
    decided = [(Cause(word, "", "test"), [Counted(word)]) for word in words]
    return compose(StreamId("acme", "count-1"), 0, decided, CODEC, "batch", 1)


def on_topic(stored: list[Row], *versions: int) -> list[Record]:
    return [Record(stored[version - 1].value, stored[version - 1].headers) for version in versions]


@pytest.mark.parametrize(
    "versions,wrong",
    [
        ((1, 2, 3), []),
        ((1, 1, 2, 1, 2, 3), []),
        ((1, 2), ["lost"]),
        ((1, 3), ["holes", "lost"]),
        ((2, 1, 3), ["holes"]),
    ],
)
def test_a_topic_is_the_store_from_the_beginning_in_order(versions: tuple[int, ...], wrong: list[str]) -> None:
    """P1, P2, I5; repeats are allowed."""
    found, stored = Found(), rows("a", "b", "c")
    _published(found, "count-1", stored, on_topic(stored, *versions))
    assert sorted(kind for kind in ("lost", "holes", "contradictions") if getattr(found, kind)) == sorted(wrong)


def test_a_repeat_with_other_bytes_is_a_contradiction() -> None:
    """P5."""
    found, stored = Found(), rows("a")
    _published(found, "count-1", stored, [*on_topic(stored, 1), Record(b"x", stored[0].headers)])
    assert found.contradictions


def test_what_was_answered_must_stand_where_it_was_answered() -> None:
    """I2."""
    found, stored = Found(), rows("a", "b")
    events: list[Event] = [Counted("a"), Counted("b")]
    versions = {Question("count-1", key, "count", key): version for key, version in (("a", 1), ("b", 1), ("c", 3))}
    _acknowledged(found, "count-1", stored, events, versions)
    assert len(found.lost) == 2


def test_a_word_said_twice_and_a_reaction_missing_or_doubled_show() -> None:
    found = Found()
    _once(found, "count-1", [Counted("a"), Counted("a")])
    _reacted(found, "count-1", [Counted("a"), Counted("b")], [Counted("1:a"), Counted("1:a")])
    assert len(found.duplicates) == 2 and len(found.lost) == 1


def test_a_hole_in_the_log_and_time_that_falls_back_show() -> None:
    """I1, P8."""
    found, stored = Found(), rows("a", "b")
    _log(found, "count-1", [stored[0], replace(stored[1], version=3)])
    _log(found, "count-1", [replace(stored[0], recorded_at=2), stored[1]])
    assert len(found.holes) == 1 and len(found.contradictions) == 1


def test_a_seat_taken_twice_shows() -> None:
    """I3."""
    found = Found()
    _seat(found, [SeatTaken("a"), SeatLeft("a"), SeatTaken("b")])
    assert not found.contradictions
    _seat(found, [SeatTaken("a"), SeatTaken("b")])
    assert found.contradictions


def test_the_report_adds_up(tmp_path: Path) -> None:
    rounds = [Figures("append", kills=2, commands=7), Figures("random", kills=3, note="slow")]
    report.write(tmp_path / "sqlite.json", "sqlite", rounds)
    written = json.loads((tmp_path / "sqlite.json").read_text())
    assert written["total"]["kills"] == 5 and written["rounds"][0]["commands"] == 7
    lines = report.table(rounds).splitlines()
    assert len(lines) == 4 and lines[-1].split()[:3] == ["all", "5", "7"] and lines[2].endswith("slow")
