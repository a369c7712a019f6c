"""Answers in the words of the public interface: the same names over HTTP, on the command line and in files."""

from __future__ import annotations

import csv
import io
from typing import Any

from switchlog.envelope import timestamp

from ..domain.figures import Row
from ..domain.formulas import Level
from .histograms import percentiles
from .questions import Figures, Now

Json = dict[str, Any]

# What a group has no facts of is null (agents' time of a queue): nobody shall take it for zero.
COUNTS = (
    "offered", "answered", "answered_in_threshold", "abandoned", "abandoned_in_threshold", "short_abandoned",
    "flowed_out", "callback", "timed_out", "blocked", "failed", "waiting", "transferred",
)  # fmt: skip
SECONDS = ("wait_answered", "wait_abandoned", "talk", "hold", "wrap_up", "trunk", "busy", "ready", "signed_in")
OF_AGENTS = ("busy", "ready", "signed_in")
_RENAMED = {"answered_in_threshold": "answered_in", "abandoned_in_threshold": "abandoned_in"}


def counts(level: Level) -> dict[str, int | None]:
    own = {name: getattr(level, _RENAMED.get(name, name), None) for name in COUNTS}
    return own | {"transferred": level.counts.get("transferred", 0)}


def seconds(level: Level) -> dict[str, float | None]:
    sums: dict[str, float | None] = dict.fromkeys(SECONDS)
    sums |= {"wait_answered": level.wait_answered_ms / 1000, "wait_abandoned": level.wait_abandoned_ms / 1000}
    sums |= {name: level.counts.get(f"{name}_ms", 0) / 1000 for name in ("talk", "hold", "wrap_up", "trunk")}
    return sums | {name: level.counts[f"{name}_ms"] / 1000 for name in OF_AGENTS if f"{name}_ms" in level.counts}


def waits(row: Row) -> dict[str, float | None]:
    return {f"wait_p{percent}": value for percent, value in percentiles(row.buckets).items()}


def shown_row(row: Row, freshness_s: float) -> Json:
    return {
        "start": timestamp(row.start),
        "end": timestamp(row.end),
        "queue": row.queue,
        "verdicts_final": row.verdicts_final,
        "final": row.final,
        "durations_final": False,  # talk and wrap-up are not folded yet
        "freshness_s": freshness_s,
        "counts": counts(row.level),
        "seconds": seconds(row.level),
        "figures": row.figures,
        "percentiles": waits(row),
    }


def shown_figures(found: Figures) -> Json:
    return {
        "tz": found.tz,
        "step": found.step,
        "attribution": "cohort",
        "threshold_s": found.threshold_s,
        "as_of": timestamp(found.as_of),
        "rows": [shown_row(row, freshness) for row, freshness in found.rows],
    }


def shown_now(found: Now) -> Json:
    return {
        "queue": found.queue,
        "at": timestamp(found.at),
        "waiting": found.waiting,
        "longest_wait_s": found.longest_wait_ms / 1000,
        "agents": found.agents,
        "today": {"counts": counts(found.today.level), "figures": found.today.figures},
        "freshness_s": found.freshness_s,
    }


def as_csv(shown: Json) -> str:
    """The rows flat: a count's name as it is, sums with ``_s``; what is not known is empty."""
    flat = [flattened(row) for row in shown["rows"]]
    out = io.StringIO()
    writer = csv.DictWriter(out, list(flat[0]) if flat else ["start", "end", "queue"], lineterminator="\r\n")
    writer.writeheader()
    writer.writerows({name: _word(value) for name, value in row.items()} for row in flat)
    return out.getvalue()


def _word(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


def flattened(row: Json) -> Json:
    found: Json = {name: value for name, value in row.items() if not isinstance(value, dict)}
    sums = {f"{name}_s": value for name, value in row["seconds"].items()}
    found.update(row["counts"] | sums | row["figures"] | row["percentiles"])
    return found
