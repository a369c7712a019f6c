"""Answers in the words of the public interface: the same names over HTTP, on the command line and in files."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import orjson

from switchlog.envelope import timestamp

from ..domain.figures import Row
from ..domain.formulas import Level
from .alerts import Alert
from .histograms import percentiles
from .questions import Answer, Now

Json = dict[str, Any]

# What a group has no facts of is null (agents' time of a queue): nobody shall take it for zero.
COUNTS = (
    "offered", "answered", "answered_in_threshold", "abandoned", "abandoned_in_threshold", "short_abandoned",
    "flowed_out", "callback", "timed_out", "blocked", "failed", "waiting", "transferred",
)  # fmt: skip
SECONDS = ("wait_answered", "wait_abandoned", "talk", "hold", "wrap_up", "trunk", "busy", "ready", "signed_in")
PERCENTILES = tuple(f"{what}_p{percent}" for what in ("wait", "first_response") for percent in (50, 90, 99))
FLAGS = ("verdicts_final", "final", "durations_final")
_OF_AGENTS_ALONE = ("ready", "signed_in")
_RENAMED = {"answered_in_threshold": "answered_in", "abandoned_in_threshold": "abandoned_in"}


def counts(level: Level) -> dict[str, int]:
    own = {name: getattr(level, _RENAMED.get(name, name), 0) for name in COUNTS}
    return own | {"transferred": level.counts.get("transferred", 0)}


def seconds(level: Level) -> dict[str, float | None]:
    known = {"wait_answered": level.wait_answered_ms, "wait_abandoned": level.wait_abandoned_ms}
    sums = {name: known.get(name, level.counts.get(f"{name}_ms", 0)) / 1000 for name in SECONDS}
    return sums | {name: None for name in _OF_AGENTS_ALONE if f"{name}_ms" not in level.counts}


def quantiles(row: Row) -> dict[str, float | None]:
    """Seconds, of waits that have ended and of first responses."""
    found = {"wait": row.waits, "first_response": [row.tally.buckets.get("first_response", {})]}
    return {
        f"{what}_p{percent}": value
        for what, buckets in found.items()
        for percent, value in percentiles(buckets).items()
    }


def shown_row(row: Row) -> Json:
    return {
        "start": timestamp(row.start),
        "end": timestamp(row.end),
        **row.groups,
        **{name: getattr(row.flags, name) for name in FLAGS},
        "freshness_s": row.freshness_ms / 1000,
        "counts": counts(row.level),
        "seconds": seconds(row.level),
        "figures": row.figures,
        "percentiles": quantiles(row),
        **shown_target(row),
    }


def shown_target(row: Row) -> Json:
    """What the queue was meant to reach when the interval began, where it has a target."""
    if row.target is None:
        return {}
    (threshold_s, share), met = row.target
    return {"target": {"threshold_s": threshold_s, "service_level": share, "met": met}}


def shown_head(answer: Answer) -> Json:
    """What holds for all rows."""
    asked = answer.asked
    found = {
        "tz": asked.tz.key,
        "step": asked.step,
        "attribution": asked.attribution,
        "threshold_s": asked.threshold_s,
        "as_of": timestamp(answer.as_of),
        "from": timestamp(answer.span[0]),
        "to": timestamp(answer.span[1]),
        "group_by": list(asked.group_by),
    }
    return found | ({"previous_from": timestamp(answer.earlier[0])} if answer.earlier else {})


def head_words(answer: Answer) -> dict[str, str]:
    """The same as text, beside rows that are flat."""
    found = shown_head(answer) | {"group_by": ",".join(answer.asked.group_by)}
    return {name: str(value) for name, value in found.items()}


async def as_json(answer: Answer) -> AsyncIterator[bytes]:
    """``{..., rows: [...]}``, with ``previous: [...]`` where compared; a chunk for some intervals."""
    yield orjson.dumps(shown_head(answer))[:-1] + b',"rows":['
    async for chunk in _listed(answer.rows()):
        yield chunk
    if answer.earlier:
        yield b'],"previous":['
        async for chunk in _listed(answer.previous()):
            yield chunk
    yield b"]}"


async def _listed(found: AsyncIterator[list[Row]]) -> AsyncIterator[bytes]:
    separator = b""
    async for rows in found:
        if rows:
            yield separator + b",".join(orjson.dumps(shown_row(row)) for row in rows)
            separator = b","


def shown_now(found: Now) -> Json:
    return {
        "queue": found.queue,
        "at": timestamp(found.at),
        "waiting": found.waiting,
        "longest_wait_s": found.longest_wait_ms / 1000,
        "agents": found.agents,
        "today": {
            "counts": counts(found.today.level),
            "figures": found.today.figures,
            **shown_target(found.today),
        },
        "freshness_s": found.freshness_s,
    }


def flattened(row: Mapping[str, Any]) -> Json:
    """A shown row without levels: a count's name as it is, sums with ``_s``."""
    found: Json = {name: value for name, value in row.items() if not isinstance(value, dict)}
    sums = {f"{name}_s": value for name, value in row["seconds"].items()}
    found |= row["counts"] | sums | row["figures"] | row["percentiles"]
    return found


def shown_alert(alert: Alert) -> Json:
    """Who or what is out of range, by how much, and since when until when."""
    raised = alert.raised
    return {
        "alert": raised.alert,
        "rule": raised.rule,
        **raised.subject._asdict(),
        "figure": raised.figure,
        "value": raised.value,
        "limit": raised.limit,
        "side": raised.side,
        "interval": {"start": timestamp(raised.begin), "end": timestamp(raised.end)},
        "raised_at": timestamp(alert.raised_at),
        "cleared_at": timestamp(alert.cleared_at) if alert.cleared_at else None,
        "cleared_value": alert.cleared_value,
    }
