"""Made days as records, for tests that need no broker: what the topics would hold, in one partition each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from .day import Published
from .day.streams import Streams
from .oracle.decode import Facts, decode
from .oracle.topics import Record


def records(said: Iterable[Published]) -> list[Record]:
    """The records in order of offset."""
    ends: Counter[str] = Counter()
    found = []
    for one in said:
        found.append(Record(one.topic, 0, ends[one.topic], one.key, one.value))
        ends[one.topic] += 1
    return found


def decoded(streams: Streams) -> Facts:
    return decode(records(streams.said))
