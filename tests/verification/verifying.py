"""The round: read the topics, recompute, ask live everything, compare; again while live is still catching up."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from contactcenter.analytics.v1.rows_pb2 import AgentTimeRow, ServiceLevelRow

from . import outputs, then
from .compare import AS_OF, DEFINED, Report
from .live import Live, NotAnswered, milliseconds
from .oracle.decode import Facts, decode
from .oracle.recompute import GROUPS, THRESHOLDS_S, Asked, Batch, recompute
from .oracle.topics import read

STEPS = ("15m", "30m", "1h", "1d", "1w", "1mo")
ATTRIBUTIONS = ("cohort", "event")
TARGET_S = 20
MARGIN_MS = 86_400_000
PATIENCE_S = 90.0
ROUNDS_MOST = 4


@dataclass(frozen=True)
class Outcome:
    """The last round, and how long live took until it agreed."""

    report: Report
    tenants: int
    records: int
    repeats: int
    seconds: float


async def verify(bootstrap: str, live: Live, tz: str = "", patience_s: float = PATIENCE_S) -> Outcome:
    """Compare until nothing differs, or until ``patience_s`` is over and two rounds in a row differ in the same."""
    began, before = time.monotonic(), None
    while True:
        contents = await read(bootstrap)
        facts = await asyncio.to_thread(decode, contents.records)
        found = await compared(facts, bootstrap, live, tz)
        if not found.report.differences:
            await compare_then(found.report, facts, live, tz)
        differences, took = list(map(str, found.report.differences)), time.monotonic() - began
        if not differences or (differences == before and took > patience_s) or took > ROUNDS_MOST * patience_s:
            return Outcome(found.report, found.tenants, facts.records, facts.repeats, took)
        before = differences
        await asyncio.sleep(1)


async def compared(facts: Facts, bootstrap: str, live: Live, tz: str = "") -> Outcome:
    """One round over every tenant and every question."""
    report, tenants = Report(), _tenants(facts)
    batches: dict[str, Batch] = {}
    for tenant, zone in tenants.items():
        now = round(time.time() * 1000)
        batches[tenant] = await asyncio.to_thread(recompute, _of(facts, tenant), tz or zone, now)
        await _ask(report, batches[tenant], tenant, live, questions(tenant))
    rows = (await read(bootstrap, (outputs.LEVELS, outputs.TIMES))).records  # last: they are published behind the rows
    levels = outputs.newest((one for one in rows if one.topic == outputs.LEVELS), ServiceLevelRow)
    times = outputs.newest((one for one in rows if one.topic == outputs.TIMES), AgentTimeRow)
    for tenant, batch in batches.items():
        outputs.compare_levels(report, levels, batch, tenant)
        outputs.compare_times(report, times, batch, tenant)
    return Outcome(report, len(tenants), facts.records, facts.repeats, 0.0)


async def compare_then(report: Report, facts: Facts, live: Live, tz: str = "") -> None:
    """As of some instants of the tenants with the most facts; of too many records nothing."""
    if facts.records > then.MOST_RECORDS:
        report.refused[f"as of any instant: there are {facts.records} records to fold"] += 1
        return
    tenants = _tenants(facts)
    tables = {tenant: _of(facts, tenant) for tenant in tenants}
    largest = sorted(tenants, key=lambda tenant: (-sum(map(len, tables[tenant].values())), tenant))
    for tenant in largest[: then.MOST_TENANTS]:
        for at in then.instants(tables[tenant]):
            told = then.known(tables[tenant], at)
            batch = await asyncio.to_thread(recompute, told, tz or tenants[tenant], at, (then.THRESHOLD_S,), then.STEPS)
            await _ask(report, batch, tenant, live, then.questions(tenant, at), at)


def _of(facts: Facts, tenant: str) -> dict[str, pa.Table]:
    return {name: table.filter(pc.equal(table["tenant"], tenant)) for name, table in facts.tables.items()}


async def _ask(
    report: Report, batch: Batch, tenant: str, live: Live, questions: Iterable[Asked], as_of: int | None = None
) -> None:
    first, last = batch.span(tenant)
    when = "" if as_of is None else f" {AS_OF}"
    for asked in questions:
        try:
            answer = await live.figures(asked, batch.tz, (first - MARGIN_MS, last + MARGIN_MS))
        except NotAnswered as why:
            report.refused[f"{','.join(asked.group_by) or 'all'} {asked.step} {asked.attribution}{when}: {why}"] += 1
            continue
        report.skip(answer, DEFINED)
        report.take(asked, answer, batch)
    try:
        await _look(report, batch, tenant, live, as_of)
    except NotAnswered as refusal:
        report.refused[f"now{when}: {refusal}"] += 1


async def _look(report: Report, batch: Batch, tenant: str, live: Live, as_of: int | None) -> None:
    days = batch.figures(Asked(tenant, ("queue",), "1d", "cohort", TARGET_S))
    for queue, line in batch.lines(tenant).items():
        told = await live.now(tenant, queue, as_of)
        day = batch.local_day(milliseconds(told["at"]))
        today = [row for (start, of), row in days.items() if of == queue and batch.local_day(start) == day]
        report.look(tenant, told, line, today[0] if today else {}, as_of)


def questions(tenant: str) -> Iterator[Asked]:
    """Every group, step and attribution at the usual threshold; every threshold for queues."""
    for group_by in GROUPS:
        for step in STEPS:
            for attribution in ATTRIBUTIONS:
                yield Asked(tenant, group_by, step, attribution, TARGET_S)
    for threshold in THRESHOLDS_S:
        if threshold != TARGET_S:
            for step, attribution in (("15m", "cohort"), ("1d", "cohort"), ("15m", "event"), ("1d", "event")):
                yield Asked(tenant, ("queue",), step, attribution, threshold)


def _tenants(facts: Facts) -> dict[str, str]:
    """Tenant -> the zone of its days, as its pools say it last."""
    names = {tenant for table in facts.tables.values() for tenant in table["tenant"].unique().to_pylist()}
    days = facts.tables["pool_day_started"].select(["tenant", "recorded", "time_zone"]).to_pylist()
    zones = {
        row["tenant"]: row["time_zone"] for row in sorted(days, key=lambda row: row["recorded"]) if row["time_zone"]
    }
    return {name: zones.get(name, "Asia/Shanghai") for name in sorted(names)}
