"""The same rows flat: the columns of an answer with their kinds, and the answer as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Literal

from .questions import Answer
from .shown import COUNTS, FLAGS, PERCENTILES, SECONDS, Json, flattened, shown_row

Kind = Literal["time", "text", "flag", "count", "number"]
PERIOD = "period"
CURRENT, PREVIOUS = "current", "previous"


def columns(group_by: Iterable[str], formulas: Iterable[str], compared: bool) -> dict[str, Kind]:
    """Every column of an answer, in order; what is not known is empty. ``period`` stands only where compared."""
    found: dict[str, Kind] = {PERIOD: "text"} if compared else {}
    found |= {"start": "time", "end": "time"}
    found |= dict.fromkeys(group_by, "text")
    found |= dict.fromkeys(FLAGS, "flag")
    found |= {"freshness_s": "number"}
    found |= dict.fromkeys(COUNTS, "count")
    return found | dict.fromkeys([*(f"{name}_s" for name in SECONDS), *formulas, *PERCENTILES], "number")


def columns_of(answer: Answer) -> dict[str, Kind]:
    return columns(answer.asked.group_by, answer.asked.formulas, answer.earlier is not None)


async def flat_rows(answer: Answer) -> AsyncIterator[list[Json]]:
    """The rows of the period, then those of the earlier one; some intervals at a time."""
    for period, found in ((CURRENT, answer.rows()), (PREVIOUS, answer.previous())):
        async for rows in found:
            yield [{PERIOD: period, **flattened(shown_row(row))} for row in rows]


async def as_csv(answer: Answer) -> AsyncIterator[bytes]:
    """A line of names, then the rows; times as in JSON, flags ``true`` and ``false``."""
    names = list(columns_of(answer))
    yield _lines([names])
    async for rows in flat_rows(answer):
        if rows:
            yield _lines([_word(row[name]) for name in names] for row in rows)


def _lines(rows: Iterable[Sequence[object]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()


def _word(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value
