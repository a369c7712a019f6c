"""A recorded day under other rules (RT-11): the same rules give the same day; what is not known is drawn honestly."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import fmean
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.__main__ import app
from routing.adapters.trying import Asked, trial
from routing.app.again import twin
from routing.app.paper.chance import Human
from routing.app.paper.engine import Engine
from routing.app.paper.world import Arrival, Shift, in_order, presence
from routing.app.what_if.compared import ALL, Outcome, Trial, compared, enacted, interval, taken_apart
from routing.app.what_if.enacted import SAME, Enacted, Rules
from routing.app.what_if.patience import kaplan_meier
from routing.app.what_if.people import People, Statistics, Unserved
from routing.app.what_if.recorded import Recorded, timer_key
from routing.domain.commands import ChoosePolicy, DefineQueue
from routing.domain.definitions import Action, OverflowRule, Queue, Relaxation, Trigger
from routing.domain.events import AgentObserved, ContactAssigned, Event, TimerElapsed
from routing.domain.observed import Capacity
from routing.domain.replay import Recorded as Fact
from routing.domain.state import Board
from switchlog.store.sqlite import open_sqlite

from .logged import POOL as PAPER
from .logged import history_of
from .recorded import DATE, DEMO, POOL, keep, messages, rules, why_of

MINUTE, HOUR = 60_000, 3_600_000
BOTH = Capacity((("chat", 2), ("voice", 1)), (("chat", 40), ("voice", 100)), 100)


# -- how long customers wait ------------------------------------------------------------------------------------------

REMISSION = [
    *[(6, True), (6, True), (6, True), (6, False), (7, True), (9, False), (10, True), (10, False), (11, False)],
    *[(13, True), (16, True), (17, False), (19, False), (20, False), (22, True), (23, True), (25, False)],
    *[(32, False), (32, False), (34, False), (35, False)],
]
"""Weeks in remission under 6-MP, Freireich et al., Blood 21 (1963); the example of most textbooks."""


@pytest.mark.parametrize(
    ("weeks", "stays"),
    [(5, 1.0), (6, 0.857), (7, 0.807), (9, 0.807), (10, 0.753), (13, 0.690), (16, 0.627), (22, 0.538), (23, 0.448)],
)
def test_kaplan_meier_gives_the_textbooks_curve(weeks: int, stays: float) -> None:
    assert kaplan_meier(REMISSION).exceeds(weeks) == pytest.approx(stays, abs=0.0006)


def test_who_left_at_the_same_time_as_another_was_answered_was_still_at_risk() -> None:
    assert kaplan_meier([(5, True), (5, False)]).exceeds(5) == 0.5


@given(st.lists(st.tuples(st.integers(0, 900), st.booleans()), min_size=1), st.integers(0, 1000), st.floats(1e-9, 1.0))
def test_a_drawn_patience_is_longer_than_the_wait_that_was_seen(
    waits: list[tuple[int, bool]], waited: int, chance: float
) -> None:
    drawn = kaplan_meier(waits).beyond(waited, chance)
    assert drawn is None or drawn > waited


def test_patience_is_drawn_from_the_conditional_curve() -> None:
    """Of those who stayed longer than 10 weeks, S(23)/S(10) stay longer than 23."""
    curve, chance = kaplan_meier(REMISSION), Random(7)
    drawn = [curve.beyond(10, 1.0 - chance.random()) for _ in range(4000)]
    share = sum(one is None or one > 23 for one in drawn) / len(drawn)
    assert share == pytest.approx(0.448 / 0.753, abs=0.03)


def test_beyond_the_longest_wait_customers_leave_at_the_days_average_rate() -> None:
    """An estimate says nothing there: 1 of 2 000 ms of waiting."""
    curve, chance = kaplan_meier([(1000, False), (500, True), (500, False)]), Random(3)
    drawn = [curve.beyond(5000, 1.0 - chance.random()) for _ in range(4000)]
    assert fmean(one - 5000 for one in drawn if one is not None) == pytest.approx(2000, rel=0.05)


def test_where_nobody_ever_left_nobody_leaves() -> None:
    assert kaplan_meier([(10, False), (99, False)]).beyond(5, 0.5) is None


# -- the same rules ---------------------------------------------------------------------------------------------------


async def apart(log: Sequence[Fact]) -> tuple[Recorded, Outcome]:
    history = history_of(log, PAPER)
    (day,) = await history.days_of(PAPER)
    return await taken_apart(history, PAPER, day)


async def the_demo() -> tuple[Recorded, Outcome, list[tuple[int, list[Event]]]]:
    history = (await why_of()).history
    day = await history.day(POOL, DATE)
    recorded, was = await taken_apart(history, POOL, day)
    opened = await history.opened(POOL, day)
    assert opened is not None
    return recorded, was, [(turn.at, list(turn.events)) async for turn in history.turns(POOL, opened.head)]


def turns(recorded: Recorded, seed: int, rules: Rules = SAME) -> list[tuple[int, list[Event]]]:
    run = Enacted(recorded, twin(recorded.board), People(Statistics(recorded), seed), rules)
    return [(told.at, told.events) for told in run.run() if told.events]


@pytest.mark.parametrize("seed", [0, 1, 2])
async def test_the_same_rules_give_a_recorded_day_exactly(seed: int) -> None:
    """RT-11: every fact of a real day, to the millisecond, whatever the seed."""
    recorded, was, facts = await the_demo()
    assert turns(recorded, seed) == facts
    again = enacted(recorded, Statistics(recorded), seed)
    assert again.ends == was.ends and again.values == was.values


@pytest.mark.parametrize("date", ["2025-06-16", "2025-06-17"])
async def test_the_same_rules_give_a_day_of_every_rule_exactly(date: str) -> None:
    """RT-11: workflows, relaxations, overflows, hours, supervisors, owners that were late or replaced."""
    history = (await rules()).history
    (pool,) = await history.pools.all()
    day = await history.day(pool, date)
    recorded, was = await taken_apart(history, pool, day)
    opened = await history.opened(pool, day)
    assert opened is not None
    last = day.last or await history.events.head(pool)
    facts = [(turn.at, list(turn.events)) async for turn in history.turns(pool, opened.head, last)]
    assert turns(recorded, 1) == facts
    assert enacted(recorded, Statistics(recorded), 1).ends == was.ends


def busy_day(seed: int, queue: Queue, hours: float = 2.0) -> list[Fact]:
    """Calls and chats from a distribution, too few agents, with breaks, who decline, miss and take time."""
    chance, at, arrivals = Random(seed), 0, list[Arrival]()
    while (at := at + round(chance.expovariate(1 / 14_000))) < hours * HOUR:
        channel, talk = chance.choice(["chat", "voice", "voice"]), round(chance.expovariate(1 / 70_000))
        patience = None if chance.random() < 0.2 else round(chance.expovariate(1 / 90_000))
        then = Arrival("", 0, "q2", channel, talk_ms=30_000, wrap_up_ms=5_000) if chance.random() < 0.1 else None
        arrivals.append(
            Arrival(
                *(f"c{len(arrivals):04d}", at, "q1", channel, talk),
                wrap_up_ms=chance.choice([0, 4_000, 12_000]),
                patience_ms=patience,
                priority=chance.choice([0, 0, 3]),
                skills=chance.choice([(), (("en", 2),)]),
                then=then,
            )
        )
    arrivals = [a if a.then is None else _transferred(a) for a in arrivals]
    shifts = [
        Shift(
            *(f"a{n}", n * 5 * MINUTE, None if n % 3 else round(hours * HOUR * 0.8), BOTH),
            skills=(("en", 1 + n % 3),),
            team=f"t{n % 2}",
            breaks=((HOUR + n * MINUTE, HOUR + (n + 7) * MINUTE),),
        )
        for n in range(6)
    ]
    people = Human(seed, lambda r: r.uniform(0.5, 9), lambda r: r.uniform(0.1, 2), declined=0.08, missed=0.08)
    orders = [DefineQueue(queue, "define-q1"), DefineQueue(Queue("q2", offer_timeout_ms=15_000), "define-q2")]
    engine = Engine(Board("t1", "p1"), people)
    cues = in_order([(0, order) for order in orders], presence(shifts, "p1"))
    told = engine.run(arrivals, cues, until=round(hours * HOUR))
    return [(event, one.at) for one in told for event in one.events]


def _transferred(arrival: Arrival) -> Arrival:
    assert arrival.then is not None
    return replace(arrival, then=replace(arrival.then, contact=arrival.contact))


PLAIN = Queue("q1", offer_timeout_ms=12_000, short_abandon_ms=5_000)
STEPS = Queue(
    "q1",
    offer_timeout_ms=12_000,
    relaxations=(Relaxation(20_000, "en", 1), Relaxation(45_000, "en", 0)),
    overflows=(OverflowRule("too-long", Trigger.WAIT, 60_000, Action.QUEUE, to_queue="q2"),),
    ring_agents=2,
)


@pytest.mark.parametrize("queue", [PLAIN, STEPS], ids=["plain", "rings, relaxations, overflow, two agents rung"])
async def test_the_same_rules_give_a_generated_day_exactly(queue: Queue) -> None:
    """RT-11: with declines, missed offers, transfers, breaks, abandons and contacts still open at the end."""
    log = busy_day(11, queue)
    recorded, was = await apart(log)
    kinds = {type(event).__name__ for event, _ in log}
    assert {"OfferDeclined", "OfferExpired", "OfferWithdrawn", "ContactDequeued"} <= kinds
    assert {"answered", "abandoned", "waiting"} <= {outcome for _, outcome, _, _ in was.ends.values()}
    for seed in (0, 1):
        assert [(event, at) for at, events in turns(recorded, seed) for event in events] == log
        assert enacted(recorded, Statistics(recorded), seed).ends == was.ends


async def test_a_timer_left_out_of_the_record_is_found_out() -> None:
    """The comparison would notice: a day without one of its timers does not come out the same."""
    log = busy_day(11, PLAIN)
    recorded, was = await apart(log)
    timer = next(event for event, _ in log if isinstance(event, TimerElapsed) and event.offer_id)
    del recorded.timers[timer_key(timer)]
    recorded.waits_for = frozenset({timer_key(timer)})
    assert enacted(recorded, Statistics(recorded), 0).ends != was.ends


async def test_a_day_that_ends_in_its_first_talk_comes_out_the_same_and_has_no_service_to_draw() -> None:
    log = [fact for fact in busy_day(11, PLAIN) if fact[1] < 60_000]
    last = next(n for n, (event, _) in enumerate(log) if isinstance(event, ContactAssigned))
    log = log[: last + 1]
    recorded, was = await apart(log)
    assert enacted(recorded, Statistics(recorded), 0).ends == was.ends
    with pytest.raises(Unserved):
        enacted(recorded, Statistics(recorded), 0, staffed(30))


# -- other rules ------------------------------------------------------------------------------------------------------


async def run(log: list[Fact], rules: Rules, seeds: int = 5) -> tuple[Outcome, list[Outcome]]:
    recorded, was = await apart(log)
    known = Statistics(recorded)
    return was, [enacted(recorded, known, seed, rules) for seed in range(seeds)]


def mean(outcomes: list[Outcome], figure: str, queue: str = ALL) -> float:
    return fmean(one.values[queue][figure] or 0 for one in outcomes)


async def test_another_policy_serves_other_agents_and_everybody_who_came() -> None:
    was, now = await run(busy_day(5, PLAIN), Rules([ChoosePolicy("round-robin@1", "try")]))
    for one in now:
        first = {leg for leg in was.ends if leg[1] == 1}
        assert first == {leg for leg in one.ends if leg[1] == 1}, "arrivals are those of the day"
        assert one.ends != was.ends


def patient_day(policy: str) -> list[Fact]:
    """Nobody leaves, everybody accepts at once: what a contact brings with it decides all."""
    chance, at, arrivals = Random(9), 0, list[Arrival]()
    for n in range(300):
        at += round(chance.expovariate(1 / 13_000)) + 1
        arrivals.append(Arrival(f"c{n:03d}", at, "q1", "voice", round(chance.expovariate(1 / 60_000)) + 7, 3_001))
    shifts = [Shift(f"a{n}", 0, None, BOTH, skills=(("en", 1 + n % 4),)) for n in range(6)]
    orders = [DefineQueue(replace(PLAIN, required_skills=(("en", 1),)), "q1"), ChoosePolicy(policy, "policy")]
    engine = Engine(Board("t1", "p1"))
    told = engine.run(arrivals, in_order([(0, order) for order in orders], presence(shifts, "p1")))
    return [(event, one.at) for one in told for event in one.events]


@pytest.mark.parametrize("policy", ["best-skill@1", "round-robin@1"])
async def test_what_was_foretold_is_what_would_have_happened(policy: str) -> None:
    """RT-11: the day simulated under the other policy from the start, contact by contact."""
    was, foretold = await run(patient_day("longest-idle@1"), Rules([ChoosePolicy(policy, "try")], _no_policy), seeds=1)
    _, happened = await apart(patient_day(policy))
    assert foretold[0].ends == happened.ends != was.ends


def _no_policy(item: object) -> bool:
    return isinstance(item, ChoosePolicy)


async def test_with_more_agents_fewer_leave_and_those_are_served() -> None:
    """Unserved contacts' service is drawn: abandoned ones are answered now, and talked to."""
    was, now = await run(busy_day(5, PLAIN), staffed(25))
    lost = [leg for leg, end in was.ends.items() if end[1] == "abandoned"]
    assert len(lost) > 20
    assert mean(now, "abandoned") < 0.3 * (was.values[ALL]["abandoned"] or 0)
    saved = [leg for leg in lost if now[0].ends[leg][1] == "answered"]
    assert len(saved) > 0.6 * len(lost)


async def test_with_fewer_agents_some_of_those_answered_would_have_left() -> None:
    """Answered contacts' patience is drawn, longer than they had waited."""
    was, now = await run(busy_day(5, PLAIN), staffed(1))
    assert mean(now, "abandoned") > 1.5 * (was.values[ALL]["abandoned"] or 0)
    for leg, (_, outcome, _, waited) in was.ends.items():
        if outcome == "answered" and leg[1] == 1 and now[0].ends[leg][1] == "abandoned":
            assert now[0].ends[leg][3] > waited, leg


def staffed(count: int) -> Rules:
    """``count`` able agents from the beginning in place of those there were."""
    shifts = [Shift(f"n{n}", 0, None, BOTH, skills=(("en", 3),)) for n in range(count)]
    return Rules([], lambda item: isinstance(item, AgentObserved), list(presence(shifts, "p1")))


async def test_talk_and_wrap_up_travel_with_the_contact() -> None:
    """Whoever serves it: what is between connection and the place given back is as recorded."""
    log = busy_day(5, PLAIN)
    recorded, _ = await apart(log)
    other = turns(recorded, 3, Rules([ChoosePolicy("best-skill@1", "try")]))
    then, now = work_of(log), work_of([(event, at) for at, events in other for event in events])
    both = [leg for leg in then if leg in now and then[leg][0] != now[leg][0]]
    assert len(both) > 20, "served by somebody else"
    assert all(then[leg][1] == now[leg][1] for leg in both)


def work_of(log: list[Fact]) -> dict[tuple[str, int], tuple[str, int]]:
    """(agent, milliseconds from connection to the place given back) of first legs."""
    since, found = dict[tuple[str, int], tuple[str, int]](), dict[tuple[str, int], tuple[str, int]]()
    for event, at in log:
        kind = type(event).__name__
        if kind == "ContactDequeued" and event.outcome == "answered":  # type: ignore[union-attr]
            since[event.contact, event.leg] = event.agent, at  # type: ignore[union-attr]
        elif kind == "CapacityReleased" and (event.contact, event.leg) in since:  # type: ignore[union-attr]
            agent, began = since[event.contact, event.leg]  # type: ignore[union-attr]
            found[event.contact, event.leg] = agent, at - began  # type: ignore[union-attr]
    return found


async def test_seeds_differ_and_each_gives_the_same_day_again() -> None:
    recorded, _ = await apart(busy_day(5, PLAIN))
    rules = Rules([ChoosePolicy("round-robin@1", "try")])
    days = [turns(recorded, seed, rules) for seed in (1, 1, 2)]
    assert days[0] == days[1] != days[2]


async def test_an_overflow_rule_that_was_not_there_moves_contacts_on() -> None:
    """The ingress would answer: a new leg in the other queue."""
    was, now = await run(busy_day(5, PLAIN), Rules([DefineQueue(STEPS, "try")], _no_definitions), seeds=2)
    assert was.values["q1"]["flowed_out"] == 0 and mean(now, "flowed_out", "q1") > 0
    moved = [leg for leg, end in now[0].ends.items() if end[1] == "flowed_out"]
    assert all((contact, leg + 1) in now[0].ends for contact, leg in moved)
    assert {now[0].ends[contact, leg + 1][0] for contact, leg in moved} == {"q2"}


async def test_an_overflow_rule_that_was_there_can_be_taken_away() -> None:
    was, now = await run(busy_day(5, STEPS), Rules([DefineQueue(PLAIN, "try")], _no_definitions), seeds=2)
    assert (was.values["q1"]["flowed_out"] or 0) > 0 and mean(now, "flowed_out", "q1") == 0


def _no_definitions(item: object) -> bool:
    return isinstance(item, DefineQueue) and item.queue.id == "q1"


def test_an_interval_holds_95_percent_of_the_seeds() -> None:
    assert interval([float(n) for n in range(1, 102)]) == pytest.approx((51.0, 3.5, 98.5))
    assert interval([None, None]) == (None, None, None)
    assert interval([2, None]) == (2.0, 2, 2)


# -- the command line -------------------------------------------------------------------------------------------------


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    opened = await open_sqlite(tmp_path / "routing.db")
    await keep(opened, messages(DEMO))
    await opened.close()
    return tmp_path


Told = Callable[..., tuple[int, str, str]]


@pytest.fixture
def what_if(store: Path, capfd: pytest.CaptureFixture[str]) -> Told:
    def told(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            sys.exit(app(["what-if", "front", DATE, "--store", str(store), *arguments]))
        return (int(ended.value.code or 0), *capfd.readouterr())

    return told


def test_the_same_rules_are_said_to_be_identical(what_if: Told) -> None:
    """RT-11"""
    code, out, _ = what_if("--json", "--progress", "none")
    shown = json.loads(out)
    assert code == 0 and shown["identical"] is True and shown["same_rules"] is True and shown["legs"] == 84


def test_figures_stand_side_by_side_with_their_intervals(what_if: Told) -> None:
    code, out, said = what_if("--policy", "round-robin@1", "--seeds", "3", "--json", "--progress", "json")
    shown = json.loads(out)
    figures = {row["figure"]: row for row in shown["queues"][0]["figures"]}
    assert code == 0 and shown["seeds"] == 3 and shown["legs_changed"] > 10
    assert figures["offered"]["was"] == 84 and figures["offered"]["mean"] == 84.0
    assert figures["asa"]["low"] <= figures["asa"]["mean"] <= figures["asa"]["high"]
    assert json.loads(said.splitlines()[-1])["done"] == json.loads(said.splitlines()[-1])["of"]


def test_a_roster_and_a_configuration_are_tried_from_files(what_if: Told, tmp_path: Path) -> None:
    roster, config = tmp_path / "roster.csv", tmp_path / "rules.yaml"
    roster.write_text("agent_id,from,to,queues,skills,chat\nsolo,39600,,,,1\n")  # 11:00 on the wall
    config.write_text("queues:\n  sales: {pool: front, max_wait_s: 30}\n  service: {pool: front, max_wait_s: 30}\n")
    code, out, said = what_if("--roster", str(roster), "--config", str(config), "--seeds", "2", "--json")
    assert code == 0, said
    figures = {row["figure"]: row for row in json.loads(out)["queues"][0]["figures"]}
    assert figures["answered"]["mean"] < 40 and figures["timed_out"]["mean"] > 20


def test_mistakes_in_files_are_told_by_line(what_if: Told, tmp_path: Path) -> None:
    roster = tmp_path / "roster.csv"
    roster.write_text("agent_id,from,to\na1,noon,\n")
    code, _, said = what_if("--roster", str(roster))
    assert code == 2 and "roster.csv:2:2: from:" in said


def test_a_trial_without_anything_else_is_the_same_rules() -> None:
    assert trial(Asked(), "p1", DATE, ZoneInfo("UTC")).rules is SAME


async def test_progress_covers_all_seeds() -> None:
    told: list[tuple[int, int]] = []
    history = (await why_of()).history
    day = await history.day(POOL, DATE)
    rules = Rules([ChoosePolicy("round-robin@1", "try")])
    found = await compared(history, POOL, day, Trial(rules, 2), lambda done, of: told.append((done, of)))
    assert len(found.seeds) == 2 and told[-1][0] == told[-1][1] and told == sorted(told)
