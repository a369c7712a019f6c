"""Too many at once: arrivals beside what is usual at this time of the week, and when a surge begins and is over (RT-9).

A surge starts when the arrivals of a window exceed ``start_percent`` of the usual and chance alone makes that unlikely
(Poisson); it ends when they have stayed below ``end_percent`` for ``end_after_ms``. What is usual comes in with the
timer, for it depends on a calendar: the same quarter hour of the last four same weekdays, or the rule's own number.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from routing.domain.definitions import SurgeRule, SurgeStep

MINUTE_MS = 60_000
QUARTER_MS = 15 * MINUTE_MS
WEEKS = 4
KEPT_MS = (WEEKS * 7 + 1) * 24 * 60 * MINUTE_MS
# terms of a Poisson sum relative to each other: brought down before they overflow
HUGE = 1e280


@dataclass(slots=True)
class Crowd:
    """What one queue has seen: arrivals by minute (of the window) and by quarter hour (of four weeks), by their start.

    ``since`` is the first quarter hour known; ``started_at`` 0 means that no surge is on, ``calm_since`` 0 that it goes
    on; ``taken`` are the steps in force.
    """

    since: int = 0
    minutes: dict[int, int] = field(default_factory=dict)
    quarters: dict[int, int] = field(default_factory=dict)
    started_at: int = 0
    calm_since: int = 0
    taken: tuple[str, ...] = ()


def arrive(crowd: Crowd, at: int, window_ms: int) -> None:
    """One more contact, queued ``at``."""
    minute, quarter = at - at % MINUTE_MS, at - at % QUARTER_MS
    if minute not in crowd.minutes:
        crowd.minutes = {m: n for m, n in crowd.minutes.items() if m > at - window_ms - MINUTE_MS}
    if quarter not in crowd.quarters:
        crowd.quarters = {q: n for q, n in crowd.quarters.items() if q >= at - KEPT_MS}
    crowd.since = crowd.since or quarter
    crowd.minutes[minute] = crowd.minutes.get(minute, 0) + 1
    crowd.quarters[quarter] = crowd.quarters.get(quarter, 0) + 1


def arrivals(crowd: Crowd, now: int, window_ms: int) -> int:
    """How many came in the whole minutes that the window touches; the running minute counts."""
    return sum(count for minute, count in crowd.minutes.items() if now - window_ms < minute <= now)


def usual(crowd: Crowd, same_quarters: Iterable[int], rule: SurgeRule) -> int:
    """Usual arrivals in a window, in thousandths: the mean of ``same_quarters`` (their starts) as far as known.

    Where it knows none the rule's own number stands; 0 means that nothing is known and nothing is a surge.
    """
    known = [crowd.quarters.get(start, 0) for start in same_quarters if crowd.since and start >= crowd.since]
    per_quarter = sum(known) * 1000 // len(known) if known else rule.usual_milli
    return per_quarter * rule.window_ms // QUARTER_MS


def begins(rule: SurgeRule, arrived: int, usual_milli: int) -> bool:
    """Whether ``arrived`` in a window is a surge."""
    exceeds = arrived * 1000 * 100 > usual_milli * rule.start_percent
    return usual_milli > 0 and exceeds and chance_ppm(arrived, usual_milli) < rule.chance_ppm


def is_calm(rule: SurgeRule, arrived: int, usual_milli: int) -> bool:
    return arrived * 1000 * 100 < usual_milli * rule.end_percent


def over(rule: SurgeRule, crowd: Crowd, now: int) -> bool:
    return crowd.calm_since > 0 and now - crowd.calm_since >= rule.end_after_ms


def due_steps(rule: SurgeRule, crowd: Crowd, now: int) -> list[SurgeStep]:
    """Steps of the playbook whose time has come, in its order."""
    return [s for s in rule.steps if s.step not in crowd.taken and now - crowd.started_at >= s.after_ms]


def is_news(rule: SurgeRule, crowd: Crowd, now: int, usual_milli: int) -> bool:
    """Whether a timer at ``now`` would change anything: the shell feeds no others into the log."""
    arrived = arrivals(crowd, now, rule.window_ms)
    if not crowd.started_at:
        return begins(rule, arrived, usual_milli)
    calm = is_calm(rule, arrived, usual_milli)
    return calm != (crowd.calm_since > 0) or over(rule, crowd, now) or bool(due_steps(rule, crowd, now))


def chance_ppm(arrived: int, usual_milli: int) -> int:
    """P(X >= arrived) of a Poisson count whose mean is ``usual_milli`` thousandths, in millionths, rounded down.

    Added up without exp, so that the result is the same on every machine. Source: the definition.
    """
    mean, term, total, tail, n = usual_milli / 1000, 1.0, 0.0, 0.0, 0
    while term > total * 1e-18 or n <= mean:
        if total > HUGE:
            term, total, tail = term / HUGE, total / HUGE, tail / HUGE
        total += term
        tail += term if n >= arrived else 0.0
        n += 1
        term *= mean / n
    return int(1_000_000 * tail / total)
