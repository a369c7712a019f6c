"""A question for figures by interval, and everything that may be wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from analytics.domain.board import Queue
from analytics.domain.figures import COLUMNS, Asked
from analytics.domain.formulas import FORMULAS, thresholds_of
from analytics.domain.intervals import MINUTES, STEPS, Span, interval
from analytics.domain.levels import COHORT, DAY_MS, EVENT
from switchlog.decider import Rejected

WHOLE = "tenant"
"""The word for grouping by nothing."""
PREVIOUS = "previous"
MOST_DAYS = dict.fromkeys(MINUTES, 400) | {"1d": 1_830, "1w": 3_660, "1mo": 3_660}
"""So long a time may be asked for, by step."""


@dataclass(frozen=True, slots=True)
class FiguresAsked:
    """As it is asked; empty and ``None`` mean the default. Without ``group_by`` all is one row an interval."""

    queues: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    begin: int | None = None
    end: int | None = None
    step: str = "30m"
    tz: str = ""
    attribution: str = COHORT
    threshold_s: int = 20
    formulas: tuple[str, ...] = ()
    group_by: tuple[str, ...] = ("queue",)
    compare: str = ""

    def asked(self, tz: ZoneInfo) -> Asked:
        """What it fixes for every row."""
        return Asked(
            self.step, tz, self.threshold_s, self.formulas or tuple(FORMULAS), self.attribution, columns(self.group_by),
            frozenset(self.queues), frozenset(self.channels), frozenset(self.agents), frozenset(self.teams),
        )  # fmt: skip


def columns(group_by: tuple[str, ...]) -> tuple[str, ...]:
    """In the order in which they stand in a row."""
    return tuple(column for column in COLUMNS if column in group_by)


def checked(given: FiguresAsked) -> None:
    """Raises ``Rejected`` (bad input) for a word that is none of ours."""
    _known("step", [given.step], STEPS)
    _known("attribution", [given.attribution], (COHORT, EVENT))
    _known("compare", [given.compare] if given.compare else [], (PREVIOUS,))
    _known("formula", given.formulas, FORMULAS)
    if given.group_by != (WHOLE,):
        _known("group", given.group_by, COLUMNS)


def checked_threshold(queue: Queue, threshold_s: int) -> None:
    """A queue's figures are kept for its thresholds; what belongs to no pool has none."""
    if queue.pool and threshold_s not in thresholds_of(queue):
        kept = ", ".join(map(str, thresholds_of(queue)))
        raise Rejected("UNKNOWN_THRESHOLD", f"figures of {queue.queue} are kept for {kept} s", invalid=True)


def span_of(given: FiguresAsked, tz: ZoneInfo, today: int, now: int) -> Span:
    """Whole intervals: from that in which ``from`` is to that in which ``to`` is; the day so far when not given."""
    begin = today if given.begin is None else given.begin
    end = now if given.end is None else given.end
    if not 0 <= begin <= end:
        raise Rejected("BAD_RANGE", "from lies before to, and after 1970", invalid=True)
    if end - begin > MOST_DAYS[given.step] * DAY_MS:
        most = f"at most {MOST_DAYS[given.step]} days by {given.step}; ask for a part, or for a longer step"
        raise Rejected("TOO_LONG", most, invalid=True)
    if begin == end:
        return begin, end
    return interval(begin, given.step, tz)[0], interval(end - 1, given.step, tz)[1]


def _known(what: str, words: Iterable[str], known: Iterable[str]) -> None:
    for word in words:
        if word not in known:
            detail = f"{what} {word[:40]!r} is none of {', '.join(known)}"
            raise Rejected(f"UNKNOWN_{what.upper()}", detail, invalid=True)
