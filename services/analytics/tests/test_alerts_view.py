"""Alerts as they are kept: those that stand apart, cleared ones for some time, whatever dies in between (AN-3)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from analytics.app.alerts import Alert
from analytics.domain.alerting import AlertCleared, AlertFact, AlertRaised, Subject
from analytics.projections.alerts import ALERTS, DAY_MS, STANDING, AlertsView
from switchlog.clock import ManualClock
from switchlog.envelope import StreamId
from switchlog.store.memory import MemoryStore
from switchlog.store.opening import open_store
from switchlog.testing.places import own_store

from .folds import Crash
from .scene import NOON, TENANT

pytestmark = pytest.mark.cassandra if os.environ.get("STORE") == "cassandra" else []

RULE = StreamId(TENANT, "alert-r1")
HOUR = DAY_MS // 24
KEPT = 30


def raised(at: int, queue: str) -> AlertRaised:
    return AlertRaised(f"{at:014d}-{queue}", "r1@1", Subject(queue), "asa", 2.0, 1.0, "above", at - HOUR, at)


def cleared(alert: AlertRaised) -> AlertCleared:
    return AlertCleared(alert.alert, alert.rule, alert.subject, alert.figure, 0.5)


class Noted:
    """Views that note what is scanned, and die before one of their writes."""

    def __init__(self, views: Any, budget: int = -1) -> None:
        self._views, self.budget = views, budget
        self.scanned: list[str] = []

    def __getattr__(self, name: str) -> Any:
        if name in ("put", "delete"):
            if self.budget == 0:
                raise Crash
            self.budget -= 1
        return getattr(self._views, name)

    async def scan(self, view: str, *more: Any) -> Any:
        self.scanned.append(view)
        return await self._views.scan(view, *more)


@pytest.fixture
async def views(tmp_path: Path) -> Any:
    with own_store("analytics", tmp_path) as settings:
        store = await open_store(settings, "analytics")
        yield Noted(store.views)
        await store.close()


Told = list[tuple[int, AlertFact]]
"""(recorded at, fact) of one stream, in order."""


async def told(views: Any, facts: Told, now: int, since: int = 0) -> AlertsView:
    view = AlertsView(views, ManualClock(now), KEPT)
    for version, (at, fact) in enumerate(facts, 1):
        if version > since:
            await view.fold(RULE, version, at, fact)
    return view


def names(alerts: list[Alert]) -> list[str]:
    return [alert.raised.alert for alert in alerts]


async def test_those_that_stand_are_read_without_any_other_newest_first(views: Any) -> None:
    facts: Told = []
    for n in range(40):
        alert = raised(NOON + n * HOUR, "sales")
        facts += [(NOON + n * HOUR, alert), (NOON + n * HOUR + 1, cleared(alert))]
    standing = [raised(NOON + n * HOUR + 2, queue) for n, queue in enumerate(("sales", "help"))]
    facts += [(NOON + 50 * HOUR, alert) for alert in standing]
    view = await told(views, facts, NOON + 51 * HOUR)
    views.scanned = []
    assert names(await view.since(TENANT, 0, open_only=True)) == [one.alert for one in reversed(standing)]
    assert set(views.scanned) == {STANDING}
    assert names(await view.since(TENANT, NOON + HOUR, open_only=True)) == [standing[1].alert]
    assert len(await view.since(TENANT, 0)) == 42


async def test_a_subject_stands_again_after_it_was_cleared(views: Any) -> None:
    first, second = raised(NOON, "sales"), raised(NOON + HOUR, "sales")
    facts: Told = [(NOON, first), (NOON + 1, cleared(first)), (NOON + HOUR, second)]
    view = await told(views, facts, NOON + HOUR)
    assert names(await view.since(TENANT, 0, open_only=True)) == [second.alert]
    facts.append((NOON + 2 * HOUR, cleared(second)))
    await told(views, facts, NOON + 2 * HOUR, since=3)
    assert await view.since(TENANT, 0, open_only=True) == []
    assert [alert.cleared_value for alert in await view.since(TENANT, 0)] == [0.5, 0.5]


async def test_cleared_ones_are_not_told_and_then_forgotten_when_their_time_is_over(views: Any) -> None:
    gone, stood_long, still = raised(NOON, "a"), raised(NOON + 1, "b"), raised(NOON + 2, "c")
    late = NOON + (KEPT - 1) * DAY_MS
    facts: Told = [(NOON, gone), (NOON, stood_long), (NOON, still), (NOON + HOUR, cleared(gone))]
    facts.append((late, cleared(stood_long)))
    view = await told(views, facts, late)
    assert len(await view.since(TENANT, 0)) == 3
    view.clock.advance(2 * DAY_MS)
    assert names(await view.since(TENANT, 0)) == [still.alert, stood_long.alert], "since when it was cleared counts"
    assert await views.get(ALERTS, TENANT, gone.alert) is not None
    latest = raised(view.clock.now(), "d")
    await view.fold(RULE, 6, view.clock.now(), latest)
    assert [row.key for row in await views.scan(ALERTS, TENANT)] == [stood_long.alert, still.alert, latest.alert]
    assert names(await view.since(TENANT, 0, open_only=True)) == [latest.alert, still.alert]


async def test_whatever_dies_and_is_told_again_the_same_alerts_stand() -> None:
    """Redelivery from any fact on, after a death between any two writes (kernel rules 7, 17)."""
    a, b, c = raised(NOON, "sales"), raised(NOON + 1, "help"), raised(NOON + 2, "sales")
    month = NOON + 31 * DAY_MS
    facts: Told = [
        (NOON, a),
        (NOON, b),
        (NOON, cleared(a)),
        (NOON, c),
        (month, cleared(c)),
        (month, raised(month, "d")),
    ]
    whole = await state(await told(MemoryStore().views, facts, month))
    budget, done = 0, 0
    while done < len(facts):
        _, done = await died(facts, month, budget)
        for since in range(done + 1):
            store, _ = await died(facts, month, budget)
            assert await state(await told(store.views, facts, month, since)) == whole
        budget += 1
    assert budget > len(facts)


async def died(facts: Told, now: int, budget: int) -> tuple[MemoryStore, int]:
    """What is stored of ``facts`` when the process dies after ``budget`` writes, and how many it had done with."""
    store, done = MemoryStore(), 0
    view = AlertsView(Noted(store.views, budget), ManualClock(now), KEPT)
    try:
        for done, (at, fact) in enumerate(facts):
            await view.fold(RULE, done + 1, at, fact)
        return store, len(facts)
    except Crash:
        return store, done


async def state(view: AlertsView) -> tuple[list[Alert], list[Alert], list[str]]:
    rows = [row.key for row in await view.views.scan(ALERTS, TENANT)]
    return await view.since(TENANT, 0), await view.since(TENANT, 0, open_only=True), rows
