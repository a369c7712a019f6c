"""Facts into figures: runs the definitions (``sql/*.sql``, in the order of their names) and hands out rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa

from .calendar import calendar

SQL = Path(__file__).parent / "sql"
THRESHOLDS_S = (5, 10, 15, 20, 25, 30, 45, 60, 90, 120, 180, 240, 300, 600)
GROUPS = {
    ("queue",): 0b0111,
    ("channel",): 0b1011,
    ("queue", "channel"): 0b0011,
    ("agent",): 0b1101,
    ("team",): 0b1110,
    ("queue", "agent"): 0b0101,
    (): 0b1111,
}
"""What may be grouped by -> DuckDB's ``grouping_id(queue, channel, agent, team)``."""

FLAGS = ("verdicts_final", "final", "durations_final")

Key = tuple[Any, ...]
"""(start in epoch ms, the values grouped by)."""


@dataclass(frozen=True)
class Asked:
    """One table of figures: a group, a step, an attribution, a threshold; ``as_of`` an instant gone by, or of now."""

    tenant: str
    group_by: tuple[str, ...]
    step: str
    attribution: str
    threshold_s: int
    as_of: int | None = None


@dataclass(frozen=True)
class Batch:
    """Every figure of the facts, in an in-memory database of its own."""

    db: duckdb.DuckDBPyConnection
    tz: str
    thresholds_s: Sequence[int]

    def local_day(self, at: int) -> str:
        """YYYY-MM-DD, by local time."""
        return datetime.fromtimestamp(at / 1000, ZoneInfo(self.tz)).date().isoformat()

    def tenants(self) -> list[str]:
        found = self.db.execute("select distinct tenant from points union select distinct tenant from spans order by 1")
        return [tenant for (tenant,) in found.fetchall()]

    def span(self, tenant: str) -> tuple[int, int]:
        """The first and the last instant that anything counts in, epoch milliseconds."""
        found = self.db.execute(
            """select min(a), max(b) from (
                select cohort_at as a, coalesce(event_at, cohort_at) as b from points where tenant = $1
                union all select start, end_ from spans where tenant = $1)""",
            [tenant],
        )
        first, last = found.fetchall()[0]
        return first or 0, last or 0

    def figures(self, asked: Asked) -> dict[Key, dict[str, Any]]:
        """Key -> name -> value: counts, ``<sum>_ms``, figures and percentiles (seconds), of rows with a whole key."""
        where = [asked.tenant, asked.step, asked.attribution, GROUPS[asked.group_by]]
        found: dict[Key, dict[str, Any]] = {}
        same = "tenant = $1 and step = $2 and attribution = $3 and groups = $4"
        tables = {
            "figures": (f"{same} and threshold_s = $5", [*where, asked.threshold_s]),
            "percentiles": (same, where),
        }
        for table, (condition, values) in tables.items():
            for row in _rows(self.db.execute(f"select * from {table} where {condition}", values)):
                key = (row["start"], *(row[name] for name in asked.group_by))
                if None not in key:
                    found.setdefault(key, {}).update(row)
        return self._flagged(asked, found)

    def _flagged(self, asked: Asked, rows: dict[Key, dict[str, Any]]) -> dict[Key, dict[str, Any]]:
        """With what is final; of event rows nothing ever is, and of contacts never queued neither."""
        told = self._flags(asked) if asked.attribution == "cohort" else {}
        for key, row in rows.items():
            queue = key[1 + asked.group_by.index("queue")] if "queue" in asked.group_by else None
            row.update(dict.fromkeys(FLAGS, False) | told.get((key[0], queue), {}))
        return rows

    def _flags(self, asked: Asked) -> dict[tuple[int, str | None], dict[str, bool]]:
        """(start, queue; ``None``: all of them) -> flags."""
        found = self.db.execute(
            "select * from flags where tenant = $1 and step = $2 and threshold_s = $3",
            [asked.tenant, asked.step, asked.threshold_s],
        )
        return {(row["start"], row["queue"] or None): {name: row[name] for name in FLAGS} for row in _rows(found)}

    def quarter_flags(self, tenant: str) -> dict[tuple[str, int], dict[str, bool]]:
        """(queue, start) -> what the facts alone say of a cohort in which somebody asked for an agent."""
        found = self.db.execute("select * from quarter_flags where tenant = $1 and offered > 0", [tenant])
        return {(row["queue"], row["start"]): {name: row[name] for name in FLAGS} for row in _rows(found)}

    def ended(self, tenant: str) -> set[str]:
        """The sources that said that they had given all."""
        return {
            source
            for (source,) in self.db.execute("select source from fed_ended where tenant = $1", [tenant]).fetchall()
        }

    def lines(self, tenant: str) -> dict[str, tuple[int, int | None]]:
        """Queue -> how many wait in it, since when the first of them; of every queue that a pool has."""
        found = self.db.execute(
            """select q.queue, count(s.contact), min(s.t_enq)
            from (select distinct definition_queue as queue from queue_defined where tenant = $1 and not removed) q
                left join stays s on s.tenant = $1 and s.queue = q.queue and s.outcome is null
            group by q.queue""",
            [tenant],
        )
        return {queue: (count, since) for queue, count, since in found.fetchall()}

    def contacts(self, asked: Asked, key: Key, name: str) -> list[str]:
        """Some of the contacts that make up a count or a sum."""
        columns = " and ".join(f"{column} = ?" for column in asked.group_by) or "true"
        found = self.db.execute(
            f"""select distinct unnest(contacts) from sums where tenant = ? and step = ? and attribution = ?
                and groups = ? and start = ? and name = ? and {columns} limit 20""",
            [asked.tenant, asked.step, asked.attribution, GROUPS[asked.group_by], key[0], _source(name), *key[1:]],
        )
        return sorted(contact for (contact,) in found.fetchall() if contact)


def recompute(
    tables: Mapping[str, pa.Table],
    tz: str,
    now: int,
    thresholds_s: Sequence[int] = THRESHOLDS_S,
    steps: Iterable[str] = (),
) -> Batch:
    """All figures of ``tables`` by local time in ``tz``; ``now`` (epoch ms) is when those who wait are looked at."""
    db = duckdb.connect(":memory:", config={"threads": 2})
    db.execute("set enable_progress_bar = false")
    _with_fed(db, tables)
    db.register("clocks", _clocks(tables.values()))
    db.execute("set variable now = $1::bigint", [now])
    db.register("thresholds", pa.table({"threshold_s": pa.array(thresholds_s, pa.int64())}))
    scripts = sorted(SQL.glob("*.sql"))
    for script in scripts:
        if script.name.startswith("50"):  # from here on by interval
            db.register("calendar", _only(calendar(tz, *_span(db)), steps))
        db.execute(script.read_text())
    return Batch(db, tz, thresholds_s)


def _with_fed(db: duckdb.DuckDBPyConnection, tables: Mapping[str, pa.Table]) -> None:
    """Every fact's table, and in it what was fed, in the words of that fact (``fed.sql``)."""
    for name, table in tables.items():
        db.register(name, table)
    db.execute((SQL.parent / "fed.sql").read_text())
    told = {name.removeprefix("fed_") for (name,) in db.execute("select table_name from duckdb_tables()").fetchall()}
    for name in told & tables.keys():
        both = db.sql(f"select * from {name} union all by name select * from fed_{name}").to_arrow_table()
        db.unregister(name)
        db.register(name, both)


def _clocks(tables: Iterable[pa.Table]) -> pa.Table:
    """When the last fact of each stream was recorded: time as the log tells it."""
    told = pa.concat_tables([table.select(["tenant", "stream", "recorded"]) for table in tables])
    found = told.group_by(["tenant", "stream"]).aggregate([("recorded", "max")])
    return found.rename_columns(["tenant", "stream", "clock"])


def _span(db: duckdb.DuckDBPyConnection) -> tuple[int, int]:
    found = db.execute(
        """select min(a), max(b) from (
            select cohort_at as a, coalesce(event_at, cohort_at) as b from points
            union all select start, end_ from spans)"""
    ).fetchall()[0]
    return (found[0], found[1]) if found[0] is not None else (0, 0)


def _only(table: pa.Table, steps: Iterable[str]) -> pa.Table:
    import pyarrow.compute as pc

    wanted = list(steps)
    return table.filter(pc.is_in(table["step"], pa.array(wanted))) if wanted else table


def _source(name: str) -> str:
    """The contribution behind a cell's name: ``answered_in_threshold`` is made of ``answered``."""
    return name.removesuffix("_in_threshold").removesuffix("_ms")


def _rows(found: duckdb.DuckDBPyConnection) -> Iterator[dict[str, Any]]:
    names = [column[0] for column in found.description or ()]
    for row in found.fetchall():
        yield dict(zip(names, row, strict=True))
