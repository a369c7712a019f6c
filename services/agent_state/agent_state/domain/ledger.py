"""The ledger of a shift: what an agent did when, to the millisecond, without gap or overlap (AG-6)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from .events import Activity, AgentEvent
from .evolve import INITIAL, evolve
from .state import activity


@dataclass(frozen=True, slots=True)
class Span:
    """``activity`` from ``start`` to before ``end``, epoch milliseconds."""

    activity: Activity
    start: int
    end: int


def ledger(history: Iterable[AgentEvent], until: int) -> Sequence[Span]:
    """The spans from the first of ``history`` to ``until`` (epoch milliseconds); those of no length are left out."""
    spans: list[Span] = []
    state, doing, since = INITIAL, Activity.SIGNED_OUT, None
    for event in history:
        state, at = evolve(state, event), event.stamp.at
        since = at if since is None else since
        if activity(state) != doing:
            spans.append(Span(doing, since, at))
            doing, since = activity(state), at
    if since is not None:
        spans.append(Span(doing, since, max(since, until)))
    return [span for span in spans if span.start < span.end]
