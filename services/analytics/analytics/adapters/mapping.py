"""Somebody's table of calls, described by a TOML file, as lines of a feed: one row a call, or one row a fact.

``docs/feeding.md`` explains every key and what is done with clocks that cannot be right.
"""

from __future__ import annotations

import codecs
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo

import msgspec

from ..app.feedlines import CHANNELS, FACTS, OUTCOMES, Refused
from . import call_rows

Texts = dict[str, str]
Line = dict[str, Any]


class BadMapping(Exception):
    """The TOML file cannot be used; the text says which key."""


class Layout(msgspec.Struct, forbid_unknown_fields=True):
    """``[file]``: how the table is written. ``columns`` name them where the file has no header."""

    encoding: str = "utf-8-sig"
    delimiter: str = ","
    columns: list[str] = []
    skip: int = 0


class Times(msgspec.Struct, forbid_unknown_fields=True):
    """``[time]``: how instants are written: ``iso``, ``unix``, ``unix_ms`` or what strptime takes."""

    format: str = "iso"
    zone: str = "UTC"
    date: str = ""


class Outcomes(msgspec.Struct, forbid_unknown_fields=True):
    """``[outcome]``: which values of a column say how a call ended; ``other`` is what all other values say."""

    column: str
    values: dict[str, str]
    other: str = ""


class Facts(msgspec.Struct, forbid_unknown_fields=True):
    """``[facts]``: one row is one event; ``names`` leads from its word to the facts that it is, none where empty.

    ``say`` are fields that an event's rows say as constants, ``more`` those that they say in a column.
    """

    column: str
    names: dict[str, list[str]]
    at: str
    say: dict[str, dict[str, str]] = {}
    more: dict[str, dict[str, str]] = {}


class CallLog(msgspec.Struct, forbid_unknown_fields=True):
    """The whole file."""

    source: str
    columns: dict[str, str] = {}
    constant: dict[str, str] = {}
    file: Layout = msgspec.field(default_factory=Layout)
    time: Times = msgspec.field(default_factory=Times)
    times: dict[str, str] = {}
    durations: dict[str, str] = {}
    duration_unit: Literal["s", "ms"] = "s"
    values: dict[str, dict[str, str]] = {}
    outcome: Outcomes | None = None
    facts: Facts | None = None
    absent: list[str] = []
    repeated: Literal["legs", "split"] = "legs"
    trunk: bool = False


FIELDS = frozenset({"contact", "queue", "agent", "team", "channel", "to_queue", "reason", "score", "leg", "id"})
ENDS = frozenset({*OUTCOMES, "self_served", "skip"})


def load(path: Path) -> CallLog:
    """The mapping in the file; raises ``BadMapping``."""
    try:
        found = msgspec.convert(tomllib.loads(path.read_text("utf-8")), CallLog)
    except OSError as error:
        raise BadMapping(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
        raise BadMapping(f"{path}: {error}") from None
    for wrong in _wrong(found):
        raise BadMapping(f"{path}: {wrong}")
    return found


def _wrong(told: CallLog) -> Iterator[str]:
    yield from (f"columns: {name} is none of {_words(FIELDS)}" for name in told.columns if name not in FIELDS)
    yield from (f"constant: {name} is none of {_words(FIELDS)}" for name in told.constant if name not in FIELDS)
    yield from (
        f"times: {name} is none of {_words(call_rows.TIMES)}" for name in told.times if name not in call_rows.TIMES
    )
    wrong = (name for name in told.durations if name not in call_rows.DURATIONS)
    yield from (f"durations: {name} is none of {_words(call_rows.DURATIONS)}" for name in wrong)
    said = [*(told.outcome.values.values() if told.outcome else ()), *([told.outcome.other] if told.outcome else ())]
    yield from (f"outcome: {word} is none of {_words(ENDS)}" for word in said if word and word not in ENDS)
    named = [fact for facts in (told.facts.names.values() if told.facts else ()) for fact in facts]
    yield from (f"facts: {fact} is none of {_words(FACTS)}" for fact in named if fact not in FACTS)
    channel = told.constant.get("channel", "")
    if channel and channel not in CHANNELS:
        yield f"constant: channel is one of {_words(CHANNELS)}"
    if "contact" not in told.columns:
        yield "columns: which one is the contact?"
    if told.facts is None and "queued" not in told.times and "started" not in told.times:
        yield "times: queued or started is needed"
    if len(told.file.delimiter) != 1:
        yield "file: delimiter is one character"
    if not _known(ZoneInfo, told.time.zone):
        yield f"time.zone: there is no {told.time.zone!r}"
    if not _known(codecs.lookup, told.file.encoding):
        yield f"file.encoding: there is no {told.file.encoding!r}"


def _shown(names: Any) -> str:
    return ", ".join(names)[:300].encode("utf-8", "replace").decode()


def _known(find: Callable[[str], object], name: str) -> bool:
    try:
        find(name)
    except (ValueError, OSError, LookupError):
        return False
    return True


def _words(names: Any) -> str:
    return " ".join(sorted(names))


@dataclass
class Reader:
    """``lines(row)`` of each row in turn; ``dirt`` counts what was set right."""

    mapping: CallLog
    dirt: Counter[str] = field(default_factory=Counter)
    known: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.absent = frozenset(self.mapping.absent)
        self.zone = ZoneInfo(self.mapping.time.zone)
        self.read_time = _reader_of(self.mapping.time.format, self.zone)

    def lines(self, row: Texts) -> list[Line]:
        """The lines of a row; raises ``Refused``."""
        facts = self.mapping.facts
        if facts is not None and not self._names(row, facts):
            return []
        said = self._said(row)
        if not said.get("contact"):
            raise Refused("MISSING_FIELD", f"column {self.mapping.columns['contact']} is empty")
        return self._call(row, said) if facts is None else self._facts(row, said, facts)

    def _names(self, row: Texts, facts: Facts) -> list[str]:
        word = self._text(row, facts.column)
        if word not in facts.names:
            raise Refused("UNKNOWN_VALUE", f"{facts.column}: {word[:40]!r} is not mapped")
        return facts.names[word]

    def _said(self, row: Texts) -> Texts:
        """The fields of the row: constants, then columns, with their values put into our words."""
        found = dict(self.mapping.constant)
        for name, column in self.mapping.columns.items():
            text = self._text(row, column)
            found[name] = self._word(name, text) if text else found.get(name, "")
        return found

    def _word(self, name: str, text: str) -> str:
        known = self.mapping.values.get(name)
        return text if known is None else known.get(text, known.get("*", text))

    def _text(self, row: Texts, column: str) -> str:
        if column not in row:
            raise Refused("MISSING_COLUMN", f"there is no column {column}; there are {_shown(row)}")
        text = (row[column] or "").strip()
        return "" if text in self.absent else text

    def _facts(self, row: Texts, said: Texts, facts: Facts) -> list[Line]:
        word = self._text(row, facts.column)
        at = self._time(self._text(row, facts.at), facts.at)
        more = {name: self._text(row, column) for name, column in facts.more.get(word, {}).items()}
        common: Line = {"source": self.mapping.source, "at": call_rows.instant(at)} | said
        return [common | facts.say.get(word, {}) | more | {"fact": fact} for fact in self._names(row, facts)]

    def _call(self, row: Texts, said: Texts) -> list[Line]:
        outcome = self._outcome(row)
        if outcome == "skip":
            return []
        day = self._text(row, self.mapping.time.date) if self.mapping.time.date else ""
        times = {name: self._when(row, name, column, day) for name, column in self.mapping.times.items()}
        spans = {name: self._span(row, column) for name, column in self.mapping.durations.items()}
        call = call_rows.Call(said, times, spans, outcome, bool(day), self.mapping.trunk)
        lines = call_rows.lines(call, self.dirt)
        self._note_repeat(said, lines)
        return [{"source": self.mapping.source} | one for one in lines]

    def _note_repeat(self, said: Texts, lines: list[Line]) -> None:
        mark = hash(said["contact"])
        if mark in self.known:
            self.dirt["repeated_call_id"] += 1
        self.known.add(mark)
        if self.mapping.repeated == "split" and lines:
            name = f"{said['contact']}.{call_rows.milliseconds(lines[0]['at'])}"
            for one in lines:
                one["contact"] = name

    def _outcome(self, row: Texts) -> str:
        told = self.mapping.outcome
        if told is None:
            return ""
        text = self._text(row, told.column)
        found = told.values.get(text, told.other)
        if not found:
            raise Refused("UNKNOWN_VALUE", f"{told.column}: {text[:40]!r} is not mapped")
        return found

    def _when(self, row: Texts, name: str, column: str, day: str) -> int:
        """Epoch milliseconds, -1: not said."""
        text = self._text(row, column)
        return self._time(f"{day} {text}" if day else text, column) if text else -1

    def _time(self, text: str, column: str) -> int:
        try:
            return self.read_time(text)
        except (ValueError, OverflowError):
            raise Refused("BAD_TIME", f"{column}: {text[:40]!r} is not {self.mapping.time.format}") from None

    def _span(self, row: Texts, column: str) -> int:
        """Milliseconds, -1: not said; less than that is dirt."""
        text = self._text(row, column)
        if not text:
            return -1
        try:
            found = span_of(text, 1 if self.mapping.duration_unit == "ms" else 1000)
        except ValueError:
            raise Refused("BAD_DURATION", f"{column}: {text[:40]!r}") from None
        if found < 0:
            self.dirt["negative_duration"] += 1
        return max(0, found)


def span_of(text: str, unit_ms: int) -> int:
    """``90``, ``1:30`` or ``0:01:30`` as milliseconds; raises ``ValueError``."""
    negative, parts = text.startswith("-"), text.lstrip("-").split(":")
    if len(parts) > 3:
        raise ValueError(text)
    if len(parts) == 1:
        value = float(parts[0]) * unit_ms
        if not value < 1e12:
            raise ValueError(text)
    else:
        value = sum(float(part) * 60**place for place, part in enumerate(reversed(parts))) * 1000
    return -round(value) if negative else round(value)


def _reader_of(form: str, zone: ZoneInfo) -> Callable[[str], int]:
    """Text -> epoch milliseconds; what has no offset is local time of ``zone``."""
    if form in ("unix", "unix_ms"):
        unit = 1 if form == "unix_ms" else 1000
        return lambda text: round(float(text) * unit)
    if form == "iso":
        return lambda text: call_rows.milliseconds(_local(datetime.fromisoformat(text), zone))
    return lambda text: call_rows.milliseconds(_local(_strptime(text, form), zone))


def _local(at: datetime, zone: ZoneInfo) -> datetime:
    return at.replace(tzinfo=zone) if at.tzinfo is None else at


@lru_cache(maxsize=65_536)
def _strptime(text: str, form: str) -> datetime:
    return datetime.strptime(text, form)  # noqa: DTZ007 - the zone is the mapping's
