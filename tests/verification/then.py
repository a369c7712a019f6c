"""Instants gone by, at which the same questions are asked once more: of what had been recorded by then alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pyarrow as pa
import pyarrow.compute as pc

from .oracle.recompute import Asked

SHARES = (0.25, 0.5, 0.8)
"""So much of what a tenant's log holds had been recorded."""
GROUPS: tuple[tuple[str, ...], ...] = (("queue",), ("queue", "channel"), ("agent",), ("team",), ())
STEPS = ("15m", "1d")
THRESHOLD_S = 20
MOST_TENANTS = 4
MOST_RECORDS = 1_000_000
"""Live folds no more anew than it is set to, or only what was published soon after the instant."""

Tables = Mapping[str, pa.Table]


def instants(tables: Tables) -> list[int]:
    """Epoch milliseconds, in order; none of a log without facts."""
    recorded = pa.concat_arrays([chunk for table in tables.values() for chunk in table["recorded"].chunks])
    in_order = recorded.take(pc.sort_indices(recorded))
    return sorted({in_order[int(share * len(in_order))].as_py() for share in SHARES if len(in_order)})


def known(tables: Tables, at: int) -> dict[str, pa.Table]:
    """The facts that had been recorded by ``at``."""
    return {name: table.filter(pc.less_equal(table["recorded"], at)) for name, table in tables.items()}


def questions(tenant: str, at: int) -> Iterator[Asked]:
    """Fewer than of now: each instant is folded anew."""
    for group_by in GROUPS:
        for step in STEPS:
            for attribution in ("cohort", "event"):
                yield Asked(tenant, group_by, step, attribution, THRESHOLD_S, at)
