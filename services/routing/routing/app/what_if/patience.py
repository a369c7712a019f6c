"""How long customers wait before they leave, as a day shows it: the Kaplan-Meier estimate. Milliseconds."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from math import log

Wait = tuple[int, bool]
"""How long somebody waited, and whether that ended by leaving (else it was cut short: answered, moved, still there)."""


@dataclass(frozen=True, slots=True)
class Patience:
    """``stays[i]`` is the share whose patience exceeds ``times[i]``; beyond the longest wait seen (``last``) customers
    leave at the average ``rate`` per millisecond of the day, for an estimate says nothing there."""

    times: tuple[int, ...]
    stays: tuple[float, ...]
    last: int
    rate: float

    def exceeds(self, wait: int) -> float:
        """The share whose patience is longer than ``wait``."""
        n = bisect_right(self.times, wait)
        return self.stays[n - 1] if n else 1.0

    def beyond(self, wait: int, chance: float) -> int | None:
        """A patience longer than ``wait``, for a ``chance`` in (0, 1]; ``None``: nobody ever left, so for ever."""
        share = chance * self.exceeds(wait)
        for time, stays in zip(self.times, self.stays, strict=True):
            if time > wait and stays < share:
                return time
        if not self.rate:
            return None
        start, there = max(self.last, wait), self.exceeds(max(self.last, wait))
        return start + 1 + round(-log(min(1.0, share / there) if there else chance) / self.rate)


def kaplan_meier(waits: Iterable[Wait]) -> Patience:
    """E. L. Kaplan, P. Meier, J. Amer. Statist. Assoc. 53 (1958): who is cut short at t was still at risk at t."""
    seen = sorted(waits)
    left = Counter(time for time, leaves in seen if leaves)
    at_risk, share = len(seen), 1.0
    times, stays = [], []
    for time, group in groupby(seen, key=lambda wait: wait[0]):
        if left[time]:
            share *= 1 - left[time] / at_risk
            times.append(time)
            stays.append(share)
        at_risk -= sum(1 for _ in group)
    exposed = sum(time for time, _ in seen)
    rate = left.total() / exposed if exposed else 0.0
    return Patience(tuple(times), tuple(stays), seen[-1][0] if seen else 0, rate)
