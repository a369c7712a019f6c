"""The rows on the output topics: the newest of each key beside the batch (promises of a compacted topic)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from contactcenter.agent.v1.events_pb2 import AgentState
from contactcenter.analytics.v1.rows_pb2 import AgentTimeRow, Attribution, ServiceLevelRow, Step
from contactcenter.contact.v1.types_pb2 import Channel

from .compare import Difference, Report
from .oracle.recompute import FLAGS, Asked, Batch
from .oracle.topics import Record

LEVELS, TIMES = "analytics.service-levels.v1", "analytics.agent-time.v1"
COUNTS = (
    *(
        "offered",
        "answered",
        "abandoned",
        "short_abandoned",
        "flowed_out",
        "callback",
        "timed_out",
        "blocked",
        "failed",
    ),
    *("waiting", "transferred", "wait_answered_ms", "wait_accepted_ms", "wait_abandoned_ms", "talk_ms", "hold_ms"),
    *("wrap_up_ms", "trunk_ms", "handled", "trunk_seizures", "offers", "offers_declined", "offers_expired", "started"),
    *("system_connected", "complaints", "blocked_unqueued", "answered_by_system"),
)
WITHIN = {
    "answered_in": "answered_in_threshold",
    "abandoned_in": "abandoned_in_threshold",
    "removed_in": "removed_in_threshold",
}
TIMES_MS = ("signed_in_ms", "ready_ms", "busy_ms")


def newest(records: Iterable[Record], message: Any) -> dict[bytes, Any]:
    """Key -> the row of the greatest revision, of equal ones the last."""
    found: dict[bytes, Any] = {}
    for record in records:
        row = message.FromString(record.value)
        if record.key not in found or found[record.key].revision <= row.revision:
            found[record.key] = row
    return found


def compare_levels(report: Report, rows: Mapping[bytes, ServiceLevelRow], batch: Batch, tenant: str) -> None:
    """Every row of ``tenant``: counts, sums, counts within each threshold; and that no interval is without one."""
    tables: dict[Asked, dict[Any, dict[str, Any]]] = {}
    said, flags, ended = set(), batch.quarter_flags(tenant), batch.ended(tenant)
    for row in (one for one in rows.values() if one.tenant_id == tenant):
        key = (row.start.ToMilliseconds(), row.queue, _word(Channel.Name(row.channel)))
        asked = _asked(tenant, row, 20)
        said.add((asked, key))
        _cells(report, batch, asked, key, row, _meant(tables, batch, asked, key), {name: name for name in COUNTS})
        told = flags.get((row.queue, key[0]), {}) if asked.attribution == "cohort" else {}
        # a fed quarter hour in which nobody asked for an agent is final by its sources' time alone
        alone = not told and asked.attribution == "cohort" and _sources(row.pool) and _sources(row.pool) <= ended
        for name in FLAGS:
            _cell(report, asked, key, f"topic {name}", getattr(row, name), told.get(name, bool(alone)))
        for within in row.thresholds:
            asked = _asked(tenant, row, within.threshold_s)
            if asked.threshold_s in batch.thresholds_s:
                _cells(report, batch, asked, key, within, _meant(tables, batch, asked, key), WITHIN)
    asked = Asked(tenant, ("queue", "channel"), "15m", "cohort", 20)
    for key, meant in batch.figures(asked).items():
        report.compared += 1
        if meant["offered"] and (asked, key) not in said:
            report.differences.append(Difference(asked, key, f"row on {LEVELS}", None, meant["offered"]))


def _sources(pool: str) -> set[str]:
    """The sources that feed a queue of ``pool``, such as ``feed:a feed:b``; none of a pool of our own."""
    return {one.removeprefix("feed:") for one in pool.split() if one.startswith("feed:")}


def compare_times(report: Report, rows: Mapping[bytes, AgentTimeRow], batch: Batch, tenant: str) -> None:
    """Every agent's day that has spans: its sums, and that the spans partition it."""
    asked = Asked(tenant, ("agent",), "1d", "event", 20)
    table = batch.figures(asked)
    days = {(row.agent, row.day): row for row in rows.values() if row.tenant_id == tenant}
    for key, meant in table.items():
        row = days.get((key[1], batch.local_day(key[0])))
        if row is None:
            if meant["signed_in_ms"]:
                report.differences.append(Difference(asked, key, f"row on {TIMES}", None, meant["signed_in_ms"]))
            continue
        _cells(report, batch, asked, key, row, meant, {name: name for name in TIMES_MS})
        ended = sum(one.end.ToMilliseconds() - one.start.ToMilliseconds() for one in row.spans if one.HasField("end"))
        signed_in = [one for one in row.spans if one.state == AgentState.AGENT_STATE_SIGNED_OUT]
        _cell(report, asked, key, "sum of spans", ended, row.signed_in_ms)
        _cell(report, asked, key, "spans signed out", len(signed_in), 0)


def _meant(tables: dict[Asked, Any], batch: Batch, asked: Asked, key: Any) -> dict[str, Any]:
    if asked not in tables:
        tables[asked] = batch.figures(asked)
    found: dict[str, Any] = tables[asked].get(key, {})
    return found


def _cells(
    report: Report, batch: Batch, asked: Asked, key: Any, row: Any, meant: dict[str, Any], names: Mapping[str, str]
) -> None:
    for name, of_batch in names.items():
        if not _cell(report, asked, key, f"topic {name}", getattr(row, name), meant.get(of_batch) or 0):
            told = tuple(batch.contacts(asked, key, of_batch)) if len(report.differences) < 50 else ()
            report.differences[-1] = replace(report.differences[-1], contacts=told)


def _cell(report: Report, asked: Asked, key: Any, name: str, live: Any, batch: Any) -> bool:
    report.compared += 1
    report.by_family["topic rows"] += 1
    if live != batch:
        report.differences.append(Difference(asked, key, name, live, batch))
    return bool(live == batch)


def _asked(tenant: str, row: ServiceLevelRow, threshold_s: int) -> Asked:
    attribution = _word(Attribution.Name(row.attribution))
    return Asked(tenant, ("queue", "channel"), _word(Step.Name(row.step)), attribution, threshold_s)


def _word(name: str) -> str:
    """``CHANNEL_VOICE`` -> ``voice``."""
    return name.partition("_")[2].lower()
