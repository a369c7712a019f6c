"""What a queue is meant to reach at an instant: its own target, or another at certain hours of the day (RT-6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo


class Target(NamedTuple):
    """``share`` (0..1; 0: none is set) of the contacts shall be answered within ``threshold_s``."""

    threshold_s: int
    share: float


NO_TARGET = Target(0, 0.0)


@dataclass(frozen=True, slots=True)
class TimedTarget:
    """A target between two local times, minutes of the day: not later than its begin it ends on the next day.

    ``days`` are those on which it begins, 1 Monday to 7 Sunday; none: all.
    """

    begin: int
    end: int
    threshold_s: int
    share: float
    days: list[int] = field(default_factory=list)

    def holds(self, at: datetime) -> bool:
        """At the local time ``at``."""
        minute = at.hour * 60 + at.minute
        if self.begin < self.end:
            return self._begins_on(at) and self.begin <= minute < self.end
        before = at - timedelta(days=1)
        return (self._begins_on(at) and minute >= self.begin) or (self._begins_on(before) and minute < self.end)

    def _begins_on(self, day: datetime) -> bool:
        return not self.days or day.isoweekday() in self.days


@dataclass(frozen=True, slots=True)
class Targets:
    """All targets of a queue, and the zone of their hours."""

    own: Target
    timed: Sequence[TimedTarget]
    tz: ZoneInfo

    def at(self, at: int) -> Target:
        """The first of ``timed`` that holds at ``at`` (epoch ms), else ``own``; what one leaves out is ``own``'s."""
        local = datetime.fromtimestamp(at / 1000, UTC).astimezone(self.tz)
        found = next((one for one in self.timed if one.holds(local)), None)
        return Target(found.threshold_s or self.own.threshold_s, found.share or self.own.share) if found else self.own


def minutes(clock: str) -> int:
    """``08:30`` as minutes of the day; ``24:00`` is 1440."""
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)
