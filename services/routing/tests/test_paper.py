"""The engine on its virtual clock: the decisions of production, people around them, every millisecond as given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import pytest

from routing.app.paper.engine import Engine, Told
from routing.app.paper.world import Answer, Arrival, Reply, Shift, Willing, presence
from routing.domain import carry
from routing.domain import observed as seen
from routing.domain.commands import AcceptOffer, ChoosePolicy, DefineHours, DefineQueue
from routing.domain.definitions import Action, Hours, OverflowRule, Span, Trigger
from routing.domain.events import (
    AgentObserved,
    ContactObserved,
    ContactOffered,
    Event,
    OfferExpired,
    Queue,
    TimerElapsed,
    TimerKind,
)
from routing.domain.evolve import evolve
from routing.domain.observed import Capacity
from routing.domain.replay import replay
from routing.domain.state import Board

from .paper import CALLS, HOUR, Heard, agents, call, run


@dataclass(frozen=True)
class Scripted(Willing):
    """Answers by (contact, attempt); at once when nothing is said."""

    answers: dict[tuple[str, int], Answer]
    connects_ms: int = 0
    back: int | None = None

    def answer(self, offer: ContactOffered, arrival: Arrival) -> Answer:
        return self.answers.get((offer.contact, offer.attempt), Answer())

    def connect_ms(self, arrival: Arrival, agent: str) -> int:
        return self.connects_ms

    def back_ms(self, agent: str, at: int) -> int | None:
        return self.back


def turns(arrivals: Sequence[Arrival], shifts: Sequence[Shift], people: Willing | None = None) -> list[Told]:
    engine = Engine(Board("t1", "p1"), people)
    orders = [(0, DefineQueue(Queue("q1", offer_timeout_ms=20_000), "q1"))]
    return list(engine.run(arrivals, [*orders, *presence(shifts, "p1")]))


def waits(heard: Heard) -> dict[str, int]:
    return {contact: stay.wait_ms(0) for contact, stay in heard.stays.items()}


# -- contacts ----------------------------------------------------------------------------------------------------------


def test_a_contact_is_answered_at_once_by_a_free_agent_and_waits_for_a_busy_one() -> None:
    heard = run([call("c1", 1_000, 60_000), call("c2", 11_000, 1_000)], agents(1))
    assert waits(heard) == {"c1": 0, "c2": 50_000}
    second = heard.stays["c2"]
    assert (second.queued_at, second.offered_at, second.answered_at, second.ended_at) == (
        11_000,
        61_000,
        61_000,
        62_000,
    )


def test_wrap_up_keeps_the_agent_from_the_next_contact() -> None:
    """AG-2."""
    heard = run([call("c1", 0, 60_000, wrap_up_ms=30_000), call("c2", 1_000)], agents(1))
    assert heard.stays["c2"].answered_at == 90_000
    assert (heard.stays["c1"].ended_at, heard.stays["c1"].free_at) == (60_000, 90_000)


def test_a_customer_leaves_when_patience_ends_and_is_answered_in_its_last_millisecond() -> None:
    calls = [call("c1", 0, 10_000), call("c2", 0, patience_ms=9_999), call("c3", 0, patience_ms=10_000)]
    heard = run(calls, agents(1))
    assert (heard.stays["c2"].outcome, heard.stays["c2"].ended_at) == ("abandoned", 9_999)
    assert (heard.stays["c3"].outcome, heard.stays["c3"].answered_at) == ("answered", 10_000)


def test_a_customer_who_leaves_while_it_rings_is_taken_back_from_the_agent() -> None:
    people = Scripted({("c1", 1): Answer(Reply.ACCEPT, 5_000)})
    heard = run([call("c1", 0, patience_ms=3_000), call("c2", 4_000)], agents(1), people=people)
    assert heard.stays["c1"].outcome == "abandoned"
    assert heard.stays["c2"].answered_at == 4_000


def test_a_customer_who_leaves_between_accepting_and_connecting_frees_the_agent() -> None:
    people = Scripted({}, connects_ms=2_000)
    heard = run([call("c1", 0, patience_ms=1_000), call("c2", 500)], agents(1), people=people)
    assert (heard.stays["c1"].outcome, heard.stays["c1"].ended_at) == ("abandoned", 1_000)
    assert (heard.stays["c2"].offered_at, heard.stays["c2"].answered_at) == (1_000, 3_000)


def test_a_transferred_contact_waits_again_on_its_next_leg() -> None:
    first = call("c1", 0, 10_000, then=call("c1", 0, 5_000, queue="q2"))
    orders = [DefineQueue(Queue(id), id) for id in ("q1", "q2")]
    heard = run([first], [*agents(1), Shift("b1", 12_000, None, CALLS, ("q2",))], orders=orders)
    legs = [(stay.leg, stay.queue, stay.queued_at, stay.answered_at, stay.ended_at) for stay in heard.legs]
    assert legs == [(1, "q1", 0, 0, 10_000), (2, "q2", 10_000, 12_000, 17_000)]


# -- offers ------------------------------------------------------------------------------------------------------------


def test_a_declined_contact_goes_to_the_next_agent() -> None:
    people = Scripted({("c1", 1): Answer(Reply.DECLINE, 2_000), ("c1", 2): Answer(Reply.ACCEPT, 3_000)})
    heard = run([call("c1", 0)], agents(2), people=people)
    stay = heard.stays["c1"]
    assert (stay.agent, stay.offers, stay.lost_offers, stay.answered_at) == ("a001", 2, 1, 5_000)


def test_an_offer_that_rings_out_sets_its_agent_not_ready_until_it_comes_back() -> None:
    """RT-2: nobody answers for the queue's offer timeout, the next agent gets it, the first is back later."""
    people = Scripted({("c1", 1): Answer(Reply.NONE)}, back=30_000)
    told = turns([call("c1", 0), call("c2", 49_999, 1_000), call("c3", 50_000)], agents(2), people)
    offers = [(t.at, e.contact, e.agent) for t in told for e in t.events if isinstance(e, ContactOffered)]
    assert offers == [(0, "c1", "a000"), (20_000, "c1", "a001"), (50_000, "c2", "a000"), (51_000, "c3", "a000")]


def test_an_agent_does_not_come_back_from_a_missed_offer_into_its_break() -> None:
    people = Scripted({("c1", 1): Answer(Reply.NONE)}, back=30_000)
    shift = replace(agents(1)[0], breaks=((40_000, 90_000),))
    told = turns([call("c1", 0)], [shift], people)
    ready = [t.at for t in told if isinstance(t.item, AgentObserved) and isinstance(t.item.fact, seen.AgentReady)]
    assert ready == [0, 90_000]


def test_an_offer_accepted_in_its_last_millisecond_is_accepted() -> None:
    people = Scripted({("c1", 1): Answer(Reply.ACCEPT, 20_000)})
    told = turns([call("c1", 0)], agents(1), people)
    assert not [event for turn in told for event in turn.events if isinstance(event, OfferExpired)]
    assert [turn.at for turn in told if isinstance(turn.item, AcceptOffer)] == [20_000]


# -- agents ------------------------------------------------------------------------------------------------------------


def test_agents_take_contacts_from_the_beginning_of_their_shift_until_its_end() -> None:
    shifts = [Shift("a1", 10_000, 60_000, CALLS, ("q1",)), Shift("a1", 100_000, 200_000, CALLS, ("q1",))]
    heard = run([call("c1", 0, 5_000), call("c2", 59_999, 20_000), call("c3", 60_000)], shifts)
    assert waits(heard) == {"c1": 10_000, "c2": 0, "c3": 40_000}


def test_a_break_keeps_its_wall_time_and_a_contact_in_hand_is_finished_first() -> None:
    shift = replace(agents(1)[0], breaks=((30_000, 90_000),))
    heard = run([call("c1", 0, 50_000), call("c2", 1_000)], [shift])
    assert heard.stays["c1"].ended_at == 50_000
    assert heard.stays["c2"].answered_at == 90_000


def test_an_agent_handles_as_many_at_once_as_its_capacity_says() -> None:
    """CH-2."""
    chats = Capacity((("chat", 3), ("voice", 1)))
    arrivals = [call(f"c{n}", n, 60_000, channel="chat") for n in range(5)] + [call("v1", 10, 10_000)]
    heard = run(arrivals, agents(1, capacity=chats))
    assert waits(heard) == {"c0": 0, "c1": 0, "c2": 0, "c3": 59_997, "c4": 59_997, "v1": 0}


def test_whoever_becomes_free_is_free_for_whoever_comes_at_the_same_millisecond() -> None:
    heard = run([call("c1", 0, 10_000), call("c2", 10_000)], agents(1))
    assert waits(heard) == {"c1": 0, "c2": 0}


# -- the engine is production's ----------------------------------------------------------------------------------------


def history(told: Sequence[Told]) -> list[tuple[Event, int]]:
    return [(event, turn.at) for turn in told for event in turn.events]


def busy_day() -> tuple[list[Told], Board]:
    people = Scripted(
        {
            ("c003", 1): Answer(Reply.NONE),
            ("c005", 1): Answer(Reply.DECLINE, 700),
            **{(f"c{n:03d}", 2): Answer(Reply.ACCEPT, 1_500) for n in range(60)},
        },
        connects_ms=250,
        back=15_000,
    )
    arrivals = [
        call(f"c{n:03d}", 700 * n, 4_000 + 500 * (n % 7), wrap_up_ms=1_000 * (n % 3), patience_ms=6_000 + 100 * n)
        for n in range(60)
    ]
    board = Board("t1", "p1")
    orders = [(0, DefineQueue(Queue("q1", offer_timeout_ms=3_000), "q1")), (9_000, ChoosePolicy("longest-idle@1", "p"))]
    shifts = [replace(shift, breaks=((10_000, 14_000),)) for shift in agents(4)]
    cues = sorted([*orders, *presence(shifts, "p1")], key=lambda cue: cue[0])
    return list(Engine(board, people).run(arrivals, cues)), board


def test_what_happened_on_paper_replays_identically_as_a_log() -> None:
    """RT-10, RT-12: the same rules, so the same promise."""
    told, board = busy_day()
    assert replay(history(told), Board("t1", "p1")) is None
    folded = Board("t1", "p1")
    for event, at in history(told):
        evolve(folded, event, at)
    assert carry.pack(folded) == carry.pack(board)


def test_the_same_inputs_give_the_same_turns() -> None:
    assert busy_day()[0] == busy_day()[0]


def test_time_never_goes_back_and_versions_count_each_stream() -> None:
    told, _ = busy_day()
    assert [turn.at for turn in told] == sorted(turn.at for turn in told)
    versions: dict[str, list[int]] = {}
    for turn in told:
        if isinstance(turn.item, AgentObserved | ContactObserved):
            versions.setdefault(turn.item.source, []).append(turn.item.version)
    assert all(found == list(range(1, len(found) + 1)) for found in versions.values())


def test_a_quarter_hour_is_told_final_when_its_threshold_has_passed() -> None:
    """Kernel rule 26: the deadlines are those of production."""
    told = turns([call("c1", 0), call("c2", HOUR)], agents(1))
    final = [turn.at for turn in told if isinstance(turn.item, TimerElapsed) and turn.item.kind is TimerKind.FINALITY]
    assert final == [HOUR // 4 + 20_000, HOUR + HOUR // 4 + 20_000]


def test_a_day_that_is_stopped_leaves_contacts_waiting() -> None:
    heard = run([call("c1", 0, HOUR), call("c2", 1_000)], agents(1), until=60_000)
    assert heard.stays["c2"].outcome == "waiting"
    assert heard.found is not None
    assert heard.found.total["counts"] | {"offered": 2, "answered": 1, "waiting": 1} == heard.found.total["counts"]


@pytest.mark.parametrize("phase", ["waiting", "offered", "connecting"])
def test_a_day_goes_on_from_a_board_on_which_a_contact_stands(phase: str) -> None:
    people = Scripted({("c1", 1): Answer(Reply.ACCEPT, 5_000)}, connects_ms=2_000)
    stop = {"waiting": 0, "offered": 1_000, "connecting": 6_000}[phase]
    board, arrival = Board("t1", "p1"), call("c1", 0, 10_000)
    begin = 3_000 if phase == "waiting" else 0
    shifts = list(presence([Shift("a1", begin, None, CALLS, ("q1",))], "p1"))
    list(Engine(board, people).run([arrival], [cue for cue in shifts if cue[0] <= stop], until=stop))
    later = Engine(board, people, now=stop)
    later.adopt(arrival)
    told = list(later.run([], [cue for cue in shifts if cue[0] > stop]))
    assert isinstance(told[-1].item, AgentObserved | TimerElapsed)
    ended = [t.at for t in told if isinstance(t.item, AgentObserved) and isinstance(t.item.fact, seen.WorkEnded)]
    assert len(ended) == 1
    assert not board.contacts and not board.agents["a1"].work


# -- rules of waiting --------------------------------------------------------------------------------------------------


def overflowing(action: Action, **options: Any) -> list[DefineQueue]:
    rule = OverflowRule("late", Trigger.WAIT, 10_000, action, **options)
    return [DefineQueue(Queue("q1", overflows=(rule,)), "q1"), DefineQueue(Queue("q2"), "q2")]


def test_an_overflow_by_wait_queues_the_contact_anew_and_patience_goes_on() -> None:
    """RT-5: the contact's own service moves it, at once; both stays are told."""
    arrival = call("c1", 1_000, 5_000, patience_ms=60_000)
    heard = run([arrival], [Shift("b1", 30_000, None, CALLS, ("q2",))], orders=overflowing(Action.QUEUE, to_queue="q2"))
    legs = [(stay.leg, stay.queue, stay.outcome, stay.queued_at, stay.left_at) for stay in heard.legs]
    assert legs == [(1, "q1", "flowed_out", 1_000, 11_000), (2, "q2", "answered", 11_000, 30_000)]
    left = run([arrival], [], orders=overflowing(Action.QUEUE, to_queue="q2"))
    assert [(stay.queue, stay.outcome, stay.left_at) for stay in left.legs] == [
        ("q1", "flowed_out", 11_000), ("q2", "abandoned", 61_000),
    ]  # fmt: skip


@pytest.mark.parametrize(("action", "outcome"), [(Action.CALLBACK, "callback"), (Action.VOICEMAIL, "flowed_out")])
def test_an_overflow_to_no_queue_ends_the_contact_there(action: Action, outcome: str) -> None:
    heard = run([call("c1", 1_000, patience_ms=60_000)], [], orders=overflowing(action))
    assert [(stay.outcome, stay.left_at, stay.ended_at) for stay in heard.legs] == [(outcome, 11_000, 11_000)]


def test_every_decision_that_is_explained_is_heard() -> None:
    heard = run([call("c1", 0)], [], orders=overflowing(Action.CALLBACK))
    assert [(at, type(decision).__name__) for at, decision in heard.decisions] == [(10_000, "ContactOverflowed")]


def test_queues_open_and_close_by_their_hours_in_the_zone_of_the_day() -> None:
    """RT-6: second 0 is midnight of a Thursday in UTC."""
    hours = Hours("office", weekly=((4, Span(60, 120)),))
    orders = [DefineHours(hours, "hours"), DefineQueue(Queue("q1", hours="office"), "q1")]
    minute = 60_000
    heard = run([call("c1", 59 * minute), call("c2", 60 * minute), call("c3", 120 * minute)], agents(1), orders=orders)
    assert {contact: stay.outcome for contact, stay in heard.stays.items()} == {
        "c1": "blocked", "c2": "answered", "c3": "blocked",
    }  # fmt: skip
