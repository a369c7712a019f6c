"""Local intervals by walking over the quarter hours: one begins where its label changes, so DST needs no rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa

QUARTER_MS = 900_000
DAY_MS = 86_400_000
Label = Callable[[datetime], object]

STEPS: dict[str, Label] = {
    "15m": lambda local: (local.date(), local.hour, local.minute // 15, local.utcoffset()),
    "30m": lambda local: (local.date(), local.hour, local.minute // 30, local.utcoffset()),
    "1h": lambda local: (local.date(), local.hour, local.utcoffset()),
    "1d": lambda local: local.date(),
    "1w": lambda local: local.isocalendar()[:2],
    "1mo": lambda local: (local.year, local.month),
}
# so far before and after the span in question, that whole intervals of the step are walked over
MARGIN_MS = {"15m": DAY_MS, "30m": DAY_MS, "1h": DAY_MS, "1d": 2 * DAY_MS, "1w": 9 * DAY_MS, "1mo": 33 * DAY_MS}


def calendar(tz: str, first: int, last: int) -> pa.Table:
    """``step, start, end_`` (epoch ms) of every interval that touches ``first`` .. ``last``."""
    rows = [
        (step, start, end)
        for step in STEPS
        for start, end in intervals(step, tz, first, last)
        if end > first and start <= last
    ]
    columns = list(zip(*rows, strict=True))
    types = {"step": pa.string(), "start": pa.int64(), "end_": pa.int64()}
    return pa.table(
        [pa.array(column, type) for column, type in zip(columns, types.values(), strict=True)], names=list(types)
    )


def intervals(step: str, tz: str, first: int, last: int) -> Iterator[tuple[int, int]]:
    """(start, end) of ``step`` around ``first`` .. ``last``, in order, without gap."""
    label, zone = STEPS[step], ZoneInfo(tz)
    begin, end = first - MARGIN_MS[step], last + MARGIN_MS[step]
    start, now = None, None
    for at in range(begin - begin % QUARTER_MS, end, QUARTER_MS):
        found = label(datetime.fromtimestamp(at / 1000, UTC).astimezone(zone))
        if found != now:
            if now is not None and start is not None:
                yield start, at
            # the first label may have begun before the walk did: its start is not known
            start, now = (at if now is not None else None), found
