"""The writer against a store in memory: kernel rules 1-7 one by one."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from switchlog.clock import ManualClock
from switchlog.envelope import MAX_BATCH_EVENTS, Row, Source, StreamId, compose
from switchlog.errors import NotNow, OutcomeUnknown, Rejected, VersionConflict
from switchlog.folds import BrokenLog, Fold
from switchlog.store.memory import Fault, MemoryStore
from switchlog.writer import Answer, Writer

from .tally import TALLY, Command, Count, Counted, Explode, LeaveSeat, SeatTaken, TakeSeat, Tally, cause, codec, stream

Written = list[tuple[StreamId, int, list[Row]]]


class Watched:
    """The store's log, counting calls; ``hold`` makes the next calls wait."""

    def __init__(self, events: Any) -> None:
        self._events = events
        self.calls: list[str] = []
        self.hold: asyncio.Event | None = None
        self.batches: list[tuple[str, list[Row]]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        async def call(*args: Any) -> Any:
            self.calls.append(name)
            if name == "append":
                self.batches.append((args[2], list(args[3])))
            if self.hold is not None:
                await self.hold.wait()
            return await getattr(self._events, name)(*args)

        return call


class Bench:
    def __init__(self, **settings: Any) -> None:
        self.store = MemoryStore()
        self.clock = ManualClock()
        self.events = Watched(self.store.events)
        self.published: Written = []
        self.settings = settings
        self.writer = self.another()

    def another(self, **settings: Any) -> Writer[Command, Tally, Any]:
        """A writer of another process over the same store."""

        def publish(stream: StreamId, head: int, rows: Sequence[Row]) -> None:
            self.published.append((stream, head, list(rows)))

        merged = {"deadline_s": 10.0, **self.settings, **settings}
        return Writer(self.events, TALLY, codec(), publish, self.clock, **merged)  # type: ignore[arg-type]

    async def do(self, command: Command, command_id: str, **more: Any) -> Answer:
        expect = more.pop("expect", None)
        return await self.writer.execute(stream(), command, cause(command_id, **more), expect=expect)

    async def log(self) -> list[Row]:
        return await self.store.events.read(stream())

    async def facts(self) -> list[Any]:
        return codec().events(await self.log())


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_command_appends_what_happened_and_hands_the_rows_to_the_relay(bench: Bench) -> None:
    assert await bench.do(Count("a", times=2), "c1") == Answer(stream(), 2)
    assert await bench.facts() == [Counted("a"), Counted("a")]
    assert bench.published == [(stream(), 2, await bench.log())]


async def test_one_append_has_one_time_that_never_decreases(bench: Bench) -> None:
    """P8."""
    await bench.do(Count("a", times=2), "c1")
    bench.clock.advance(-3_600_000)
    await bench.do(Count("a"), "c2")
    assert len({row.recorded_at for row in await bench.log()}) == 1


async def test_waiting_commands_are_appended_together_in_the_order_of_asking(bench: Bench) -> None:
    """Kernel rule 3."""
    answers = await asyncio.gather(*(bench.do(Count(f"c{n}"), f"c{n}") for n in range(20)))
    assert [answer.version for answer in answers] == list(range(1, 21))
    assert bench.events.calls.count("append") == 1
    assert [fact.by for fact in await bench.facts()] == [f"c{n}" for n in range(20)]


async def test_a_later_command_of_a_batch_sees_what_an_earlier_one_did(bench: Bench) -> None:
    taken = await asyncio.gather(*(bench.do(TakeSeat(p), f"c{p}") for p in "ab"), return_exceptions=True)
    assert taken[0] == Answer(stream(), 1)
    assert isinstance(taken[1], Rejected)
    assert taken[1].detail == "a"


async def test_what_does_not_fit_waits_for_the_next_batch(bench: Bench) -> None:
    """Kernel rule 2: at most 1 000 events and 1 MiB."""
    await asyncio.gather(*(bench.do(Count("a", times=400), f"c{n}") for n in range(5)))
    assert [len(rows) for _, rows in bench.events.batches] == [800, 800, 400]
    await asyncio.gather(*(bench.do(Count("a", text="x" * 190_000), f"d{n}") for n in range(8)))
    assert [len(rows) for _, rows in bench.events.batches[3:]] == [5, 3]


@pytest.mark.parametrize("command", [Count("a", times=MAX_BATCH_EVENTS + 1), Count("a", text="x" * 205_000)])
async def test_what_could_never_be_stored_or_published_is_refused_and_others_go_on(
    bench: Bench, command: Command
) -> None:
    """Kernel rule 2."""
    big, small = await asyncio.gather(bench.do(command, "c1"), bench.do(Count("a"), "c2"), return_exceptions=True)
    assert isinstance(big, Rejected) and big.reason == "TOO_LARGE" and big.invalid
    assert small == Answer(stream(), 1)


async def test_headers_count_as_well_and_what_just_fits_is_stored(bench: Bench) -> None:
    """Kernel rule 2: Kafka counts them too."""
    await bench.do(Count("a", text="x" * 100_000), "c1")
    (row,) = await bench.log()
    room = 200 * 1024 - len(row.value) - sum(len(name) + len(value) for name, value in row.headers)
    assert (await bench.do(Count("a", text="x" * (100_000 + room - 2)), "c2")).version == 2  # lengths may grow a byte
    with pytest.raises(Rejected, match="TOO_LARGE"):
        await bench.do(Count("a", text="x" * (100_000 + room + 1)), "c3")


async def test_a_bug_in_the_rule_book_hits_only_its_own_caller(bench: Bench) -> None:
    bug, good = await asyncio.gather(bench.do(Explode(), "c1"), bench.do(Count("a"), "c2"), return_exceptions=True)
    assert isinstance(bug, ZeroDivisionError)
    assert good == Answer(stream(), 1)


async def test_nobody_is_answered_before_the_append_is_known(bench: Bench) -> None:
    """Kernel rule 3, refused and no-op callers included."""
    await bench.do(Count("a"), "c0")
    bench.events.hold = asyncio.Event()
    calls = [
        asyncio.create_task(bench.do(command, f"c{n}"))
        for n, command in enumerate([TakeSeat("a"), TakeSeat("b"), TakeSeat("a")], start=1)
    ]
    await asyncio.sleep(0.02)
    assert not any(call.done() for call in calls)
    bench.events.hold.set()
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Answer, Rejected, Answer]


async def test_a_refusal_on_a_fold_in_memory_is_confirmed_by_the_stores_head(bench: Bench) -> None:
    """Kernel rule 3: another process freed the seat."""
    await bench.do(TakeSeat("a"), "c1")
    await bench.another().execute(stream(), LeaveSeat("a"), cause("c2"))
    assert await bench.do(TakeSeat("b"), "c3") == Answer(stream(), 3)


async def test_a_decision_without_events_is_confirmed_by_the_stores_head(bench: Bench) -> None:
    """Kernel rule 3."""
    await bench.do(TakeSeat("a"), "c1")
    await bench.another().execute(stream(), LeaveSeat("a"), cause("c2"))
    assert await bench.do(TakeSeat("a"), "c3") == Answer(stream(), 3)
    assert (await bench.facts())[-1] == SeatTaken("a")


async def test_a_loser_reads_the_tail_and_decides_again(bench: Bench) -> None:
    """Kernel rule 4."""
    await bench.do(Count("a"), "c1")
    await bench.another().execute(stream(), TakeSeat("b"), cause("c2"))
    with pytest.raises(Rejected, match="b"):
        await bench.do(TakeSeat("a"), "c3")
    assert await bench.do(Count("a"), "c4") == Answer(stream(), 3)


class Pauses(random.Random):
    """Remembers between what it was asked to choose, and chooses the least."""

    def __init__(self) -> None:
        super().__init__(0)
        self.asked: list[tuple[float, float]] = []

    def uniform(self, a: float, b: float) -> float:
        self.asked.append((a, round(b, 6)))
        return a


async def test_after_five_lost_races_with_longer_and_longer_pauses_the_caller_hears_of_the_conflict() -> None:
    """Kernel rule 4: 0-10 ms times the tries."""
    bench = Bench(chance=(pauses := Pauses()))
    bench.store.faults.coming.extend([Fault.CONFLICT] * 5)
    with pytest.raises(VersionConflict):
        await bench.do(Count("a"), "c1")
    assert bench.events.calls.count("append") == 5
    assert pauses.asked == [(0, 0.01), (0, 0.02), (0, 0.03), (0, 0.04)]
    assert await bench.do(Count("a"), "c1") == Answer(stream(), 1)


async def test_each_composed_batch_has_a_fresh_id(bench: Bench) -> None:
    """Kernel rule 1."""
    bench.store.faults.coming.extend([Fault.CONFLICT] * 3)
    await bench.do(Count("a"), "c1")
    assert len({batch_id for batch_id, _ in bench.events.batches}) == 4


@pytest.mark.parametrize("fault", [Fault.LOST_BEFORE_WRITE, Fault.LOST_AFTER_WRITE])
async def test_a_lost_reply_is_settled_by_asking_the_log(bench: Bench, fault: Fault) -> None:
    """Kernel rule 5: the identical batch is sent again if it is absent."""
    bench.store.faults.coming.append(fault)
    assert await bench.do(Count("a", times=2), "c1") == Answer(stream(), 2)
    assert len(await bench.log()) == 2
    assert len({batch_id for batch_id, _ in bench.events.batches}) == 1


async def test_an_outcome_that_stays_unknown_is_never_called_a_failure() -> None:
    """Kernel rule 5: the batch lands late, and the retry with the same key finds it."""
    bench = Bench(deadline_s=0.05)
    bench.store.faults.coming.extend([Fault.LATE] * 100)
    with pytest.raises(OutcomeUnknown, match="safe to retry"):
        await bench.do(Count("a"), "c1")
    bench.store.faults.coming.clear()
    bench.store.faults.land()
    appends = bench.events.calls.count("append")
    assert await bench.do(Count("a"), "c1") == Answer(stream(), 1, repeated=True)
    assert len(await bench.log()) == 1
    assert bench.events.calls.count("append") == appends, "decided on what was read anew, not on the old fold"


async def test_a_store_that_hangs_costs_callers_their_deadline_and_no_more() -> None:
    """Kernel rule 5; trust.md, database away."""
    bench = Bench(deadline_s=0.05)
    await bench.do(Count("a"), "c0")
    bench.events.hold = asyncio.Event()
    began, first = asyncio.get_running_loop().time(), asyncio.create_task(bench.do(Count("a"), "c1"))
    await asyncio.sleep(0.02)
    second = asyncio.create_task(bench.do(Count("a"), "c2"))
    outcomes = await asyncio.gather(first, second, return_exceptions=True)
    assert isinstance(outcomes[0], OutcomeUnknown)
    assert isinstance(outcomes[1], NotNow)
    assert asyncio.get_running_loop().time() - began < 0.2
    bench.events.hold = None
    assert (await bench.do(Count("a"), "c1")).version == 2


async def test_a_store_that_is_away_is_not_now_and_the_fold_stays(bench: Bench) -> None:
    await bench.do(Count("a"), "c1")
    bench.store.faults.coming.append(Fault.AWAY)
    with pytest.raises(NotNow):
        await bench.do(Count("a"), "c2")
    reads = bench.events.calls.count("read")
    assert await bench.do(Count("a"), "c2") == Answer(stream(), 2)
    assert bench.events.calls.count("read") == reads


async def test_the_same_key_gives_the_same_answer_also_after_a_restart(bench: Bench) -> None:
    """Kernel rule 6."""
    await bench.do(Count("a", times=2), "c1")
    await bench.do(Count("a"), "c2")
    assert await bench.do(Count("a", times=2), "c1") == Answer(stream(), 2, repeated=True)
    bench.writer = bench.another()
    assert await bench.do(Count("a", times=2), "c1") == Answer(stream(), 2, repeated=True)
    assert len(await bench.log()) == 3


async def test_the_same_command_twice_in_one_batch_has_one_effect(bench: Bench) -> None:
    answers = await asyncio.gather(bench.do(Count("a"), "c1"), bench.do(Count("a"), "c1"))
    assert answers == [Answer(stream(), 1), Answer(stream(), 1, repeated=True)]


async def test_the_same_key_with_another_body_is_refused(bench: Bench) -> None:
    """Kernel rule 6; HTTP 422."""
    await bench.do(Count("a"), "c1", digest="one")
    with pytest.raises(Rejected, match="IDEMPOTENCY_KEY_REUSED") as refusal:
        await bench.do(Count("b"), "c1", digest="other")
    assert refusal.value.invalid


async def test_a_refusal_is_not_stored_and_may_change_on_retry(bench: Bench) -> None:
    """Kernel rule 6."""
    await bench.do(TakeSeat("a"), "c1")
    with pytest.raises(Rejected, match="TAKEN"):
        await bench.do(TakeSeat("b"), "c2")
    await bench.do(LeaveSeat("a"), "c3")
    assert await bench.do(TakeSeat("b"), "c2") == Answer(stream(), 3)


async def test_the_last_256_commands_are_remembered(bench: Bench) -> None:
    """Kernel rule 6."""
    for n in range(258):
        await bench.do(Count("a"), f"c{n}")
    for writer in (bench.writer, bench.another()):
        bench.writer = writer
        assert (await bench.do(Count("a"), "c2")).repeated
    assert not (await bench.do(Count("a"), "c0")).repeated


async def test_a_batch_larger_than_the_window_is_recognised_when_it_landed_unseen(bench: Bench) -> None:
    """Rules 5 and 6 together: 300 commands in one append whose reply is lost and which somebody then wrote behind."""
    bench.store.faults.coming.append(Fault.LATE)
    append = bench.store.events.append

    async def land_and_be_followed(*args: Any) -> Any:
        if bench.store.faults.late:
            bench.store.faults.land()
            await append(stream(), 300, "b" * 32, strangers_rows(300))
            raise VersionConflict(301)
        return await append(*args)

    bench.store.events.append = land_and_be_followed  # type: ignore[method-assign]
    answers = await asyncio.gather(*(bench.do(Count("a"), f"c{n}") for n in range(300)))
    assert [answer.version for answer in answers] == list(range(1, 301))
    assert len(await bench.log()) == 301


def strangers_rows(after: int) -> list[Row]:
    """What another process appends."""
    decided = [(cause("stranger"), [Counted("stranger")])]
    return compose(stream(), after, decided, codec(), "b" * 32, 1_750_000_000_000)


async def test_a_lost_reply_behind_which_another_wrote_is_a_lost_race(bench: Bench) -> None:
    """Kernel rule 5: the row that stands bears another's batch id."""
    bench.store.faults.coming.append(Fault.LOST_BEFORE_WRITE)
    read_serial = bench.store.events.read_serial

    async def somebody_was_faster(*args: Any) -> Any:
        await bench.store.events.append(stream(), 0, "b" * 32, strangers_rows(0))
        return await read_serial(*args)

    bench.store.events.read_serial = somebody_was_faster  # type: ignore[method-assign]
    assert await bench.do(Count("a"), "c1") == Answer(stream(), 2)
    assert [fact.by for fact in await bench.facts()] == ["stranger", "a"]


async def test_a_redelivered_fact_has_no_effect_however_long_ago_it_was(bench: Bench) -> None:
    """Kernel rule 7: by the highest (source version, n), not by a window of ids."""
    for version in range(1, 400):
        await bench.do(Count("a"), f"r{version}", source=Source("acme/contact-1", version, 0, "count"))
    for writer in (bench.writer, bench.another()):
        bench.writer = writer
        for version in (399, 1, 100):  # the first look at a stream remembers all ids, the later ones 256
            answer = await bench.do(Count("a"), f"r{version}", source=Source("acme/contact-1", version, 0, "count"))
            assert answer.repeated
    assert len(await bench.log()) == 399


async def test_several_commands_of_one_fact_and_several_reactions_do_not_silence_each_other(bench: Bench) -> None:
    """Kernel rule 7."""
    for n, reaction in ((0, "count"), (1, "count"), (0, "other"), (0, "")):
        source = Source("acme/contact-1", 5, n, reaction)
        assert not (await bench.do(Count("a"), f"{reaction}{n}", source=source)).repeated
    slower = Source("acme/contact-1", 4, 0, "slower")
    assert not (await bench.do(Count("a"), "slower", source=slower)).repeated


async def test_if_match_is_checked_against_the_version_the_command_would_meet(bench: Bench) -> None:
    await bench.do(Count("a"), "c1")
    assert await bench.do(Count("a"), "c2", expect=1) == Answer(stream(), 2)
    with pytest.raises(VersionConflict) as conflict:
        await bench.do(Count("a"), "c3", expect=1)
    assert conflict.value.head == 2
    assert (await bench.do(Count("a"), "c2", expect=1)).repeated


async def test_of_two_with_the_same_if_match_in_one_batch_one_wins(bench: Bench) -> None:
    await bench.do(Count("a"), "c1")
    calls = (bench.do(Count("a"), f"d{n}", expect=1) for n in range(2))
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [Answer, VersionConflict]


async def test_state_is_the_fold_and_fresh_sees_other_processes(bench: Bench) -> None:
    assert (await bench.writer.state(stream())).head == 0
    await bench.do(Count("a"), "c1")
    await bench.another().execute(stream(), TakeSeat("b"), cause("c2"))
    assert (await bench.writer.state(stream())).state == Tally(1)
    assert (await bench.writer.state(stream(), fresh=True)).state == Tally(1, "b")
    assert (await bench.writer.state(stream())).head == 2


async def test_idle_streams_are_forgotten_oldest_first() -> None:
    bench = Bench(open_streams=2)
    for name in ("s1", "s2", "s3", "s3", "s1"):
        await bench.writer.execute(stream(name), Count("a"), cause(f"{name}{len(bench.published)}"))
    assert bench.events.calls.count("read") == 4  # s1 was read again, s3 was not


async def test_a_stream_is_opened_from_a_snapshot_and_only_the_rest_is_read(bench: Bench) -> None:
    await bench.do(Count("a", times=3), "c1")
    await bench.do(Count("b"), "c2")
    seen = (await bench.log())[2].recorded_at

    async def begin(_: StreamId) -> Fold[Tally] | None:
        return Fold(Tally(3), 3, seen)

    heir = bench.another(begin=begin)
    answer = await heir.execute(stream(), Count("c"), cause("c3"))
    assert answer.version == 5 and (await heir.state(stream())).state == Tally(5)


async def test_a_stream_without_a_snapshot_is_read_from_its_beginning(bench: Bench) -> None:
    await bench.do(Count("a", times=3), "c1")

    async def begin(_: StreamId) -> Fold[Tally] | None:
        return None

    assert (await bench.another(begin=begin).state(stream())).state == Tally(3)


async def test_a_queue_that_is_too_long_says_not_now() -> None:
    bench = Bench(max_waiting=3)
    outcomes = await asyncio.gather(*(bench.do(Count("a"), f"c{n}") for n in range(5)), return_exceptions=True)
    assert [isinstance(outcome, NotNow) for outcome in outcomes] == [False, False, False, True, True]


async def test_a_caller_who_leaves_does_not_undo_or_hinder_anything(bench: Bench) -> None:
    bench.events.hold = asyncio.Event()
    leaver = asyncio.create_task(bench.do(Count("a"), "c1"))
    stayer = asyncio.create_task(bench.do(Count("b"), "c2"))
    await asyncio.sleep(0.01)
    leaver.cancel()
    bench.events.hold.set()
    assert (await stayer).version == 2
    assert (await bench.do(Count("a"), "c1")).repeated


async def test_closing_finishes_what_waits_and_refuses_what_comes(bench: Bench) -> None:
    call = asyncio.create_task(bench.do(Count("a"), "c1"))
    await asyncio.sleep(0)
    await bench.writer.close()
    assert (await call).version == 1
    with pytest.raises(NotNow, match="STOPPING"):
        await bench.do(Count("a"), "c2")


async def test_a_stream_with_a_hole_is_not_folded_over(bench: Bench) -> None:
    await bench.do(Count("a", times=3), "c1")
    del bench.store.events._rows[stream()][1]
    bench.writer = bench.another()
    with pytest.raises(BrokenLog, match="row 2 is missing"):
        await bench.do(Count("a"), "c2")
