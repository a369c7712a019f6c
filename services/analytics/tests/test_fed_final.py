"""Fed rows on the topic of service levels: live while lines come, final by the source's time (kernel rule 29)."""

from __future__ import annotations

from dataclasses import dataclass, field

from analytics import wire
from analytics.app.agent_time import AgentTime
from analytics.app.closing import Closing
from analytics.app.folding import Folding
from analytics.app.publishing import Publisher
from analytics.domain.feed import Terms, streams_of
from analytics.domain.intervals import zone
from contactcenter.analytics.v1.rows_pb2 import ATTRIBUTION_COHORT, ServiceLevelRow
from switchlog.clock import ManualClock
from switchlog.envelope import StreamId
from switchlog.errors import NotNow
from switchlog.store.memory import MemoryStore

from .feeds import ANY, BEGAN, TENANT, Place, calls, line
from .scene import Rec
from .test_fed_fold import PARTITIONS, TOPIC, folding, rows_of
from .test_feed_figures import QUARTER, S, call

SOURCES = ("pbx", "pbx-2")


@dataclass
class Topic:
    """What reads a place's feeds, publishes, and what the topic holds: by key the row of the greatest revision."""

    place: Place = field(default_factory=Place)
    views: object = field(default_factory=lambda: MemoryStore().views)
    clock: ManualClock = field(default_factory=lambda: ManualClock(BEGAN + 8 * QUARTER))
    folds: list[Folding] = field(default_factory=list)
    held: dict[str, ServiceLevelRow] = field(default_factory=dict)
    log: dict[int, list[Rec]] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    away: bool = False
    publisher: Publisher = field(init=False)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """A new process: it knows what is stored."""
        rows = rows_of(self.views)
        closing = Closing(rows, lambda where: True)
        self.publisher = Publisher(rows, self.clock, wire.level_record, self.send, lambda key: None, closing=closing)
        self.folds = []

    async def send(self, records) -> None:
        if self.away:
            raise NotNow("BUS_AWAY")
        for record in records:
            row, key = ServiceLevelRow.FromString(record.value), record.key.decode()
            self.sent.append(key)
            if key not in self.held or row.revision >= self.held[key].revision:
                self.held[key] = row

    async def fold(self) -> None:
        """All that was fed; what changed waits for the next tick."""
        self.folds = self.folds or [await folding(self.views, number) for number in range(PARTITIONS)]
        for number, fold in enumerate(self.folds):
            await self._append(number)
            if rest := self.log[number][fold.board.next :]:
                await fold.take(rest)
            self.publisher.changed.update(fold.changed)
            fold.changed = set()

    async def _append(self, number: int) -> None:
        """What the streams of a partition tell beyond what it has."""
        here = self.log.setdefault(number, [])
        for name in [name for source in SOURCES for name in list(streams_of(source))[number::PARTITIONS]]:
            key = f"{TENANT}/{name}".encode()
            told = sum(record.key == key for record in here)
            for row in await self.place.store.events.read(StreamId(TENANT, name), after=told):
                here.append(Rec(TOPIC, number, len(here), key, row.value))

    async def tick(self, seconds: int = 1) -> list[str]:
        """Keys that were sent meanwhile."""
        before = len(self.sent)
        for _ in range(seconds):
            self.clock.advance(S)
            await self.publisher.tick()
        return self.sent[before:]

    async def fed(self, lines, terms=ANY, **more) -> None:
        await self.place.feed(lines, terms, **more)
        await self.fold()
        await self.tick()

    def rows(self) -> list[ServiceLevelRow]:
        """Cohort rows that count anything, by start."""
        found = [row for row in self.held.values() if row.attribution == ATTRIBUTION_COHORT and row.queue]
        return sorted((row for row in found if row.offered), key=lambda row: row.start.seconds)

    def finals(self) -> list[tuple[bool, bool, bool]]:
        return [(row.verdicts_final, row.final, row.durations_final) for row in self.rows()]


async def test_a_file_in_any_order_is_final_on_the_topic_at_its_end_and_not_before():
    here = Topic()
    await here.fed([*call("c1", 0), *call("c2", 5 * QUARTER)], more=True)
    assert here.finals() == [(False,) * 3, (False,) * 3]
    before = {key: row.revision for key, row in here.held.items()}
    await here.fed([], ends=["pbx"])
    assert [row.final and row.verdicts_final for row in here.rows()] == [True, True]
    assert all(one.verdicts_final for row in here.rows() for one in row.thresholds)
    assert all(row.revision > before[key] for key, row in here.held.items() if row in here.rows())


async def test_a_row_is_final_when_the_source_s_time_is_past_its_end_by_threshold_and_lateness():
    here, terms = Topic(), Terms(lateness_ms=120 * S)
    await here.fed([*call("c1", 10 * S), *call("c2", QUARTER)], terms)
    assert not any(row.verdicts_final for row in here.rows())
    over = QUARTER + 20 * S + 120 * S
    await here.fed([line("contact_held", over - 1, "c9")], terms)
    assert not any(row.verdicts_final for row in here.rows())
    await here.fed([line("contact_held", over + 61 * S, "c8")], terms)
    first, second = here.rows()
    assert first.verdicts_final and first.final and not second.verdicts_final
    assert {one.threshold_s for one in first.thresholds if one.verdicts_final} >= {5, 20, 60}


async def test_whoever_still_waits_keeps_a_row_open_until_he_leaves():
    here = Topic()
    await here.fed([line("contact_queued", 30 * S, "c1", queue="sales")])
    assert here.finals() == [(True, False, False)]
    await here.fed([line("contact_abandoned", 40 * S, "c1", queue="sales"), line("contact_ended", 40 * S, "c1")])
    assert here.finals() == [(True, True, True)]


async def test_a_file_that_is_fed_again_later_opens_only_what_it_changes():
    here = Topic()
    await here.fed([*call("c1", 0), *call("c2", 5 * QUARTER)])
    await here.fed(call("c3", 5 * QUARTER + S), more=True)
    assert [row.final for row in here.rows()] == [True, False]
    del here.sent[:]
    await here.fed([], ends=["pbx"])
    assert [row.final for row in here.rows()] == [True, True]
    assert not [key for key in here.sent if "12:00:00" in key]  # the first quarter hour is not said once more


async def test_a_process_that_begins_anew_says_final_what_another_left_open():
    here = Topic()
    await here.fed(calls(60), more=True)
    assert not any(row.final for row in here.rows())
    await here.place.feed([], ANY, ends=["pbx"])
    await here.fold()
    here.restart()
    await here.tick()
    assert here.rows() and all(row.final for row in here.rows())


async def test_changes_that_a_crash_kept_from_the_topic_come_when_their_time_has_come():
    here = Topic()
    await here.place.feed(calls(60), ANY)
    await here.fold()
    here.restart()  # everything is folded, nothing was published
    await here.tick()
    assert sum(row.offered for row in here.rows()) == 60 and all(row.final for row in here.rows())


async def test_finals_wait_for_the_broker_and_come_once_more_after_a_minute():
    here = Topic()
    await here.fed(call("c1", 0), more=True)
    await here.place.feed([], ANY, ends=["pbx"])
    await here.fold()
    here.away = True
    assert await here.tick(3) == []
    here.away = False
    assert len([key for key in await here.tick(2) if "cohort" in key and "sales" in key]) == 1
    assert here.rows()[0].final
    assert len([key for key in await here.tick(120) if "cohort" in key and "sales" in key]) == 1


async def test_a_queue_of_two_sources_is_final_when_both_are():
    here = Topic()
    other = [one | {"source": "pbx-2"} for one in call("c1", 0)]
    await here.place.feed(other, ANY)
    await here.fed(call("c1", S), more=True)
    assert [row.final for row in here.rows()] == [False]
    await here.fed([], ends=["pbx"])
    assert [(row.final, row.offered) for row in here.rows()] == [(True, 2)]


async def test_a_source_that_tells_no_more_is_final_when_it_says_so():
    here, terms = Topic(), Terms(lateness_ms=120 * S)
    await here.fed([*call("c1", 0), *call("c2", 5 * QUARTER)], terms)
    assert not here.rows()[1].final
    await here.fed([], ANY, ends=["pbx"])
    assert all(row.final for row in here.rows())


async def test_calls_of_nobody_are_no_agent_s_day():
    here, sent = Topic(), []
    nobody = [{name: value for name, value in one.items() if name != "agent"} for one in call("c1", 0)]
    await here.fed([*nobody, *call("c2", 0)])

    async def send(records) -> None:
        sent.extend(record.key.decode() for record in records)

    async def utc(tenant: str, pool: str):
        return zone("UTC")

    days = AgentTime(rows_of(here.views), here.clock, wire.shift_record, send, utc, lambda key: None)
    days.changed.update(*(fold.changed_days for fold in here.folds))
    assert {agent for _, agent, _ in days.changed} == {"", "a1"}
    await days.tick()
    assert sent == [f"{TENANT}/a1/2025-11-24"]
