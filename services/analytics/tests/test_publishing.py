"""Service levels on their topic: live while they change, final once, again after a takeover."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field

import pytest
from hdrh.histogram import HdrHistogram

from analytics import wire
from analytics.app.folding import Folding
from analytics.app.publishing import Publisher
from contactcenter.analytics.v1.rows_pb2 import ATTRIBUTION_COHORT, ServiceLevelRow
from switchlog.clock import ManualClock
from switchlog.errors import NotNow
from switchlog.outlet import Record
from switchlog.store.memory import MemoryStore

from .folds import deliver, opened
from .scene import NOON, TENANT, Log, S

KEY = (TENANT, "sales", NOON, "cohort")


@dataclass
class Desk:
    """A folding, its publisher, and what was sent."""

    log: Log
    folding: Folding
    publisher: Publisher
    clock: ManualClock
    sent: list[Record]
    away: list[bool] = field(default_factory=list)
    attribution: int = ATTRIBUTION_COHORT

    async def tick(self) -> list[ServiceLevelRow]:
        """A second passes."""
        await deliver(self.folding, self.log.records)
        self.publisher.changed.update(self.folding.changed)
        self.folding.changed = set()
        before = len(self.sent)
        self.clock.advance(1000)
        await self.publisher.tick()
        rows = [ServiceLevelRow.FromString(record.value) for record in self.sent[before:]]
        return [row for row in rows if row.attribution == self.attribution]


@pytest.fixture
async def desk() -> Desk:
    log, clock, sent, away = Log(), ManualClock(NOON), [], []
    folding, _ = await opened(MemoryStore().views, log)

    async def send(records) -> None:
        if away:
            raise NotNow("BUS_AWAY")
        sent.extend(records)

    publisher = Publisher(folding.rows.rows, clock, wire.level_record, send, folding.board.evict)
    return Desk(log, folding, publisher, clock, sent, away)


async def test_a_row_carries_all_counts_and_can_be_rolled_up(desk: Desk) -> None:
    desk.log.defined(NOON, short_abandon_ms=5000, thresholds_s=[10, 20])
    for n, waited in enumerate((3, 12, 30)):
        desk.log.waits(NOON, f"c{n}")
        desk.log.leaves(NOON + waited * S, f"c{n}", NOON, accepted_at=NOON + waited * S // 2)
    desk.log.waits(NOON, "b")
    desk.log.leaves(NOON + 4 * S, "b", NOON, "short_abandoned")
    (row,) = await desk.tick()
    keys = [record.key.decode() for record in desk.sent]
    assert keys == [f"{TENANT}/sales/chat/15m/{of}/2025-11-24T12:00:00.000Z" for of in ("cohort", "event")]
    assert (row.offered, row.answered, row.abandoned, row.short_abandoned, row.waiting) == (4, 3, 1, 1, 0)
    found = [
        (one.threshold_s, one.answered_in, one.abandoned_in, one.removed_in, one.answered_accept_in)
        for one in row.thresholds
    ]
    assert found == [(10, 1, 1, 2, 2), (20, 2, 1, 3, 3)]
    assert (row.wait_answered_ms, row.wait_accepted_ms, row.wait_abandoned_ms) == (45_000, 22_500, 4_000)
    assert (row.target_threshold_s, row.short_abandon_s, row.pool) == (20, 5, "front")
    histogram = HdrHistogram.decode(base64.b64encode(row.wait_histogram))
    assert histogram.total_count == 4
    assert not row.verdicts_final and not row.final


async def test_nothing_is_sent_while_nothing_changes(desk: Desk) -> None:
    desk.log.waits(NOON, "c1")
    desk.log.leaves(NOON + S, "c1", NOON)
    assert len(await desk.tick()) == 1
    assert await desk.tick() == []


async def test_the_revision_rises_with_facts_and_with_thresholds_that_pass(desk: Desk) -> None:
    desk.log.defined(NOON, thresholds_s=[2, 20])
    desk.log.waits(NOON, "c1")
    first = await desk.tick()
    assert await desk.tick() == []  # exactly 2 s: not over yet
    second = await desk.tick()
    desk.log.waits(NOON + 3 * S, "c2")
    third = await desk.tick()
    assert [row.thresholds[0].waiting_over for row in (first[0], second[0])] == [0, 1]
    assert first[0].revision < second[0].revision < third[0].revision


async def test_a_final_row_is_sent_once_more_a_minute_later_and_then_let_go(desk: Desk) -> None:
    """Rule 27: a late zombie must not win on a compacted topic."""
    desk.log.waits(NOON, "c1")
    desk.log.leaves(NOON + S, "c1", NOON, "abandoned")
    desk.log.final(NOON + 920 * S, NOON + 900 * S)
    (row,) = await desk.tick()
    assert row.verdicts_final and row.final and not row.durations_final
    assert all(one.verdicts_final for one in row.thresholds)
    again = [(n, rows[0].revision) for n in range(90) if (rows := await desk.tick())]
    assert again == [(59, row.revision)]
    assert KEY not in desk.folding.board.counters.cells


async def test_verdicts_are_final_only_for_thresholds_up_to_the_facts(desk: Desk) -> None:
    desk.log.waits(NOON, "c1")
    desk.log.final(NOON + 920 * S, NOON + 900 * S, threshold_s=20)
    (row,) = await desk.tick()
    assert row.verdicts_final and not row.final
    assert {one.threshold_s for one in row.thresholds if one.verdicts_final} == {5, 10, 15, 20}


async def test_open_rows_are_sent_at_once_after_a_takeover_and_again_fifteen_seconds_later(desk: Desk) -> None:
    desk.log.waits(NOON, "c1")
    desk.log.leaves(NOON + S, "c1", NOON)
    await desk.tick()
    heir, _ = await opened(desk.folding.rows.rows.views, desk.log)
    desk.publisher.changed.clear()
    desk.publisher.assigned(heir.board.counters.cells)
    sent = [n for n in range(30) if await desk.tick()]
    assert sent == [0, 14]


async def test_what_cannot_be_sent_now_is_sent_when_the_broker_is_back(desk: Desk) -> None:
    desk.log.waits(NOON, "c1")
    desk.away.append(True)
    assert await desk.tick() == []
    assert await desk.tick() == []
    desk.away.clear()
    assert len(await desk.tick()) == 1


async def test_two_channels_are_two_rows(desk: Desk) -> None:
    desk.log.waits(NOON, "c1")
    desk.log.waits(NOON, "c2", channel="voice")
    rows = await desk.tick()
    keys = [record.key.decode().split("/") for record in desk.sent]
    assert sorted(key[2] for key in keys if key[4] == "cohort") == ["chat", "voice"]
    assert [row.offered for row in rows] == [1, 1]


async def test_cells_of_a_partition_that_went_elsewhere_are_not_published_here_any_more(desk: Desk) -> None:
    desk.log.waits(NOON, "c1")
    await desk.tick()
    desk.publisher.revoked(desk.folding.board.counters.cells)
    assert not any([await desk.tick() for _ in range(20)])
