"""A shift on its topic: live while it changes, final when the local day is over, the sums those of its spans."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import pytest

from analytics import wire
from analytics.app.agent_time import AgentTime
from analytics.app.folding import Folding
from analytics.domain.intervals import zone
from analytics.projections.rows import StoredRows
from contactcenter.agent.v1 import events_pb2 as pb
from contactcenter.analytics.v1.rows_pb2 import AgentTimeRow
from switchlog.clock import ManualClock
from switchlog.errors import NotNow
from switchlog.outlet import Record
from switchlog.store.memory import MemoryStore

from .folds import deliver
from .people import People, opened
from .scene import NOON, TENANT, S
from .test_ledger import ANN, MIN, a_shift

HOUR = 60 * MIN
MIDNIGHT = NOON + 4 * HOUR  # in Shanghai


@dataclass
class Desk:
    """A folding of agents, its publisher, and what was sent."""

    log: People
    folding: Folding
    publisher: AgentTime
    clock: ManualClock
    sent: list[Record]
    evicted: list
    away: list[bool] = field(default_factory=list)

    async def tick(self, passed_ms: int = 1000) -> list[AgentTimeRow]:
        await deliver(self.folding, self.log.records)
        self.publisher.changed.update(self.folding.changed_days)
        self.folding.changed_days = set()
        before = len(self.sent)
        self.clock.advance(passed_ms)
        await self.publisher.tick()
        return [AgentTimeRow.FromString(record.value) for record in self.sent[before:]]


async def desk_of(log: People) -> Desk:
    views, clock, sent, away, evicted = MemoryStore().views, ManualClock(NOON), [], [], []

    async def send(records) -> None:
        if away:
            raise NotNow("BUS_AWAY")
        sent.extend(records)

    async def zone_of(tenant: str, pool: str):
        return zone("Asia/Shanghai")

    folding = await opened(views, log)
    rows = StoredRows(views, "s1", "g")
    publisher = AgentTime(rows, clock, wire.shift_record, send, zone_of, evicted.append)
    return Desk(log, folding, publisher, clock, sent, evicted, away)


@pytest.fixture
async def desk() -> Desk:
    return await desk_of(a_shift())


async def test_a_row_carries_the_ledger_and_its_sums(desk: Desk) -> None:
    (row,) = await desk.tick()
    assert desk.sent[0].key.decode() == f"{TENANT}/ann/2025-11-24"
    assert (row.day, row.time_zone, row.team, row.pool, row.final) == (
        "2025-11-24",
        "Asia/Shanghai",
        "t1",
        "front",
        False,
    )
    assert (row.signed_in_ms, row.checked_in_ms, row.busy_ms) == (41 * MIN, 39 * MIN, 21 * MIN + 1)
    assert sum(one.duration_ms for one in row.sums) == row.signed_in_ms
    assert row.first_signed_in.ToMilliseconds() == NOON
    assert row.last_signed_out.ToMilliseconds() == NOON + 41 * MIN
    ends = [(span.start.ToMilliseconds(), span.end.ToMilliseconds()) for span in row.spans]
    assert all(end == begin for (_, end), (begin, _) in pairwise(ends))
    assert (row.handled, row.wrap_up_ms, row.slot_ms, row.chat_busy_ms) == (2, MIN + 1, 31 * MIN + 1, 21 * MIN + 1)


async def test_the_span_that_goes_on_has_no_end_and_is_in_no_sum() -> None:
    log = People("agent")
    log.say(NOON, "ann", agent_signed_in=pb.AgentSignedIn(**ANN))
    log.say(NOON + MIN, "ann", agent_checked_in=pb.AgentCheckedIn(**ANN))
    (row,) = await (await desk_of(log)).tick()
    assert [(span.state, span.HasField("end")) for span in row.spans] == [
        (pb.AGENT_STATE_SIGNED_IN, True),
        (pb.AGENT_STATE_NOT_READY, False),
    ]
    assert row.signed_in_ms == MIN and not row.HasField("last_signed_out")


async def test_the_row_is_final_when_the_local_day_is_over_and_sent_once_more_a_minute_later(desk: Desk) -> None:
    (live,) = await desk.tick()
    assert await desk.tick() == []
    (row,) = await desk.tick(4 * HOUR)
    assert row.final and row.revision > live.revision
    again = [(n, rows[0].revision) for n in range(90) if (rows := await desk.tick())]
    assert again == [(59, row.revision)]
    assert (TENANT, "ann", NOON - 12 * HOUR) in desk.evicted


async def test_who_works_over_midnight_has_two_days_that_add_up() -> None:
    log = People("agent")
    log.say(MIDNIGHT - MIN, "ann", agent_signed_in=pb.AgentSignedIn(**ANN))
    desk = await desk_of(log)
    (row,) = await desk.tick(5 * HOUR)
    assert not row.final and not row.sums  # still signed in, and not heard of since
    log.say(MIDNIGHT + MIN, "ann", team_assigned=pb.TeamAssigned(agent="ann", pool="front", team="t1"))
    log.say(MIDNIGHT + 2 * MIN, "ann", agent_signed_out=pb.AgentSignedOut(**ANN))
    found = {row.day: (row.signed_in_ms, row.final) for row in await desk.tick()}
    assert found == {"2025-11-24": (MIN, True), "2025-11-25": (2 * MIN, False)}


async def test_a_day_is_known_once_the_agent_was_heard_of_after_it() -> None:
    log = People("agent")
    log.say(MIDNIGHT - MIN, "ann", agent_signed_in=pb.AgentSignedIn(**ANN))
    log.say(MIDNIGHT - S, "ann", agent_checked_in=pb.AgentCheckedIn(**ANN))
    desk = await desk_of(log)
    await desk.tick(5 * HOUR)
    log.say(MIDNIGHT + MIN, "ann", help_requested=pb.HelpRequested(**ANN))
    rows = {row.day: row for row in await desk.tick(60_000)}
    first = rows["2025-11-24"]
    assert first.final and first.signed_in_ms == MIN
    assert [(span.state, span.HasField("end")) for span in first.spans] == [
        (pb.AGENT_STATE_SIGNED_IN, True),
        (pb.AGENT_STATE_NOT_READY, True),
    ]


async def test_what_cannot_be_sent_now_is_sent_when_the_broker_is_back(desk: Desk) -> None:
    desk.away.append(True)
    assert await desk.tick() == []
    desk.away.clear()
    assert len(await desk.tick()) == 1


async def test_days_are_sent_at_once_after_a_takeover_and_again_fifteen_seconds_later(desk: Desk) -> None:
    await desk.tick()
    heir = await opened(desk.publisher.rows.views, desk.log)
    desk.publisher.changed.clear()
    desk.publisher.assigned(heir.board.counters.days)
    sent = [n for n in range(30) if await desk.tick()]
    assert sent == [0, 14]
