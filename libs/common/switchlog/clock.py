"""Time, handed in: epoch milliseconds for facts, monotonic seconds for deadlines."""

from __future__ import annotations

import time
from typing import Protocol

LOOKS = 9


class Clock(Protocol):
    """``now()`` in whole epoch milliseconds, never decreasing; ``monotonic()`` in seconds."""

    def now(self) -> int: ...

    def monotonic(self) -> float: ...


class SystemClock:
    """Wall clock at process start plus monotonic time since, so a jump of the wall clock moves nothing."""

    def __init__(self) -> None:
        # the quickest of some looks: a process that is made to wait between two readings would be late for ever
        self._ahead = min(_look() for _ in range(LOOKS))[1]

    def now(self) -> int:
        return int((self._ahead + time.monotonic()) * 1000)

    def monotonic(self) -> float:
        return time.monotonic()


def _look() -> tuple[float, float]:
    """How long it took, and by how much the wall clock was ahead of the monotonic one in its middle; seconds."""
    before, wall, after = time.monotonic(), time.time(), time.monotonic()
    return after - before, wall - (before + after) / 2


class ManualClock:
    """A clock that a test moves by hand."""

    def __init__(self, now: int = 1_750_000_000_000) -> None:
        self._now = now
        self._origin = now

    def now(self) -> int:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._origin) / 1000

    def advance(self, milliseconds: int) -> None:
        self._now += milliseconds
