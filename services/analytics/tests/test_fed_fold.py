"""Fed calls into rows: any order, any batches, repeats and crashes give the same rows (CH-7, kernel rule 29)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations, pairwise, permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.adapters import fed_facts
from analytics.app.folding import Folding
from analytics.app.ports import Where
from analytics.domain import fedagents
from analytics.domain.feed import Terms, streams_of
from analytics.domain.levels import COHORT, DAY_MS, EVENT, QUARTER_MS, Tally, merged
from analytics.projections.fed_rows import FedRows
from analytics.projections.rows import StoredRows
from switchlog.envelope import StreamId
from switchlog.store.memory import MemoryStore

from .feeds import ANY, BEGAN, TENANT, Place, calls, instant, line
from .folds import Crash, TearingViews
from .scene import Rec

TOPIC = "external.events.v1"
PARTITIONS = 3
S = 1000


def rows_of(views: Any) -> StoredRows:
    return StoredRows(views, "s1", "g")


async def folding(views: Any, partition: int) -> Folding:
    async def never(*_: Any) -> Any:
        raise AssertionError

    where, rows = Where(TOPIC, partition), FedRows(rows_of(views), fed_facts.contacts_in)
    return Folding(where, await rows.board(where), rows, fed_facts, never, never)


async def topic(place: Place, chance: random.Random, sources: Sequence[str] = ("pbx",)) -> list[list[Rec]]:
    """What the streams tell, on partitions: each in its order, mixed with the others', some of it again."""
    partitions: list[list[Rec]] = [[] for _ in range(PARTITIONS)]
    for number in range(PARTITIONS):
        names = [name for source in sources for name in list(streams_of(source))[number::PARTITIONS]]
        streams = [[(n, r) for r in await place.store.events.read(StreamId(TENANT, n))] for n in names]
        streams = [one for one in streams if one]
        while streams:
            stream, some = chance.choice(streams), chance.randint(1, 30)
            for name, row in stream[:some]:
                here = partitions[number]
                here.append(Rec(TOPIC, number, len(here), f"{TENANT}/{name}".encode(), row.value))
                if chance.random() < 0.05:
                    here.append(chance.choice(here)._replace(offset=len(here)))
            del stream[:some]
            streams = [one for one in streams if one]
    return partitions


async def folded(partitions: Iterable[list[Rec]], chance: random.Random, crashes: int = 0) -> Any:
    """The rows after all of it, by processes that die ``crashes`` times in the middle of a store."""
    store = MemoryStore()
    for number, records in enumerate(partitions):
        left = crashes
        while True:
            views = TearingViews(store.views, chance.randint(0, 60) if left else None)
            try:
                fold = await folding(views, number)
                while rest := [record for record in records if record.offset >= fold.board.next]:
                    await fold.take(rest[: chance.randint(1, 60)])
                break
            except Crash:
                left -= 1
    return store.views


def plain(tally: Tally) -> dict[str, Any]:
    """A tally without what counts nothing."""
    found = {name: getattr(tally, name) for name in ("offered", "longest_ms", "sums_ms", "offers", "counts")}
    found |= {"waits": tally.waits, "buckets": tally.buckets}
    return _pruned(found) or {}


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: kept for key, one in value.items() if (kept := _pruned(one))}
    return value


async def figures(views: Any, queues: Sequence[str] = ("", "sales", "service")) -> dict:
    """What the rows say: every count of every group and quarter hour, summed over partitions."""
    rows, found = rows_of(views), {}
    for queue in queues:
        for attribution in (COHORT, EVENT):
            cells = [cell async for cell in rows.cells(TENANT, queue, 0, 1 << 45, attribution)]
            for start in {cell.start for cell in cells}:
                here = [cell for cell in cells if cell.start == start]
                for key in {key for cell in here for key in cell.groups}:
                    said = plain(merged(cell.groups[key] for cell in here if key in cell.groups))
                    if said:
                        found[queue, attribution, start, key] = said
                waiting = {leg: said for cell in here for leg, said in cell.waiting.items()}
                if waiting:
                    found[queue, attribution, start, "waiting"] = waiting
    for day in range(BEGAN // DAY_MS - 1, BEGAN // DAY_MS + 6):
        async for one in rows.days(TENANT, day * DAY_MS):
            if one.spans:
                found["spans", one.agent, day, ""] = Counter(one.spans)
            for start, groups in one.quarters.items():
                for team, sums in groups.items():
                    total = found.setdefault(("day", one.agent, start, team), Counter())
                    total.update(sums)
    return {key: value for key, value in found.items() if _pruned(dict(value))}


async def fed(lines: Sequence[dict], terms: Terms = ANY, seed: int = 0, crashes: int = 0) -> dict:
    place, chance = Place(), random.Random(seed)
    for begin in range(0, len(lines), 97):
        await place.feed(lines[begin : begin + 97], terms, more=True)
    await place.feed([], terms, ends=["pbx"])
    return await figures(await folded(await topic(place, chance), chance, crashes))


FACTS = (
    *("contact_started", "contact_queued", "contact_queued", "contact_offered", "offer_expired", "offer_declined"),
    *("contact_answered", "contact_answered", "contact_abandoned", "contact_held", "contact_resumed"),
    *("contact_transferred", "contact_flowed_out", "contact_dequeued", "agent_disconnected", "customer_disconnected"),
    *("contact_ended", "wrap_up_started", "wrap_up_ended", "trunk_seized", "trunk_released", "survey_answered"),
    "cost_booked",
)
OF_AGENTS = (
    *("agent_signed_in", "agent_checked_in", "agent_ready", "agent_ready", "agent_not_ready", "agent_checked_out"),
    *("agent_signed_out", "shift_planned"),
)


@st.composite
def dirty_lines(draw: st.DrawFn) -> list[dict]:
    """Any facts at all of some contacts, sense or nonsense, often in the same second."""
    found = []
    for n in range(draw(st.integers(1, 40))):
        fact = draw(st.sampled_from(FACTS))
        more: dict[str, Any] = {"queue": draw(st.sampled_from(["sales", "service"])), "id": f"l{n}"}
        more |= {
            "agent": draw(st.sampled_from(["", "a1", "a2"])),
            "channel": draw(st.sampled_from(["", "voice", "chat"])),
        }
        if fact == "contact_dequeued":
            more["outcome"] = draw(st.sampled_from(["answered", "timed_out", "callback"]))
        if fact == "survey_answered":
            more["score"] = draw(st.integers(1, 5))
        if fact == "cost_booked":
            more |= {"amount": draw(st.integers(1, 9)), "currency": "CNY"}
        found.append(line(fact, draw(st.integers(0, 40)) * 60 * S, draw(st.sampled_from(["c1", "c2", "c3"])), **more))
    for n in range(draw(st.integers(0, 15))):
        fact, hour = draw(st.sampled_from(OF_AGENTS)), draw(st.integers(0, 60))
        more = {"id": f"m{n}", "agent": draw(st.sampled_from(["a1", "a2"]))}
        if fact == "shift_planned":
            more["from"], more["to"] = (instant(BEGAN + (hour + n) * 3600 * S) for n in (0, draw(st.integers(1, 20))))
        found.append(line(fact, hour * 3600 * S, **more))
    return found


@settings(max_examples=60, deadline=None)
@given(dirty_lines(), st.integers(0, 2**32), st.integers(0, 3))
async def test_any_order_duplicates_batches_and_crashes_give_the_rows_of_one_pass(lines, seed: int, crashes: int):
    in_order = sorted(lines, key=lambda one: (one["at"], one["id"]))
    mixed = random.Random(seed).sample(lines, len(lines)) + random.Random(seed).sample(lines, len(lines) // 2)
    assert await fed(mixed, seed=seed, crashes=crashes) == await fed(in_order)


async def test_a_log_of_calls_is_counted_as_by_hand():
    lines = calls(150, seed=3)
    found = await fed(random.Random(4).sample(lines, len(lines)), seed=5, crashes=4)
    for attribution in (COHORT, EVENT):
        assert summed(found, attribution) == by_hand(lines, attribution)


async def test_lines_in_time_order_are_counted_alike():
    lines = calls(150, seed=3)
    assert await fed(lines, Terms(lateness_ms=0)) == await fed(lines, ANY)


def by_hand(lines: Sequence[dict], attribution: str) -> Counter:
    """(queue, quarter hour, what) -> number, straight from the lines."""
    found: Counter = Counter()
    stories: dict[str, dict[str, dict]] = {}
    for one in lines:
        stories.setdefault(one["contact"], {})[one["fact"]] = one
    for story in stories.values():
        queued, queue = at(story["contact_queued"]), story["contact_queued"]["queue"]
        answered, lost = story.get("contact_answered"), story.get("contact_abandoned")
        ended = answered or lost
        start = queued if attribution == COHORT else at(ended)
        found[queue, quarter(queued), "offered"] += 1
        found[queue, quarter(start), "answered" if answered else "abandoned"] += 1
        found[queue, quarter(start), "wait_ms"] += at(ended) - queued
        if answered:
            over, done = at(story["agent_disconnected"]), at(story["wrap_up_ended"])
            found[queue, quarter(queued if attribution == COHORT else done), "handled"] += 1
            for name, begin, end in (("talk_ms", at(answered), over), ("wrap_up_ms", over, done)):
                for edge in range(quarter(begin), end, QUARTER_MS):
                    inside = min(end, edge + QUARTER_MS) - max(begin, edge)
                    found[queue, quarter(queued) if attribution == COHORT else edge, name] += inside
    return +found


def at(one: dict) -> int:
    from datetime import datetime

    return round(datetime.fromisoformat(one["at"]).timestamp() * 1000)


def quarter(when: int) -> int:
    return when // QUARTER_MS * QUARTER_MS


def summed(found: dict, attribution: str) -> Counter:
    total: Counter = Counter()
    for (queue, kind, start, _), said in found.items():
        if kind != attribution or not queue:
            continue
        for what in ("answered", "abandoned"):
            total[queue, start, what] += sum(said.get("waits", {}).get(what, {}).values())
            total[queue, start, "wait_ms"] += said.get("sums_ms", {}).get(what, 0)
        total[queue, start, "offered"] += said.get("offered", 0)
        for name in ("handled", "talk_ms", "wrap_up_ms"):
            total[queue, start, name] += said.get("counts", {}).get(name, 0)
    return +total


# --- agents --------------------------------------------------------------------------------------------------------


async def shift(*facts: tuple) -> tuple[Counter, list]:
    """Sums in seconds and spans (begin, end, state; seconds after noon) of agent a1."""
    lines = [
        line(fact, when * S, agent="a1", id=f"{n:02d}", **(more[0] if more else {}))
        for n, (fact, when, *more) in enumerate(facts)
    ]
    found = await fed(random.Random(1).sample(lines, len(lines)))
    total, spans = Counter(), []
    for (kind, *_), said in found.items():
        if kind == "day":
            total.update({name: count // S if name.endswith("_ms") else count for name, count in said.items()})
        if kind == "spans":
            spans += [((one[0] - BEGAN) // S, (one[1] - BEGAN) // S, one[2]) for one in said.elements()]
    return +total, sorted(spans)


async def test_states_last_until_the_next_fact_and_add_up():
    total, spans = await shift(
        ("agent_signed_in", 0),
        ("agent_checked_in", 10),
        ("agent_ready", 30),
        ("agent_not_ready", 3_000, {"reason": "break", "planned": True}),
        ("agent_ready", 3_600),
        ("agent_checked_out", 7_200),
        ("agent_signed_out", 7_260),
    )
    assert spans == [
        (0, 10, "signed_in"),
        (10, 30, "not_ready"),
        (30, 3_000, "ready"),
        (3_000, 3_600, "break"),
        (3_600, 7_200, "ready"),
        (7_200, 7_260, "signed_in"),
    ]
    assert total == {
        "signed_in_ms": 7_260,
        "checked_in_ms": 7_190,
        "ready_ms": 2_970 + 3_600,
        "not_ready_ms": 20,
        "break_ms": 600,
    }


async def test_whoever_logs_in_in_one_second_is_ready():
    _, spans = await shift(
        ("agent_ready", 0), ("agent_checked_in", 0), ("agent_signed_in", 0), ("agent_signed_out", 60)
    )
    assert spans == [(0, 60, "ready")]


async def test_a_night_is_cut_at_midnight_and_a_forgotten_sign_out_counts_nothing():
    night = 12 * 3600
    total, spans = await shift(
        ("agent_ready", night - 600), ("agent_signed_out", night + 600), ("agent_ready", night + 900)
    )
    assert (spans, total["ready_ms"]) == ([(night - 600, night, "ready"), (night, night + 600, "ready")], 1_200)
    total, spans = await shift(("agent_ready", 0), ("agent_ready", 30 * 3600))
    assert (total, spans) == ({}, [])


async def test_time_at_work_within_planned_shifts_is_adherent():
    begin, end = instant(BEGAN), instant(BEGAN + 3_600 * S)
    total, _ = await shift(
        ("shift_planned", -90_000, {"from": begin, "to": end}),
        ("agent_ready", -600),
        ("agent_not_ready", 1_800),
        ("agent_ready", 2_700),
        ("agent_signed_out", 9_000),
    )
    assert (total["scheduled_ms"], total["adherent_ms"]) == (3_600, 2_700)
    assert (total["scheduled"], total["present"]) == (1, 1)
    missed, _ = await shift(("shift_planned", 0, {"from": begin, "to": end}))
    assert (missed["scheduled"], missed["present"], missed["adherent_ms"]) == (1, 0, 0)


async def test_whoever_comes_after_the_midnight_of_a_planned_night_is_present():
    """07:30 to 15:30 in Shanghai has a UTC midnight at 08:00."""
    night = 12 * 3600
    begin, end = instant(BEGAN + (night - 1_800) * S), instant(BEGAN + (night + 7 * 3600) * S)
    planned = ("shift_planned", -90_000, {"from": begin, "to": end})
    total, _ = await shift(planned, ("agent_ready", night + 60), ("agent_signed_out", night + 3_660))
    assert (total["scheduled"], total["present"], total["adherent_ms"]) == (1, 1, 3_600)
    late, _ = await shift(planned, ("agent_ready", night + 7 * 3600), ("agent_signed_out", night + 8 * 3600))
    assert (late["scheduled"], late["present"]) == (1, 0)


HOURS_MOST = 100


@st.composite
def rosters(draw: st.DrawFn) -> list[dict]:
    """States of some days and shifts of up to three, told in any order; midnights are hit exactly now and then."""
    found = []
    for n in range(draw(st.integers(1, 14))):
        fact, when = draw(st.sampled_from(OF_AGENTS[:-1])), draw(st.integers(0, HOURS_MOST)) * 3600 * S
        found.append(line(fact, when, agent="a1", id=f"m{n}"))
    for n in range(draw(st.integers(1, 3))):
        begin, hours = draw(st.integers(0, HOURS_MOST)), draw(st.integers(1, 70))
        terms = {"from": instant(BEGAN + begin * 3600 * S), "to": instant(BEGAN + (begin + hours) * 3600 * S)}
        found.append(line("shift_planned", 0, agent="a1", id=f"s{n}", **terms))
    return draw(st.permutations(found))


def attended(lines: Sequence[dict]) -> Counter:
    """(quarter hour, name) -> number of shifts, by their definition."""
    turn = {fact: n for n, fact in enumerate(fedagents.STATES)}
    states = sorted((at(one), turn[one["fact"]], one["id"], one["fact"]) for one in lines if one["fact"] in turn)
    here = [
        (one[0], later[0])
        for one, later in pairwise(states)
        if one[3] != "agent_signed_out" and one[0] < later[0] <= one[0] + DAY_MS
    ]
    found: Counter = Counter()
    for one in (one for one in lines if one["fact"] == "shift_planned"):
        begin, end = (at({"at": one[word]}) for word in ("from", "to"))
        end = min(end, begin + 2 * DAY_MS)
        found[quarter(begin), "scheduled"] += 1
        found[quarter(begin), "present"] += any(since < end and begin < until for since, until in here)
    return +found


@settings(max_examples=150, deadline=None)
@given(rosters(), st.integers(0, 2**32), st.integers(0, 3))
async def test_attendance_is_that_of_the_definition_in_any_order_and_after_crashes(lines, seed: int, crashes: int):
    found = await fed(lines, seed=seed, crashes=crashes)
    total: Counter = Counter()
    for (kind, _, start, _), said in found.items():
        if kind == "day":
            total.update({(start, name): said[name] for name in ("scheduled", "present") if name in said})
    assert total == attended(lines)


async def test_a_shift_of_two_days_is_kept_by_a_state_that_a_fact_of_the_fourth_ends():
    begin, end = instant(BEGAN + 11 * 3600 * S), instant(BEGAN + 59 * 3600 * S)
    lines = [
        line("shift_planned", 0, agent="a1", id="s", **{"from": begin, "to": end}),
        line("agent_ready", -14 * 3600 * S, agent="a1", id="0"),
        line("agent_signed_out", 10 * 3600 * S, agent="a1", id="1"),
        line("agent_ready", 58 * 3600 * S, agent="a1", id="2"),
        line("agent_signed_out", 81 * 3600 * S, agent="a1", id="3"),
    ]
    for order in permutations(lines):
        found = await fed(order)
        assert sum(said.get("present", 0) for (kind, *_), said in found.items() if kind == "day") == 1


async def test_a_save_torn_between_the_days_of_an_agent_counts_nothing_twice():
    """Whatever was stored last: what the days of one save depend on in one another was counted before them."""
    midnight, hour = 12 * 3600 * S, 3600 * S
    facts = (
        ("agent_ready", midnight - hour),
        ("agent_signed_out", midnight + 20 * hour),
        ("agent_signed_out", midnight - hour // 2),
        ("agent_signed_out", midnight),
        ("agent_ready", midnight - hour // 3),
        ("agent_not_ready", midnight + 3 * hour),
    )
    begin, end = instant(BEGAN + midnight - 2 * hour), instant(BEGAN + midnight + 30 * hour)
    lines = [line("shift_planned", -hour, agent="a1", id="s", **{"from": begin, "to": end})]
    lines += [line(fact, when, agent="a1", id=f"{n}") for n, (fact, when) in enumerate(facts)]
    place = Place()
    await place.feed(lines)
    partitions = await topic(place, random.Random(1))
    whole = await figures(await folded(partitions, random.Random(1)))
    number = next(n for n, records in enumerate(partitions) if any(b"a1" in one.value for one in records))
    told = [one.offset for one in partitions[number] if b"a1" in one.value]
    records = partitions[number][: told[-1] + 1]
    for begin, end in combinations(range(told[0], told[-1] + 2), 2):
        for budget in range(9):
            assert await torn(records, number, (begin, end), budget) == whole


async def torn(records: list[Rec], number: int, batch: tuple[int, int], budget: int) -> dict:
    """What was before the batch, the batch until it is torn, and by who begins anew what is left of it and after it."""
    store, (begin, end) = MemoryStore(), batch
    if begin:
        await (await folding(store.views, number)).take(records[:begin])
    try:
        await (await folding(TearingViews(store.views, budget), number)).take(records[begin:end])
    except Crash:
        pass
    fold = await folding(store.views, number)
    for record in [record for record in records if record.offset >= fold.board.next]:
        await fold.take([record])
    return await figures(store.views)


async def test_time_with_contacts_is_busy_and_not_ready():
    found = await fed(
        [
            line("agent_ready", 0, agent="a1"),
            line("contact_queued", 0, "c1", queue="sales"),
            line("contact_answered", 60 * S, "c1", agent="a1"),
            line("agent_disconnected", 160 * S, "c1", agent="a1"),
            line("wrap_up_started", 160 * S, "c1", agent="a1"),
            line("wrap_up_ended", 200 * S, "c1", agent="a1"),
            line("agent_signed_out", 600 * S, agent="a1"),
        ]
    )
    total = sum((Counter(said) for (kind, *_), said in found.items() if kind == "day"), Counter())
    assert (total["busy_ms"], total["ready_ms"], total["signed_in_ms"]) == (140 * S, 460 * S, 600 * S)


async def test_a_cost_of_no_contact_counts_to_its_queue():
    found = await fed([line("cost_booked", 0, queue="sales", amount=3, currency="CNY")])
    assert {said["counts"]["cost_CNY_micros"] for said in found.values()} == {3_000_000} and len(found) == 2


# --- single stories --------------------------------------------------------------------------------------------------


async def story(*facts: tuple, **of_all: Any) -> dict[str, Any]:
    """Everything counted of one contact in queue sales, whatever the group and quarter hour."""
    lines = [
        line(fact, when, "c1", **({"queue": "sales", "id": f"{n:02d}"} | of_all | (more[0] if more else {})))
        for n, (fact, when, *more) in enumerate(facts)
    ]
    found = await fed(lines)
    total: dict[str, Any] = {}
    cells = [said for (_, kind, _, key), said in found.items() if kind == COHORT and key != "waiting"]
    for said in cells:
        for outcome, waits in said.get("waits", {}).items():
            total[outcome] = total.get(outcome, 0) + sum(waits.values())
        for name, count in said.get("offers", {}).items():
            total[f"offers_{name}"] = count
        for name, count in said.get("counts", {}).items():
            total[name] = total.get(name, 0) + count
        total["offered"] = total.get("offered", 0) + said.get("offered", 0)
    total["waiting"] = sum(len(said) for (*_, key), said in found.items() if key == "waiting")
    for (_, kind, *_), said in found.items():
        if kind == EVENT:
            total |= {name: count for name, count in said.get("counts", {}).items() if name.startswith("dirt_")}
    return total


def has(total: dict, **wanted: int) -> bool:
    return all(total.get(name, 0) == value for name, value in wanted.items())


async def test_a_call_answered_in_the_second_of_its_arrival_is_answered_whatever_the_ids():
    facts = [
        ("contact_ended", 0),
        ("agent_disconnected", 0),
        ("contact_answered", 0, {"agent": "a"}),
        ("contact_queued", 0),
    ]
    assert has(await story(*facts), offered=1, answered=1, waiting=0, disconnected=1, handled=1, ended=1)


async def test_a_call_that_flows_on_in_one_second_is_in_both_queues():
    facts = [
        ("contact_queued", 0),
        ("contact_flowed_out", 9 * S),
        ("contact_queued", 9 * S, {"queue": "service"}),
        ("contact_answered", 12 * S, {"queue": "service", "agent": "a"}),
    ]
    for order in (facts, [facts[0], facts[2], facts[1], facts[3]]):
        assert has(await story(*order), offered=2, flowed_out=1, answered=1, waiting=0, dirt_flowed_out_unqueued=0)


async def test_a_call_that_just_stands_waits():
    assert has(await story(("contact_queued", 0)), offered=1, waiting=1, answered=0)


@pytest.mark.parametrize("fact", ["customer_disconnected", "contact_ended"])
async def test_whoever_goes_while_waiting_has_abandoned(fact: str):
    total = await story(("contact_queued", 0), (fact, 9 * S))
    assert has(total, abandoned=1, waiting=0)
    assert sum(count for name, count in total.items() if name.startswith("dirt_")) == 1


async def test_an_answer_counts_though_the_exit_from_the_queue_is_told_later():
    total = await story(
        ("contact_queued", 0),
        ("contact_answered", 5 * S, {"agent": "a"}),
        ("contact_dequeued", 6 * S, {"outcome": "answered"}),
    )
    assert has(total, answered=1, dirt_service_before_queue_exit=1)


async def test_an_exit_told_before_the_answer_leaves_the_answer_its_time():
    early = await fed(
        [
            line("contact_queued", 0, "c1", queue="sales"),
            line("contact_dequeued", 5 * S, "c1", queue="sales", outcome="answered"),
            line("contact_answered", 8 * S, "c1", queue="sales", agent="a"),
        ]
    )
    waits = [said["sums_ms"] for (_, kind, *_), said in early.items() if kind == COHORT and "sums_ms" in said]
    assert waits == [{"answered": 8 * S}]


async def test_an_exit_alone_says_how_it_ended():
    assert has(await story(("contact_queued", 0), ("contact_dequeued", 5 * S, {"outcome": "timed_out"})), timed_out=1)
    total = await story(("contact_queued", 0), ("contact_dequeued", 5 * S, {"outcome": "answered"}))
    assert has(total, answered=1, connected=1, dirt_answered_without_agent=1)


async def test_hold_is_not_talk_and_wrap_up_is_counted_to_the_leg():
    total = await story(
        ("contact_queued", 0),
        ("contact_answered", 10 * S, {"agent": "a"}),
        ("contact_held", 20 * S),
        ("contact_resumed", 25 * S),
        ("agent_disconnected", 60 * S),
        ("wrap_up_started", 60 * S),
        ("contact_ended", 61 * S),
        ("wrap_up_ended", 90 * S),
    )
    assert has(total, talk_ms=45 * S, hold_ms=5 * S, wrap_up_ms=30 * S, handled=1, disconnected=1, open=0)


async def test_a_call_without_wrap_up_is_handled_when_it_is_over():
    assert has(await story(("contact_queued", 0), ("contact_answered", S), ("contact_ended", 9 * S)), handled=1)


async def test_offers_are_counted_with_how_they_ended():
    total = await story(
        ("contact_queued", 0),
        ("contact_offered", S, {"agent": "a"}),
        ("offer_expired", 20 * S, {"agent": "a"}),
        ("contact_offered", 20 * S, {"agent": "b"}),
        ("contact_answered", 25 * S, {"agent": "b"}),
        ("offer_declined", 30 * S, {"agent": "z"}),
    )
    assert has(total, offers_made=1, offers_expired=0, offers_accepted=1, dirt_offer_unknown=1) or has(
        total, offers_made=1, offers_expired=1
    )


async def test_what_makes_no_sense_is_counted_as_dirt_and_nothing_else():
    total = await story(("contact_abandoned", 0), ("contact_held", S), ("wrap_up_ended", 2 * S))
    assert has(
        total, offered=0, abandoned=0, dirt_abandoned_unqueued=1, dirt_held_unanswered=1, dirt_wrap_up_unexpected=1
    )


async def test_two_sources_may_use_the_same_names_of_contacts():
    place, chance = Place(), random.Random(1)
    for source in ("pbx", "acd"):
        await place.feed([line("contact_queued", 0, "c1", queue="sales", source=source)])
    found = await figures(await folded(await topic(place, chance, ("pbx", "acd")), chance))
    waiting = [said for (*_, key), said in found.items() if key == "waiting"]
    assert sum(map(len, waiting)) == 2


async def test_fed_queues_and_the_time_of_their_source_are_known():
    place, chance = Place(), random.Random(1)
    await place.feed(calls(60), Terms(lateness_ms=60_000))
    partitions = await topic(place, chance)
    rows = rows_of(await folded(partitions, chance))
    assert sorted(queue.queue for queue in await rows.queues(TENANT)) == ["sales", "service"]
    assert (await rows.queue(TENANT, "sales")).pool == "feed:pbx"
    clock = (await rows.pool_of(TENANT, "feed:pbx")).clock
    last = max(at(one) for one in calls(60))
    assert last - 2 * 60_000 - 60_000 <= clock <= last - 60_000
    half = rows_of(await folded([partitions[0], [], []], chance))
    assert (await half.pool_of(TENANT, "feed:pbx")).clock == 0  # not all of its streams are read
    assert (await rows.pool_of(TENANT, "feed:acd")).clock == 0


async def test_a_file_in_any_order_is_final_at_its_end():
    place, chance = Place(), random.Random(1)
    await place.feed(calls(30), more=True)
    views = await folded(await topic(place, chance), chance)
    assert (await rows_of(views).pool_of(TENANT, "feed:pbx")).clock == 0
    await place.feed([], ends=["pbx"])
    views = await folded(await topic(place, chance), chance)
    assert (await rows_of(views).pool_of(TENANT, "feed:pbx")).clock > 1 << 45
