"""The round: read the topics, recompute, ask live everything, compare; again while live is still catching up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from dataclasses import dataclass

from .compare import DEFINED, Report
from .live import Live, NotAnswered
from .oracle.decode import Facts, decode
from .oracle.recompute import GROUPS, THRESHOLDS_S, Asked, recompute
from .oracle.topics import read

STEPS = ("15m", "30m", "1h", "1d", "1w", "1mo")
ATTRIBUTIONS = ("cohort", "event")
TARGET_S = 20
MARGIN_MS = 86_400_000
PATIENCE_S = 90.0


@dataclass(frozen=True)
class Outcome:
    """The last round, and how long live took until it agreed."""

    report: Report
    tenants: int
    records: int
    repeats: int
    seconds: float


async def verify(bootstrap: str, live: Live, tz: str = "", patience_s: float = PATIENCE_S) -> Outcome:
    """Compare until nothing differs, or ``patience_s`` is over: what is not equal by then is a difference."""
    began = time.monotonic()
    while True:
        contents = await read(bootstrap)
        facts = await asyncio.to_thread(decode, contents.records)
        found = await compared(facts, live, tz)
        if not found.report.differences or time.monotonic() - began > patience_s:
            return Outcome(found.report, found.tenants, facts.records, facts.repeats, time.monotonic() - began)
        await asyncio.sleep(1)


async def compared(facts: Facts, live: Live, tz: str = "") -> Outcome:
    """One round over every tenant and every question."""
    report, tenants = Report(), _tenants(facts)
    for tenant, zone in tenants.items():
        await _tenant(report, facts, tenant, tz or zone, live)
    return Outcome(report, len(tenants), facts.records, facts.repeats, 0.0)


async def _tenant(report: Report, facts: Facts, tenant: str, tz: str, live: Live) -> None:
    mine = {name: table.filter(_is(table, tenant)) for name, table in facts.tables.items()}
    batch = await asyncio.to_thread(recompute, mine, tz, round(time.time() * 1000))
    first, last = batch.span(tenant)
    for asked in questions(tenant):
        try:
            answer = await live.figures(asked, tz, (first - MARGIN_MS, last + MARGIN_MS))
        except NotAnswered as why:
            report.refused[f"{','.join(asked.group_by) or 'all'} {asked.step} {asked.attribution}: {why}"] += 1
            continue
        report.skip(answer, DEFINED)
        report.take(asked, answer, batch)


def questions(tenant: str) -> Iterator[Asked]:
    """Every group, step and attribution at the usual threshold; every threshold for queues."""
    for group_by in filter(None, GROUPS):
        for step in STEPS:
            for attribution in ATTRIBUTIONS:
                yield Asked(tenant, group_by, step, attribution, TARGET_S)
    for threshold in THRESHOLDS_S:
        if threshold != TARGET_S:
            for step, attribution in (("15m", "cohort"), ("1d", "cohort"), ("15m", "event"), ("1d", "event")):
                yield Asked(tenant, ("queue",), step, attribution, threshold)


def _is(table: object, tenant: str) -> object:
    import pyarrow.compute as pc

    return pc.equal(table["tenant"], tenant)  # type: ignore[index]


def _tenants(facts: Facts) -> dict[str, str]:
    """Tenant -> the zone of its days, as its pools say it last."""
    names = {tenant for table in facts.tables.values() for tenant in table["tenant"].unique().to_pylist()}
    days = facts.tables["pool_day_started"].select(["tenant", "recorded", "time_zone"]).to_pylist()
    zones = {
        row["tenant"]: row["time_zone"] for row in sorted(days, key=lambda row: row["recorded"]) if row["time_zone"]
    }
    return {name: zones.get(name, "Asia/Shanghai") for name in sorted(names)}
