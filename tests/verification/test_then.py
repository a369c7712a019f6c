"""As of an instant: what live folds anew equals the batch of what had been recorded by then (AN-4, kernel rule 28)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import httpx2 as httpx
import pytest

from analytics import wiring
from analytics.app.past import Past
from analytics.app.questions import Questions
from analytics.bus.past import fold_past
from analytics.config import Settings
from analytics.projections.rows import StoredRows
from switchlog.clock import ManualClock
from switchlog.store.memory import MemoryStore
from switchlog.testing import TestIssuer
from switchlog.testing import test_settings as settings_for_tests

from . import then
from .compare import Report
from .day import Day, Published, fed, made
from .driving import TOPICS, delivered, partitioned
from .live import Live
from .logs import records
from .oracle.decode import decode
from .verifying import compare_then

LATER = 1_780_000_000_000
SHORT = Day(hours=5, contacts_an_hour=120, agents=10)


def past(said: Sequence[Published]) -> Past:
    """Answers from ``said`` alone, in three partitions a topic."""
    logs = partitioned(records(said), 3)

    async def missing(record: Any, last: int) -> Any:
        raise AssertionError(f"a hole in {record.key!r} after version {last}: none was made")

    async def replay(tenant: str, at: int) -> StoredRows:
        rows = StoredRows(MemoryStore().views, "s1", "g")

        async def batches() -> Any:
            for where, some in logs.items():
                yield where, delivered(where, some)

        known = await fold_past(wiring._kinds(TOPICS, rows), batches(), missing, tenant, at)
        await rows.fresh(dict.fromkeys(known, at))
        return rows

    empty = StoredRows(MemoryStore().views, "s1", "g")
    return Past(Questions(empty, ManualClock(LATER), "Asia/Shanghai"), replay)


async def compared(said: Sequence[Published], answering: Past | None = None) -> Report:
    """Every question of then, asked over HTTP in this process."""
    answering, issuer, report = answering or past(said), TestIssuer(), Report()

    async def ready() -> dict[str, bool]:
        return {"store": True}

    kernel: Any = SimpleNamespace(settings=settings_for_tests("analytics"), ready=ready)
    app = wiring.app(Settings(kernel.settings, "r1"), kernel, answering.questions, issuer.verifier, past=answering)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as http:
        live = Live(http, "http://test", lambda tenant: issuer.issue("ann", ["analyst"], tenant=tenant))
        await compare_then(report, decode(records(said)), live)
    return report


@pytest.mark.parametrize("said", [made(SHORT), fed.made(hours=3, calls=90)], ids=["own", "fed"])
def test_figures_of_then_equal_the_batch_of_what_had_been_recorded(said: Sequence[Published]) -> None:
    found = asyncio.run(compared(said))
    assert found.compared > 1000 and not found.refused
    assert not found.differences, "\n".join(map(str, found.differences[:20]))


def test_an_answer_of_another_instant_would_be_seen() -> None:
    """An hour too late."""
    said = made(SHORT)
    right, late = past(said), past(said)

    async def replay(tenant: str, at: int) -> Any:
        return await right._stored(tenant, at + 3_600_000)

    object.__setattr__(late, "replay", replay)
    assert len(asyncio.run(compared(said, late)).differences) > 100


def test_instants_are_of_the_log_and_know_its_facts_up_to_them() -> None:
    tables = decode(records(made(SHORT))).tables
    found = then.instants(tables)
    assert len(found) == len(then.SHARES)
    sizes = [sum(map(len, then.known(tables, at).values())) for at in found]
    whole = sum(map(len, tables.values()))
    assert [round(size / whole, 2) for size in sizes] == list(then.SHARES)
    assert then.instants({name: table[:0] for name, table in tables.items()}) == []
