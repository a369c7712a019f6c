"""Time, handed in: epoch milliseconds for facts, monotonic seconds for deadlines."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """``now()`` in whole epoch milliseconds, never decreasing; ``monotonic()`` in seconds."""

    def now(self) -> int: ...

    def monotonic(self) -> float: ...


class SystemClock:
    """Wall clock at process start plus monotonic time since, so a jump of the wall clock moves nothing."""

    def __init__(self) -> None:
        self._started = time.time()
        self._origin = time.monotonic()

    def now(self) -> int:
        return int((self._started + time.monotonic() - self._origin) * 1000)

    def monotonic(self) -> float:
        return time.monotonic()


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
