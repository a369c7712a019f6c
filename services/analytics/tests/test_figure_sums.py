"""Cells, days and tickets added up into rows: by hand, one rule at a time; answers of any length a day at a time."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from analytics.app import history
from analytics.app.history import History
from analytics.domain.asking import FiguresAsked, checked, checked_threshold, span_of
from analytics.domain.board import Queue
from analytics.domain.counters import Day
from analytics.domain.figures import Asked, Place, Sheet
from analytics.domain.formulas import FORMULAS
from analytics.domain.intervals import zone
from analytics.domain.levels import COHORT, DAY_MS, EVENT, QUARTER_MS, Cell, Waiting, arrive, leave, tally_of, wait
from analytics.domain.rollups import Worked
from analytics.domain.tickets import Ticket
from switchlog.decider import Rejected

from .scene import NOON, TENANT, S

UTC = zone("UTC")
HOUR = (NOON, NOON + 4 * QUARTER_MS)
LATE = NOON + DAY_MS


def asked(**more) -> Asked:
    return Asked(**({"step": "1h", "tz": UTC, "threshold_s": 20, "formulas": tuple(FORMULAS)} | more))


def place(queue: str = "sales", **more) -> Place:
    return Place(**({"queue": queue, "pool": "front", "clock": LATE, "freshness_ms": 500} | more))


def cell(queue: str = "sales", start: int = NOON, attribution: str = COHORT, **counts: int) -> Cell:
    """An answered contact of ann's and one who gave up; all is over."""
    made = Cell(TENANT, queue, start, attribution, pool="front", final_ms=20_000)
    for leg, key, outcome, waited in (("a/1", "chat/ann/t1", "answered", 5 * S), ("b/1", "chat//", "abandoned", 9 * S)):
        wait(made, leg, Waiting("chat", start, start))
        leave(made, leg, key, outcome, waited)
    over = {"queued": 2, "disconnected": 1, "handled": 1, "open": 0}
    tally_of(made, "chat/ann/t1").counts.update(over | counts)
    return made


def sheet(found: Asked, *places: Place, spans=(HOUR,), now: int = LATE) -> Sheet:
    return Sheet(found, spans, places or (place(),), now)


def test_a_row_s_agents_time_is_that_of_days_alone_and_never_twice() -> None:
    """The busy time in event cells is in the days, too."""
    made = sheet(asked(attribution=EVENT, group_by=("agent",)))
    made.take_cells(place(), [cell(attribution=EVENT, busy_ms=60_000, slot_ms=60_000)])
    made.take_day(Day(TENANT, "ann", NOON, {NOON: {"t1": {"busy_ms": 60_000, "signed_in_ms": 900_000, "talk_ms": 7}}}))
    made.take_cells(place(), [cell(start=NOON + QUARTER_MS, attribution=EVENT, busy_ms=30_000)])
    (row,) = made.rows()
    assert (row.level.counts["busy_ms"], row.level.counts["signed_in_ms"]) == (60_000, 900_000)
    assert "talk_ms" not in row.level.counts and row.level.answered == 2


def test_quarters_of_a_day_that_are_not_asked_for_are_left_out() -> None:
    made = sheet(asked(group_by=()))
    made.take_day(
        Day(TENANT, "ann", NOON, {at: {"t1": {"ready_ms": 1}} for at in (NOON - 1 * QUARTER_MS, NOON, HOUR[1])})
    )
    (row,) = made.rows()
    assert row.level.counts["ready_ms"] == 1


def test_a_row_of_several_queues_is_as_final_as_the_least_of_all_asked_for() -> None:
    sales, care, quiet = place(), place("care"), place("quiet", clock=NOON)
    alone = sheet(asked(), sales, care, quiet)
    whole = sheet(asked(group_by=()), sales, care, quiet)
    for made in (alone, whole):
        made.take_cells(sales, [cell()])
        made.take_cells(care, [cell("care", disconnected=0)])
    flags = {row.groups["queue"]: row.flags for row in alone.rows()}
    assert [flags["sales"].durations_final, flags["care"].final, flags["care"].durations_final] == [True, True, False]
    assert not whole.rows()[0].flags.verdicts_final  # of the quiet queue one may still come
    both = sheet(asked(group_by=()), sales, care)
    both.take_cells(sales, [cell()])
    both.take_cells(care, [cell("care", disconnected=0)])
    (row,) = both.rows()
    assert (row.flags.verdicts_final, row.flags.final, row.flags.durations_final) == (True, True, False)


def test_who_waits_keeps_a_row_open_and_is_counted_at_now() -> None:
    made = cell()
    wait(made, "c/1", Waiting("chat", NOON, NOON - 5 * S))
    found = sheet(asked(), now=NOON + 30 * S)
    found.take_cells(place(), [made])
    (row,) = found.rows()
    assert row.flags.verdicts_final and not row.flags.final
    assert (row.level.waiting, row.level.waiting_over) == (1, 1)
    assert (row.figures["longest_wait"], row.figures["longest_wait_arrival"]) == (30.0, 35.0)
    filtered = sheet(asked(agents=frozenset({"ann"})), now=NOON + 30 * S)
    filtered.take_cells(place(), [made])
    assert filtered.rows()[0].level.waiting == 0  # nobody's


def test_the_golden_vector_over_a_whole_day_of_quarter_hours() -> None:
    """ICMI's example over 48 quarter hours of two queues: A=1000 B=60 A_20=860 B_20=20 B_5=10."""
    waits = [("answered", 10)] * 860 + [("answered", 25)] * 140
    waits += [("short_abandoned", 3)] * 10 + [("abandoned", 15)] * 10 + [("abandoned", 40)] * 40
    found = sheet(asked(step="1d", group_by=()), place(), place("care"), spans=[(NOON, NOON + DAY_MS)])
    cells: dict[tuple[str, int], Cell] = {}
    for n, (outcome, waited) in enumerate(waits):
        queue, start = ("sales", "care")[n % 2], NOON + n % 48 * QUARTER_MS
        one = cells.setdefault((queue, start), Cell(TENANT, queue, start, pool="front"))
        arrive(one, "chat")
        one.waiting[f"{n}/1"] = Waiting("chat", start, start)
        leave(one, f"{n}/1", f"chat/{'ann' * (outcome == 'answered')}/", outcome, waited * S)
    for (queue, _), one in cells.items():
        found.take_cells(place(queue), [one])
    (row,) = found.rows()
    percent = {name: round((row.figures[name] or 0) * 100, 2) for name in FORMULAS if name.startswith("sl_")}
    assert {name: percent[name] for name in ("sl_positive", "sl_answered", "sl_strict", "sl_ignore_early")} == {
        "sl_positive": 83.02, "sl_answered": 86.0, "sl_strict": 81.13, "sl_ignore_early": 82.69,
    }  # fmt: skip
    assert (percent["sl_short_credit"], percent["sl_excl_short"]) == (82.08, 81.9)


def test_counts_that_were_taken_back_make_no_row() -> None:
    empty = Cell(TENANT, "sales", NOON)
    tally_of(empty, "chat//").counts.update(started=0, dirt_ended_twice=1)
    found = sheet(asked())
    found.take_cells(place(), [empty])
    assert found.rows() == []


@pytest.mark.parametrize(
    "wrong, reason",
    [
        ({"step": "2h"}, "UNKNOWN_STEP"),
        ({"group_by": ("queue", "zodiac")}, "UNKNOWN_GROUP"),
        ({"group_by": ("tenant", "queue")}, "UNKNOWN_GROUP"),
        ({"formulas": ("asa", "sl_magic")}, "UNKNOWN_FORMULA"),
        ({"attribution": ""}, "UNKNOWN_ATTRIBUTION"),
    ],
)
def test_an_unknown_word_is_named(wrong: dict, reason: str) -> None:
    with pytest.raises(Rejected, match=reason):
        checked(FiguresAsked(**wrong))


def test_a_threshold_that_is_not_kept_names_those_that_are() -> None:
    with pytest.raises(Rejected) as refused:
        checked_threshold(Queue("sales", "front", threshold_s=20, thresholds_s=[10, 30]), 15)
    assert refused.value.detail == "figures of sales are kept for 10, 20, 30 s"


@pytest.mark.parametrize("step, days", [("15m", 400), ("1d", 1830), ("1mo", 3660)])
def test_as_long_a_time_as_a_step_allows(step: str, days: int) -> None:
    given = FiguresAsked(step=step, begin=NOON, end=NOON + days * DAY_MS)
    begin, end = span_of(given, UTC, NOON, NOON)
    assert begin <= NOON and end >= NOON + days * DAY_MS
    with pytest.raises(Rejected, match="TOO_LONG"):
        span_of(FiguresAsked(step=step, begin=NOON, end=NOON + days * DAY_MS + 1), UTC, NOON, NOON)
    with pytest.raises(Rejected, match="BAD_RANGE"):
        span_of(FiguresAsked(step=step, begin=NOON, end=NOON - 1), UTC, NOON, NOON)


class Endless:
    """A cell in every quarter hour of every queue; notes the latest that was read."""

    def __init__(self) -> None:
        self.read = 0

    async def cells(
        self, tenant: str, queue: str, begin: int, end: int, attribution: str = COHORT
    ) -> AsyncIterator[Cell]:
        for start in range(begin, end, QUARTER_MS):
            self.read = max(self.read, start)
            yield cell(queue, start, attribution)

    async def work(self, tenant: str, queue: str, begin: int, end: int) -> AsyncIterator[Worked]:
        yield begin, "chat/ann/t1", {"busy_ms": 1, "slot_ms": 1}


async def test_a_long_answer_is_read_a_day_at_a_time() -> None:
    """What comes later is not read before what is earlier was taken: a year of many queues is never in memory."""
    kept, places = Endless(), [place(f"q{n}") for n in range(10)]
    history = History(kept, TENANT, asked(step="15m", formulas=("asa",)), places, LATE)
    begin, taken = NOON - NOON % DAY_MS, 0
    async for rows in history.rows(begin, begin + 5 * DAY_MS):
        assert len(rows) == 96 * len(places)
        assert kept.read == rows[-1].start
        taken += len(rows)
    assert taken == 5 * 96 * len(places)


class Tickets:
    """Tickets of some customers, each resolved once; notes whose others were looked for."""

    def __init__(self, customers: list[str]) -> None:
        self.tickets = [
            Ticket(f"k{n}", queue="sales", channel="chat", customer=one, opened_at=NOON, resolved_at=NOON + n)
            for n, one in enumerate(customers)
        ]
        self.asked: list[str] = []

    async def cells(self, *_: object) -> AsyncIterator[Cell]:
        for none in ():
            yield none

    work = cells

    async def resolved(self, tenant: str, queue: str, begin: int, end: int) -> AsyncIterator[Ticket]:
        for ticket in self.tickets:
            yield ticket

    async def cases(self, tenant: str, customer: str) -> list[Ticket]:
        self.asked.append(customer)
        return [ticket for ticket in self.tickets if ticket.customer == customer]


@pytest.mark.parametrize("most, looked", [(20_000, ["u", "v"]), (0, ["u", "v", "u"])])
async def test_tickets_of_no_more_customers_than_fit_are_in_memory(monkeypatch, most: int, looked: list[str]) -> None:
    monkeypatch.setattr(history, "CUSTOMERS", most)
    kept = Tickets(["u", "v", "u"])
    found = History(kept, TENANT, asked(step="1d", formulas=("fcr_open",)), [place()], LATE)
    (row,) = [row async for rows in found.rows(NOON, NOON + 1) for row in rows]
    assert (kept.asked, row.level.counts["fcr_resolved"]) == (looked, 3)
