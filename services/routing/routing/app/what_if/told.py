"""A trial as JSON has it: every queue's figures side by side, with the bounds over the seeds."""

from __future__ import annotations

from typing import Any

from .compared import Compared, Value, interval

Shown = dict[str, Any]


def shown(found: Compared, asked: str, threshold_s: int, same: bool) -> Shown:
    """``asked`` are the other rules in words; ``low`` and ``high`` bound 95 % of the seeds' values."""
    queues = [queue for queue in found.was.values if queue != "*"]
    queues += sorted({queue for one in found.seeds for queue in one.values} - {*queues, "*"})
    return {
        "pool": found.pool.name.removeprefix("pool-"),
        "date": found.date,
        "rules": asked,
        "same_rules": same,
        "identical": found.identical,
        "threshold_s": threshold_s,
        "seeds": len(found.seeds),
        "legs": len(found.was.ends),
        "legs_changed": found.changed,
        "text": _text(found, asked, same),
        "queues": [{"queue": queue, "figures": _figures(found, queue)} for queue in ("*", *queues)],
    }


def _figures(found: Compared, queue: str) -> list[Shown]:
    was = found.was.values.get(queue, {})
    return [_figure(found, queue, name, was.get(name)) for name in found.was.values["*"]]


def _figure(found: Compared, queue: str, name: str, was: Value) -> Shown:
    mean, low, high = interval([one.values.get(queue, {}).get(name) for one in found.seeds])
    difference = None if mean is None or was is None else mean - was
    return {"figure": name, "was": was, "mean": mean, "low": low, "high": high, "difference": difference}


def _text(found: Compared, asked: str, same: bool) -> str:
    if same:
        word = "every contact's agent, wait and outcome are the same" if found.identical else "NOT reproduced"
        return f"{found.pool.name} {found.date}, the same rules: {word} ({len(found.was.ends)} legs)"
    return (
        f"{found.pool.name} {found.date} with {asked}: on average {found.changed:.1f} of {len(found.was.ends)} legs "
        f"end otherwise ({len(found.seeds)} seeds)"
    )
