"""Given facts, when they come late, twice, in another order or around a crash, each counts once (rule 27)."""

from __future__ import annotations

import pytest

from analytics import wire
from analytics.app.folding import Halted
from analytics.domain.floor import census
from analytics.projections import queue_rows
from analytics.projections.rows import StoredRows
from contactcenter.agent.v1 import events_pb2 as agent_pb
from switchlog.store.memory import MemoryStore

from .folds import Crash, Owner, TearingViews, deliver, opened, stored_cells
from .recomputed import ATTRIBUTIONS, folded, recompute
from .scene import NOON, TENANT, Log, Rec, S


def a_day(tenant: str = TENANT) -> Log:
    """Two queues, two channels, all outcomes, offers that end in all ways, one who still waits."""
    log = Log(tenant)
    log.defined(NOON)
    log.joins(NOON)
    outcomes = ["answered", "abandoned", "short_abandoned", "flowed_out", "callback", "timed_out", "blocked", "failed"]
    for n, outcome in enumerate(outcomes * 2):
        at, contact = NOON + n * 90 * S, f"c{n}"
        queue, channel = ("sales", "chat") if n % 3 else ("care", "voice")
        log.waits(at, contact, queue, channel)
        log.offers(at + S, contact, "ann", f"o{n}", queue=queue, channel=channel)
        log.offer_ends(at + 2 * S, ("accepted", "declined", "expired", "withdrawn")[n % 4], contact, "ann", f"o{n}")
        log.leaves(at + n * 7 * S, contact, at, outcome, queue=queue, channel=channel, agent="ann", team="t1")
        if n % 2 == 0:
            work = {"agent": "ann", "contact": contact, "leg": 1}
            log.agent(at + n * 8 * S, wrap_up_started=agent_pb.WrapUpStarted(**work))
            log.agent(at + n * 9 * S + 1, wrap_up_ended=agent_pb.WrapUpEnded(**work))
    log.waits(NOON + 1500 * S, "last")
    log.final(NOON + 920 * S, NOON + 900 * S)
    return log


QUEUES = ("sales", "care")


async def result(views) -> dict:
    return {of: folded(await stored_cells(views, TENANT, QUEUES, of), wire.CHANNEL_NUMBERS) for of in ATTRIBUTIONS}


def expected_of(log: Log) -> dict:
    return {of: recompute(log.records, of) for of in ATTRIBUTIONS}


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
async def test_figures_are_those_of_a_simple_recomputation_whatever_the_batches(size: int) -> None:
    log, views = a_day(), MemoryStore().views
    folding, _ = await opened(views, log)
    await deliver(folding, log.records, size)
    assert await result(views) == expected_of(log)
    assert sum(counts["offered"] for counts in recompute(log.records).values()) == 17


async def test_a_repeat_at_a_higher_offset_counts_once() -> None:
    log, views = a_day(), MemoryStore().views
    for record in list(log.records):
        log.again(record)
    folding, _ = await opened(views, log)
    await deliver(folding, log.records, 10)
    assert await result(views) == expected_of(a_day())


async def test_a_redelivered_batch_counts_once() -> None:
    """The broker may send again what was folded: the offset says so."""
    log, views = a_day(), MemoryStore().views
    folding, _ = await opened(views, log)
    await folding.take(log.records)
    await folding.take(log.records)
    assert await result(views) == expected_of(log)


async def test_an_outcome_that_comes_long_after_its_quarter_counts_to_its_quarter() -> None:
    log, views = Log(), MemoryStore().views
    log.waits(NOON, "c1")
    for n in range(40):
        log.waits(NOON + (n + 2) * 900 * S, f"x{n}")
    log.leaves(NOON + 50 * 900 * S, "c1", NOON, "abandoned")
    folding, _ = await opened(views, log)
    await deliver(folding, log.records, 5)
    found = await result(views)
    assert found == expected_of(log)
    assert found["cohort"][TENANT, "sales", 2, NOON]["abandoned"] == 1
    assert found["event"][TENANT, "sales", 2, NOON + 50 * 900 * S]["abandoned"] == 1


async def test_an_order_turned_round_is_healed_from_the_owners_log_and_the_late_one_dropped() -> None:
    log, views = a_day(), MemoryStore().views
    turned = list(log.records)
    turned[5], turned[6] = turned[6]._replace(offset=5), turned[5]._replace(offset=6)
    owner = Owner(log)
    folding, _ = await opened(views, log, owner)
    await deliver(folding, turned, 4)
    assert await result(views) == expected_of(log)
    assert owner.asked == [(f"{TENANT}/pool-front".encode(), 5)]


async def test_a_record_that_is_missing_is_read_from_the_owner() -> None:
    log, views = a_day(), MemoryStore().views
    kept = [record for record in log.records if record.offset not in (3, 4, 9)]
    folding, _ = await opened(views, log)
    await deliver(folding, kept, 3)
    assert await result(views) == expected_of(log)


async def test_a_crash_between_any_two_rows_loses_nothing_and_doubles_nothing() -> None:
    """Rule 27: dirty rows, progress, commit; torn after every single row in turn, twice in a row."""
    log = a_day()
    whole = TearingViews(MemoryStore().views)
    folding, _ = await opened(whole, log)
    await deliver(folding, log.records, 13)
    expected = expected_of(log)
    torn = 0
    for budget in range(whole.written):
        store = MemoryStore()
        for size in (13, 5):
            folding, _ = await opened(TearingViews(store.views, budget), log)
            with pytest.raises(Crash):
                await deliver(folding, log.records, size)
                raise Crash  # all was written: die now, before the commit
            torn += 1
        folding, _ = await opened(store.views, log)
        await deliver(folding, log.records, 8)
        assert await result(store.views) == expected, budget
    assert torn > 50


async def test_without_the_rows_own_offsets_a_crash_would_count_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """The opposite of rule 27 must be caught by the test above."""
    log, store = a_day(), MemoryStore()
    folding, _ = await opened(TearingViews(store.views, 5), log)  # late days, a day and cells, no progress
    with pytest.raises(Crash):
        await deliver(folding, log.records, 13)
    put_cell = type(folding.board).put_cell

    def forgetful(board, cell) -> None:
        put_cell(board, cell)
        cell.guard = 0

    monkeypatch.setattr(type(folding.board), "put_cell", forgetful)
    folding, _ = await opened(store.views, log)
    await deliver(folding, log.records, 13)
    assert await result(store.views) != expected_of(log)


async def test_an_undecodable_record_is_buried_and_the_others_flow() -> None:
    log, views = Log(), MemoryStore().views
    log.waits(NOON, "c1")
    log.put(b"acme/pool-front", b"\xff\xff\xff")
    log.put(b"acme/pool-other", log.records[0].value)
    log.waits(NOON, "c2")
    folding, buried = await opened(views, log, Owner(Log()))
    await deliver(folding, log.records)
    assert buried == [(1, "UNDECODABLE"), (2, "FORGED")]
    assert (await result(views))["cohort"][TENANT, "sales", 2, NOON]["offered"] == 2


async def test_ten_undecodable_records_in_a_row_halt_the_worker() -> None:
    log, views = Log(), MemoryStore().views
    for _ in range(10):
        log.put(b"acme/pool-front", b"\xff")
    folding, _ = await opened(views, log)
    with pytest.raises(Halted):
        await deliver(folding, log.records)


async def test_a_forged_version_that_its_owner_does_not_know_is_buried() -> None:
    log, forged, views = a_day(), Log(), MemoryStore().views
    forged.versions["pool-front"] = 5000
    strange = forged.waits(NOON, "ghost")
    records = [*log.records[:8], Rec(strange.topic, 0, 8, strange.key, strange.value)]
    records += [record._replace(offset=record.offset + 1) for record in log.records[8:]]
    folding, buried = await opened(views, log)
    await deliver(folding, records, 4)
    assert buried == [(8, "NOT_IN_OWNERS_LOG")]
    assert await result(views) == expected_of(log)


async def test_verdicts_are_final_by_the_fact_and_the_row_is_once_everybody_has_left() -> None:
    """Rule 26."""
    log, views = Log(), MemoryStore().views
    log.waits(NOON, "c1")
    log.final(NOON + 920 * S, NOON + 900 * S)
    folding, _ = await opened(views, log)
    await deliver(folding, log.records)
    (cell,) = await stored_cells(views, TENANT, ["sales"])
    assert (cell.final_ms, cell.final) == (20_000, False)
    log.leaves(NOON + 1000 * S, "c1", NOON)
    await deliver(folding, log.records)
    (cell,) = await stored_cells(views, TENANT, ["sales"])
    assert cell.final


async def test_a_cell_that_was_let_go_is_loaded_again_when_something_comes() -> None:
    log, views = Log(), MemoryStore().views
    log.waits(NOON, "c1")
    log.leaves(NOON + S, "c1", NOON, "abandoned")
    folding, _ = await opened(views, log)
    await deliver(folding, log.records)
    folding.board.evict((TENANT, "sales", NOON, "cohort"))
    folding.board.evict((TENANT, "sales", NOON, "event"))
    assert not folding.board.counters.cells
    log.waits(NOON + 2 * S, "c2")
    await deliver(folding, log.records)
    assert (await result(views))["cohort"][TENANT, "sales", 2, NOON]["offered"] == 2


async def test_agents_are_counted_by_where_they_stand_also_after_a_restart() -> None:
    log, views = Log(), MemoryStore().views
    log.joins(NOON, "ann")
    log.joins(NOON, "bob", agent_pb.AGENT_STATE_SIGNED_OUT)
    log.agent(NOON, agent_signed_in=agent_pb.AgentSignedIn(agent="bob"))
    log.joins(NOON, "cat", agent_pb.AGENT_STATE_BREAK)
    log.joins(NOON, "dan")
    log.agent(NOON, work_started=agent_pb.WorkStarted(agent="dan", contact="c1", leg=1))
    log.agent(NOON, work_ended=agent_pb.WorkEnded(agent="dan", contact="c1", leg=1, wrap_up_follows=True))
    log.joins(NOON, "eve")
    log.offers(NOON, "c2", "eve", "o1")
    log.joins(NOON, "fay", agent_pb.AGENT_STATE_NOT_READY)

    async def seen() -> dict:
        rows = StoredRows(views, "s1", "g")
        return census([agent async for agent in rows.agents(TENANT, "front") if agent.here])

    folding, _ = await opened(views, log)
    await deliver(folding, log.records, 3)
    expected = {"signed_in": 6, "checked_in": 5, "ready": 1, "ringing": 1, "busy": 0, "wrap_up": 1, "not_ready": 1}
    assert await seen() == expected | {"break": 1}
    folding, _ = await opened(views, log)
    log.offer_ends(NOON, "accepted", "c2", "eve", "o1")
    log.agent(NOON, work_started=agent_pb.WorkStarted(agent="eve", contact="c2", leg=1))
    log.agent(NOON, wrap_up_ended=agent_pb.WrapUpEnded(agent="dan", contact="c1", leg=1))
    log.agent(NOON, agent_checked_out=agent_pb.AgentCheckedOut(agent="fay"))
    await deliver(folding, log.records)
    assert await seen() == expected | {
        "checked_in": 4,
        "ready": 2,
        "ringing": 0,
        "busy": 1,
        "wrap_up": 0,
        "not_ready": 0,
        "break": 1,
    }


async def test_late_facts_of_an_agent_who_was_released_do_not_bring_it_back() -> None:
    from contactcenter.routing.v1.events_pb2 import AgentReleased

    log, views = Log(), MemoryStore().views
    log.joins(NOON, "ann")
    log.say(NOON, agent_released=AgentReleased(agent="ann"))
    log.agent(NOON, agent_checked_in=agent_pb.AgentCheckedIn(agent="ann"))
    folding, _ = await opened(views, log)
    await deliver(folding, log.records)
    rows = StoredRows(views, "s1", "g")
    assert census([agent async for agent in rows.agents(TENANT, "front") if agent.here])["signed_in"] == 0


async def test_who_begins_in_the_middle_of_a_pools_life_learns_queues_and_agents_from_the_day() -> None:
    """The topic keeps 30 days, a pool's stream lives for ever."""
    from contactcenter.routing.v1 import config_pb2, events_pb2

    log, views = Log(), MemoryStore().views
    log.versions["pool-front"] = 9000
    standing = agent_pb.AgentStanding(state=agent_pb.AGENT_STATE_READY, takes_offers=True)
    carried = events_pb2.PoolCarried(
        queues=[config_pb2.QueueDefinition(queue="sales", service_level_threshold_ms=30_000)],
        agents=[events_pb2.CarriedAgent(agent=name, standing=standing) for name in ("ann", "bob")],
        contacts=[
            events_pb2.CarriedContact(
                contact="c1", leg=1, agent="bob", state=events_pb2.CARRIED_CONTACT_STATE_CONNECTED
            )
        ],
    )
    log.say(NOON, pool_carried=carried)
    log.agent(NOON, agent_not_ready=agent_pb.AgentNotReady(agent="ann"))
    log.say(NOON, pool_carried=carried)  # the next day's: what is known already stays
    folding, _ = await opened(views, log)
    await deliver(folding, log.records)
    rows = StoredRows(views, "s1", "g")
    found = census([agent async for agent in rows.agents(TENANT, "front") if agent.here])
    assert (found["checked_in"], found["not_ready"], found["busy"]) == (2, 1, 1)
    queue = await rows.queue(TENANT, "sales")
    assert queue is not None and queue.threshold_s == 30


async def test_a_change_is_not_to_be_told_before_it_is_stored() -> None:
    """Who publishes in the middle of a batch reads the old rows: taken for told then, the change would never be."""
    log, store, noted = a_day(), MemoryStore(), []

    class Watched(TearingViews):
        async def put(self, view: str, *row) -> None:
            noted.append(set(folding.changed))
            await super().put(view, *row)

    folding, _ = await opened(Watched(store.views), log)
    await deliver(folding, log.records)
    assert noted and not any(noted)
    assert folding.changed == {
        cell.key for of in ATTRIBUTIONS for cell in await stored_cells(store.views, TENANT, QUEUES, of)
    }


async def test_quiet_cells_do_not_pile_up_in_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """What may be asked for again is loaded again; a cell in which somebody waits stays."""
    monkeypatch.setattr(queue_rows, "CELLS_KEPT", 2)
    log, views = Log(), MemoryStore().views
    log.waits(NOON, "w")
    for n in range(20):
        log.waits(NOON + n * 900 * S, f"c{n}")
        log.leaves(NOON + n * 900 * S + S, f"c{n}", NOON + n * 900 * S, "abandoned")
    folding, _ = await opened(views, log)
    for record in log.records:
        await folding.take([record])
    assert len(folding.board.counters.cells) <= 4
    assert (TENANT, "sales", NOON, "cohort") in folding.board.counters.cells
    log.leaves(NOON + 20 * 900 * S, "w", NOON)
    await deliver(folding, log.records[-1:])
    cells = [cell async for cell in StoredRows(views, "s1", "g").cells(TENANT, "sales", 0, 1 << 45)]
    assert sum(len(cell.waiting) for cell in cells) == 0
    assert len(cells) == 20
