"""Files of routing on paper: contacts and agents read from CSV, every mistake by line and column; results written."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from functools import lru_cache
from operator import attrgetter
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

import msgspec

from ..app.paper.figures import Json
from ..app.paper.stays import Stay
from ..app.paper.world import Arrival, Shift
from ..domain.events import Event
from ..domain.observed import Capacity, Skills
from .forms import CHANNELS

MOST_TOLD = 20
LONGEST_S = 366 * 86_400
# An offer without a timeout; it is written as one that never expires.
RINGS_ON_MS = 2**31 - 1
# An agent of whom no capacity is said handles one contact at a time, whatever its channel.
ONE_AT_A_TIME = Capacity(tuple((c, 1) for c in sorted(CHANNELS)), tuple((c, 1) for c in sorted(CHANNELS)), 1)

ARRIVALS = (
    "contact_id", "at", "queue", "channel", "priority", "skills", "service_s", "patience_s", "wrap_up_s",
    "preferred_agent",
)  # fmt: skip
ROSTER = ("agent_id", "from", "to", "queues", "skills")
CONTACTS = (
    "contact_id", "queue", "queued_at", "offered_at", "answered_at", "agent_id", "ended_at", "outcome", "wait_s",
    "offers",
)  # fmt: skip

T = TypeVar("T")
D = TypeVar("D")


class BadFile(Exception):
    """What is wrong with a file, one line a mistake: ``A.csv:17:8: service_s: ...`` (line, number of the column)."""

    def __init__(self, mistakes: Sequence[str]) -> None:
        self.mistakes = mistakes
        more = len(mistakes) - MOST_TOLD
        super().__init__("\n".join([*mistakes[:MOST_TOLD], *([f"and {more} more"] if more > 0 else [])]))


# -- times -------------------------------------------------------------------------------------------------------------


@dataclass
class Times:
    """How a set of files writes instants: all RFC 3339 with offset, or all seconds from 0 (1970-01-01T00:00:00Z)."""

    absolute: bool | None = None

    def read(self, text: str) -> int:
        """Milliseconds; the first instant decides for all."""
        if self.absolute is None:
            at = _ms(text, "seconds from 0") if _number(text) is not None else _instant(text)
            self.absolute = _number(text) is None
            return at
        return _instant(text) if self.absolute else _ms(text, "seconds from 0, as the times before")

    def text(self, at: int) -> str:
        """As it was read; empty for a time that has not come."""
        if at < 0:
            return ""
        return f"{_second(at // 1000)}.{at % 1000:03d}Z" if self.absolute else seconds_text(at)


def seconds_text(ms: int) -> str:
    return f"{ms // 1000}.{ms % 1000:03d}"


@lru_cache(4096)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).replace(tzinfo=None).isoformat()


def _instant(text: str) -> int:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is neither RFC 3339 nor seconds from 0") from None
    if found.tzinfo is None:
        raise ValueError(f"{text!r} needs an offset, such as 2026-01-05T08:00:00+08:00")
    return round(found.timestamp() * 1000)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _ms(text: str, what: str = "seconds") -> int:
    number = _number(text)
    if number is None or not 0 <= number <= LONGEST_S:
        raise ValueError(f"{text!r} is not a number of {what}, 0 or more")
    return round(number * 1000)


# -- reading -----------------------------------------------------------------------------------------------------------


@dataclass
class Rows:
    """A CSV file with a header, row by row; ``wrong`` collects what is wrong with it."""

    path: Path
    wrong: list[str] = field(default_factory=list)
    columns: dict[str, int] = field(default_factory=dict)
    line: int = 1

    def each(self, file: IO[str], known: Iterable[str], needed: Iterable[str]) -> Iterator[list[str]]:
        """Rows with as many fields as the header; others are told of."""
        rows = csv.reader(file)
        header = [name.strip() for name in next(rows, [])]
        self.columns = {name: n for n, name in enumerate(header)}
        self._check_header(header, set(known), needed)
        if self.wrong:
            return
        for row in rows:
            self.line = rows.line_num
            if len(row) == len(header):
                yield row
            elif row:
                self.wrong.append(f"{self.path}:{self.line}:1: {len(row)} fields, but the header has {len(header)}")

    def _check_header(self, header: Sequence[str], known: set[str], needed: Iterable[str]) -> None:
        for n, name in enumerate(header, 1):
            if name not in known:
                listed = ", ".join(sorted(known))
                self.wrong.append(f"{self.path}:1:{n}: {name!r} is not a column here (known: {listed})")
            elif header.index(name) != n - 1:
                self.wrong.append(f"{self.path}:1:{n}: {name!r} stands twice")
        for name in needed:
            if name not in header:
                self.wrong.append(f"{self.path}:1:1: the column {name!r} is missing")

    def mistake(self, column: str, said: object) -> None:
        self.wrong.append(f"{self.path}:{self.line}:{self.columns.get(column, 0) + 1}: {column}: {said}")


@dataclass
class Cells:
    """One row's fields by column; what cannot be read is told of and counts as ``None``."""

    rows: Rows
    row: Sequence[str] = ()
    good: bool = True

    def text(self, column: str) -> str:
        n = self.rows.columns.get(column)
        return "" if n is None else self.row[n].strip()

    def needed(self, column: str) -> str:
        found = self.text(column)
        if not found:
            self._wrong(column, "is empty")
        return found

    def read(self, column: str, how: Callable[[str], T], default: D) -> T | D:
        text = self.text(column)
        if not text:
            return default
        try:
            return how(text)
        except ValueError as error:
            self._wrong(column, error)
            return default

    def _wrong(self, column: str, said: object) -> None:
        self.rows.mistake(column, said)
        self.good = False


def read_arrivals(path: Path, times: Times, known_queues: Iterable[str] = ()) -> list[Arrival]:
    """Contacts by time, those of one instant as they stand; raises ``BadFile`` (of all mistakes) or ``OSError``.

    ``known_queues``: when given, others are mistakes.
    """
    rows, queues = Rows(path), frozenset(known_queues)
    arrivals: list[Arrival] = []
    lines: dict[str, int] = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        for row in rows.each(file, ARRIVALS, ("contact_id", "at", "queue", "service_s")):
            arrival = _arrival(Cells(rows, row), times)
            first = lines.setdefault(arrival.contact, rows.line)
            if first != rows.line:
                rows.mistake("contact_id", f"{arrival.contact!r} stands on line {first} already")
            elif queues and arrival.queue not in queues:
                rows.mistake("queue", f"{arrival.queue!r} is none of {', '.join(sorted(queues))}")
            arrivals.append(arrival)
    if rows.wrong:
        raise BadFile(rows.wrong)
    arrivals.sort(key=lambda arrival: arrival.at)
    return arrivals


def _arrival(cells: Cells, times: Times) -> Arrival:
    cells.needed("at")
    cells.needed("service_s")
    return Arrival(
        contact=cells.needed("contact_id"),
        at=cells.read("at", times.read, 0),
        queue=cells.needed("queue"),
        channel=cells.read("channel", _channel, "voice"),
        talk_ms=cells.read("service_s", _ms, 0),
        wrap_up_ms=cells.read("wrap_up_s", _ms, 0),
        patience_ms=cells.read("patience_s", _ms, None),
        priority=cells.read("priority", _whole, 0),
        skills=cells.read("skills", _skills, ()),
        preferred_agent=cells.text("preferred_agent"),
    )


def read_roster(path: Path, times: Times, known_queues: Iterable[str] = ()) -> list[Shift]:
    """Every row as a shift; raises ``BadFile`` (of all mistakes) or ``OSError``.

    Any channel may be a column with a capacity. An empty ``from`` is the beginning, an empty ``to`` means for good,
    no ``queues`` all queues.
    """
    rows, queues = Rows(path), frozenset(known_queues)
    shifts: dict[str, list[Shift]] = {}
    with path.open(newline="", encoding="utf-8-sig") as file:
        for row in rows.each(file, (*ROSTER, *CHANNELS), ("agent_id", "from", "to")):
            cells: Cells = Cells(rows, row)
            shift = _shift(cells, times)
            if shift.end is not None and shift.end <= shift.begin and cells.good:
                rows.mistake("to", "does not come after from")
            if queues and (strange := sorted(set(shift.queues) - queues)):
                rows.mistake("queues", f"{strange[0]!r} is none of {', '.join(sorted(queues))}")
            earlier = shifts.setdefault(shift.agent, [])
            if any(_meet(shift, other) for other in earlier):
                rows.mistake("from", f"{shift.agent!r} has another row at that time")
            earlier.append(shift)
    if rows.wrong:
        raise BadFile(rows.wrong)
    return [shift for of_agent in shifts.values() for shift in of_agent]


def _meet(one: Shift, other: Shift) -> bool:
    return (other.end is None or one.begin < other.end) and (one.end is None or other.begin < one.end)


def _shift(cells: Cells, times: Times) -> Shift:
    return Shift(
        agent=cells.needed("agent_id"),
        begin=cells.read("from", times.read, 0),
        end=cells.read("to", times.read, None),
        capacity=_capacity(cells),
        queues=cells.read("queues", _words, ()),
        skills=cells.read("skills", _skills, ()),
    )


def _capacity(cells: Cells) -> Capacity:
    slots = tuple((c, cells.read(c, _count, 0)) for c in sorted(CHANNELS) if cells.text(c))
    return Capacity(slots) if slots else ONE_AT_A_TIME


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(";") if word.strip())


def _skills(text: str) -> Skills:
    levels: dict[str, int] = {}
    for word in _words(text):
        skill, _, level = word.partition(":")
        if not skill or (level and not level.isdigit()) or level == "0":
            raise ValueError(f"{word!r} is no skill such as billing:3 or en")
        levels[skill] = int(level or 1)
    return tuple(sorted(levels.items()))


def _channel(text: str) -> str:
    if text not in CHANNELS:
        raise ValueError(f"{text!r} is none of {', '.join(sorted(CHANNELS))}")
    return text


def _whole(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a whole number") from None


def _count(text: str) -> int:
    number = _whole(text)
    if not 0 <= number <= 1000:
        raise ValueError(f"{text!r} is not a number of places, 0 to 1000")
    return number


# -- writing -----------------------------------------------------------------------------------------------------------


class Written:
    """``contacts.csv`` and ``decisions.jsonl`` in a folder, line by line as contacts end and decisions are taken."""

    def __init__(self, contacts: IO[str], decisions: IO[bytes], times: Times) -> None:
        self._times, self._decisions = times, decisions
        self._row = csv.writer(contacts, lineterminator="\n").writerow
        self._row(CONTACTS)
        self._encode = msgspec.json.Encoder().encode
        self.stays = 0

    def decided(self, at: int, decision: Event) -> None:
        told = {"at": self._times.text(at), "decision": type(decision).__name__, **facts_of(decision, self._times)}
        if getattr(decision, "expires_at", 0) >= at + RINGS_ON_MS:
            told["expires_at"] = ""
        self._decisions.write(self._encode(told) + b"\n")

    def over(self, stay: Stay, now: int) -> None:
        text, self.stays = self._times.text, self.stays + 1
        self._row(
            (
                stay.contact,
                stay.queue,
                text(stay.queued_at),
                text(stay.offered_at),
                text(stay.answered_at),
                stay.agent,
                text(stay.ended_at),
                stay.outcome,
                seconds_text(stay.wait_ms(now)),
                stay.offers,
            )
        )


def facts_of(decision: Event, times: Times) -> Json:
    """A decision's fields as JSON has them: instants as the files write them, refusals by reason."""
    names, values, instants = _fields(decision)
    told: Json = dict(zip(names, values(decision), strict=True))
    for name in instants:
        told[name] = times.text(told[name])
    why = told["explanation"]
    names, values, _ = _fields(why)
    told["explanation"] = explained = dict(zip(names, values(why), strict=True))
    explained["refused"] = dict(why.refused)
    return told


class _Fields(NamedTuple):
    """Names of a fact's fields, what reads them all, and which are instants; where it is stored is left out."""

    names: tuple[str, ...]
    values: Callable[[Any], tuple[Any, ...]]
    instants: tuple[str, ...]


_KNOWN: dict[str, _Fields] = {}


def _fields(told: object) -> _Fields:
    shape = type(told)
    known = _KNOWN.get(shape.__name__)
    if known is None:
        names = tuple(one.name for one in fields(shape) if one.name != "cause_version")  # type: ignore[arg-type]
        instants = tuple(name for name in names if name.endswith("_at"))
        known = _KNOWN[shape.__name__] = _Fields(names, attrgetter(*names), instants)
    return known


def write_figures(path: Path, answer: Json) -> None:
    path.write_bytes(msgspec.json.format(msgspec.json.encode(answer), indent=1) + b"\n")
