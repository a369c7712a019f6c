"""What became of a group's records, counted for ``/metrics`` and for tests."""

from __future__ import annotations

from collections import Counter

from switchlog.telemetry import meter

_records = meter("switchlog").create_counter(
    "switchlog.consumer.records",
    "{record}",
    "Records by what became of them: refused, repeat, first_seen, gap, healed, later, parked, dead, retried.",
)


class Tally(Counter[str]):
    """A counter of outcomes that also counts in the process's metrics."""

    def __init__(self, group: str = "") -> None:
        super().__init__()
        self._group = group

    def add(self, outcome: str, n: int = 1) -> None:
        if n:
            self[outcome] += n
            _records.add(n, {"messaging.consumer.group.name": self._group, "outcome": outcome})
