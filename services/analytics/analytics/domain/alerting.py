"""Alerts: a figure that leaves its range and stays out of it is told once, and once that it is back (AN-3).

A rule and its alerts are one stream. Whether a value is out of range, and for how long, is looked at by whoever reads
the figures (``look``); the stream decides that nothing is raised or cleared twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from types import MappingProxyType
from typing import NamedTuple, assert_never

from analytics.domain.levels import COHORT
from switchlog.decider import Decider

ABOVE, BELOW = "above", "below"
WINDOWS_MS = {"15m": 900_000, "30m": 1_800_000, "1h": 3_600_000, "2h": 7_200_000, "4h": 14_400_000}
DAY = "1d"
"""The window of the local day so far."""
PER = ("", "queue", "agent", "team")


@dataclass(frozen=True, slots=True)
class Rule:
    """What is watched. ``limit`` ``None``: the share that each queue's own target asks for at that time of day.

    Out of range is ``side`` of ``limit`` for ``for_ms``; back in range is not beyond ``clear`` (``None``: the limit)
    for ``clear_for_ms``. ``per`` column each by itself, empty: all as one; the other tuples are filters, empty: all.
    """

    id: str
    figure: str
    side: str
    limit: float | None = None
    clear: float | None = None
    name: str = ""
    per: str = "queue"
    queues: tuple[str, ...] = ()
    channels: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    teams: tuple[str, ...] = ()
    window: str = "30m"
    attribution: str = COHORT
    threshold_s: int = 20
    for_ms: int = 0
    clear_for_ms: int = 60_000
    at_least: int = 0


class Subject(NamedTuple):
    """Whom an alert is about; what the rule does not tell apart is empty."""

    queue: str = ""
    agent: str = ""
    team: str = ""


class Seen(NamedTuple):
    """A figure as it was read: ``value`` is ``None`` where it is undefined; ``contacts`` were offered meanwhile."""

    value: float | None
    limit: float
    contacts: int
    begin: int
    end: int


# --- how long it has been on the other side --------------------------------------------------------------------------


def look(rule: Rule, stands: bool, seen: Seen | None, since: int | None, now: int) -> tuple[int | None, bool]:
    """(since when the alert ought to change, whether it changes now); ``since`` is what the last look said.

    ``None`` of ``seen``: the subject is not looked at any more. A figure without value is out of no range.
    """
    out = seen is not None and seen.contacts >= rule.at_least and _is_out(rule, seen, stands)
    if out == stands:
        return None, False
    since = now if since is None else since
    return since, now - since >= (rule.clear_for_ms if stands else rule.for_ms)


def _is_out(rule: Rule, seen: Seen, stands: bool) -> bool:
    """While an alert stands the figure has to come back beyond ``clear``: hysteresis."""
    if seen.value is None:
        return False
    limit = rule.clear if stands and rule.clear is not None else seen.limit
    return seen.value > limit if rule.side == ABOVE else seen.value < limit


# --- facts and commands ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class AlertRuleDefined:
    rule: Rule
    version: int


@dataclass(frozen=True, slots=True)
class AlertRuleRemoved:
    rule: str


@dataclass(frozen=True, slots=True)
class AlertRaised:
    """``rule`` is ``name@version``; times are epoch milliseconds."""

    alert: str
    rule: str
    subject: Subject
    figure: str
    value: float
    limit: float
    side: str
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class AlertCleared:
    """``value`` is ``None`` where the figure has none any more."""

    alert: str
    rule: str
    subject: Subject
    figure: str
    value: float | None = None


AlertFact = AlertRuleDefined | AlertRuleRemoved | AlertRaised | AlertCleared


@dataclass(frozen=True, slots=True)
class DefineRule:
    rule: Rule


@dataclass(frozen=True, slots=True)
class RemoveRule:
    pass


@dataclass(frozen=True, slots=True)
class Raise:
    """``version`` is that of the rule by which it was looked at."""

    version: int
    subject: Subject
    seen: Seen


@dataclass(frozen=True, slots=True)
class Clear:
    alert: str
    subject: Subject
    value: float | None = None


AlertCommand = DefineRule | RemoveRule | Raise | Clear


@dataclass(frozen=True, slots=True)
class Watch:
    """``rule`` ``None``: never defined, or removed; ``standing`` are the alerts that are not cleared."""

    rule: Rule | None = None
    version: int = 0
    standing: Mapping[Subject, AlertRaised] = field(default_factory=lambda: MappingProxyType({}))


def decide(command: AlertCommand, watch: Watch, now: int) -> Sequence[AlertFact]:
    rule, standing = watch.rule, watch.standing
    match command:
        case DefineRule(asked):
            return [] if asked == rule else [AlertRuleDefined(asked, watch.version + 1)]
        case RemoveRule():
            cleared = [_cleared(standing[subject]) for subject in sorted(standing)]
            return [*cleared, AlertRuleRemoved(rule.id)] if rule else []
        case Raise(version, subject, seen):
            if rule is None or version != watch.version or subject in standing or seen.value is None:
                return []
            named, at = f"{rule.id}@{version}", (seen.begin, seen.end)
            raised = AlertRaised(
                _id(rule.id, subject, now), named, subject, rule.figure, seen.value, seen.limit, rule.side, *at
            )
            return [raised]
        case Clear(alert, subject, value):
            known = standing.get(subject)
            return [_cleared(known, value)] if known and known.alert == alert else []
        case _:
            assert_never(command)


def evolve(watch: Watch, event: AlertFact) -> Watch:
    match event:
        case AlertRuleDefined(rule, version):
            return Watch(rule, version, watch.standing)
        case AlertRuleRemoved():
            return Watch(None, watch.version)
        case AlertRaised(subject=subject):
            return Watch(watch.rule, watch.version, MappingProxyType({**watch.standing, subject: event}))
        case AlertCleared(subject=subject):
            left = {one: alert for one, alert in watch.standing.items() if one != subject}
            return Watch(watch.rule, watch.version, MappingProxyType(left))
        case _:
            assert_never(event)


ALERT: Decider[AlertCommand, Watch, AlertFact] = Decider(Watch(), decide, evolve)


def _cleared(raised: AlertRaised, value: float | None = None) -> AlertCleared:
    return AlertCleared(raised.alert, raised.rule, raised.subject, raised.figure, value)


def _id(rule: str, subject: Subject, now: int) -> str:
    """In order of time, so that the newest are found first."""
    whose = blake2b("/".join((rule, *subject)).encode(), digest_size=6).hexdigest()
    return f"{now:014d}-{whose}"
