"""Who gets whom under each policy: a fixed roster, and the sequence of agents that it must give (RT-1)."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from routing.domain import carry
from routing.domain import observed as seen
from routing.domain.commands import ChoosePolicy, StartDay
from routing.domain.events import Event, PoolCarried
from routing.domain.policies import POLICIES
from routing.domain.replay import replay
from routing.domain.settings import Setting, order_error, policy_of, setting_error
from routing.domain.state import Board

from .scene import Scene, only_offer, pairs

CHATS = (("chat", 5),)
MIXED = seen.Capacity((("chat", 5), ("voice", 1)), (("chat", 20), ("voice", 100)), 200)


@pytest.fixture
def pool() -> Scene:
    return Scene()


def agents_of(events: list[Event]) -> list[str]:
    return [agent for _, agent in pairs(events)]


def sequence(pool: Scene, count: int, **options: Any) -> list[str]:
    """Who gets each of ``count`` contacts, all held open."""
    return [pool.later(1000).served(f"c{n}", **options) for n in range(count)]


def test_longest_idle_goes_round_as_agents_become_free(pool: Scene) -> None:
    """RT-1 longest idle: whoever was freed first is next, not whoever was offered something first."""
    for agent in ("a1", "a2", "a3"):
        pool.later(1).joins(agent)
    assert sequence(pool, 3) == ["a1", "a2", "a3"]
    for contact, agent in (("c1", "a2"), ("c2", "a3"), ("c0", "a1")):
        pool.later(1).done(contact, agent)
    assert [pool.served(f"d{n}") for n in range(3)] == ["a2", "a3", "a1"]


def test_round_robin_takes_turns_whoever_is_busy(pool: Scene) -> None:
    """RT-1 rotation 轮流: a1 is free again at once, yet it is its turn only after the others."""
    pool.queue("q1", policy="round-robin@1")
    for agent in ("a3", "a1", "a2"):
        pool.later(1).joins(agent, CHATS)
    taken = []
    for n in range(7):
        agent = pool.later(1).served(f"c{n}")
        taken.append(agent)
        if agent == "a1":
            pool.done(f"c{n}", agent)
    assert taken == ["a1", "a2", "a3", "a1", "a2", "a3", "a1"]


def test_rotation_goes_on_within_one_millisecond(pool: Scene) -> None:
    """RT-1 rotation: turns are counted, not timed."""
    pool.queue("q1", policy="round-robin@1")
    for agent in ("b", "a"):
        pool.joins(agent, CHATS)
    assert [pool.served(f"c{n}") for n in range(4)] == ["a", "b", "a", "b"]


def test_least_loaded_counts_contacts(pool: Scene) -> None:
    """RT-1 load 负载, by count: one call and one chat weigh the same."""
    pool.queue("q1", policy="least-loaded@1")
    for agent in ("a1", "a2"):
        pool.joins(agent, capacity=MIXED)
    assert [pool.later(1).served("call", channel="voice")] == ["a1"]
    assert sequence(pool, 3) == ["a2", "a1", "a2"]


def test_least_cost_counts_units(pool: Scene) -> None:
    """RT-1 load, CH-2 cost: a call of 100 weighs as much as five chats of 20."""
    pool.queue("q1", policy="least-cost@1")
    for agent in ("a1", "a2"):
        pool.joins(agent, capacity=MIXED)
    assert [pool.later(1).served("call", channel="voice")] == ["a1"]
    assert sequence(pool, 6) == ["a2", "a2", "a2", "a2", "a2", "a1"]


def test_best_skill_takes_the_highest_level_of_what_is_asked(pool: Scene) -> None:
    """RT-1 best skill level: skills that nobody asked for count nothing."""
    pool.queue("q1", policy="best-skill@1")
    pool.joins("a1", skills=(("billing", 2), ("en", 9)))
    pool.joins("a2", skills=(("billing", 5),))
    pool.joins("a3", skills=(("billing", 3),))
    pool.joins("a4", skills=(("en", 9),))
    assert sequence(pool, 3, required_skills=(("billing", 1),)) == ["a2", "a3", "a1"]


def test_best_skill_is_the_longest_idle_of_equals(pool: Scene) -> None:
    pool.queue("q1", policy="best-skill@1")
    for agent in ("a2", "a1"):
        pool.later(1).joins(agent, skills=(("en", 5),))
    assert sequence(pool, 2, required_skills=(("en", 1),)) == ["a2", "a1"]


def test_agent_rank_rings_the_greatest_rank_in_the_queue_first(pool: Scene) -> None:
    """RT-1 agent priority in a group 优先振铃: ranks are by queue, else the agent's own; then longest idle."""
    for queue in ("q1", "q2"):
        pool.queue(queue, policy="agent-rank@1")
    both = ("q1", "q2")
    pool.later(1).joins("a1", CHATS, queues=both, ranks=(("q1", 1), ("q2", 9)))
    pool.later(1).joins("a2", CHATS, queues=both, ranks=(("q1", 5),), rank=2)
    pool.later(1).joins("a3", queues=both, rank=7)
    assert [only_offer(pool.queued("c1", "q1")).agent, only_offer(pool.queued("c2", "q2")).agent] == ["a3", "a1"]
    assert [only_offer(pool.queued("c3", "q1")).agent, only_offer(pool.queued("c4", "q2")).agent] == ["a2", "a1"]


def test_most_idle_capacity_takes_who_has_room_for_most(pool: Scene) -> None:
    """RT-1 most idle capacity: a1 has room for 5 chats, a2 for 3; equal ones as if idle."""
    pool.queue("q1", policy="most-idle-capacity@1")
    pool.joins("a1", (("chat", 5),))
    pool.joins("a2", (("chat", 3),))
    assert sequence(pool, 6) == ["a1", "a1", "a2", "a1", "a2", "a1"]


def test_most_idle_capacity_counts_units_where_a_contact_costs_any(pool: Scene) -> None:
    """CH-2: with a call of 100 of its 200 units a1 has room for 5 chats; its 8 places do not help it."""
    pool.queue("q1", policy="most-idle-capacity@1")
    pool.joins("a1", capacity=seen.Capacity((("chat", 8), ("voice", 1)), (("chat", 20), ("voice", 100)), 200))
    pool.joins("a2", (("chat", 6),))
    assert pool.served("call", channel="voice") == "a1"
    assert sequence(pool, 3) == ["a2", "a1", "a2"]


def test_a_returning_customers_agent_comes_before_any_policy(pool: Scene) -> None:
    """RT-1 returning customer's agent 熟客."""
    pool.queue("q1", policy="least-loaded@1")
    for agent in ("a1", "a2", "a3"):
        pool.joins(agent, CHATS)
    assert sequence(pool, 3, preferred_agent="a3") == ["a3", "a3", "a3"]


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_agents_alike_in_all_else_are_told_apart_by_id(pool: Scene, name: str) -> None:
    """Style habit 7."""
    pool.tell(ChoosePolicy(name, "choose"))
    for agent in ("c", "a", "b"):
        pool.joins(agent)
    offer = only_offer(pool.queued("c1"))
    assert (offer.policy, offer.agent, offer.explanation.tie_break) == (name, "a", "agent_id")


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_what_a_policy_decided_is_decided_again(pool: Scene, name: str) -> None:
    """RT-10; kernel rule 19: from the beginning of the log and from the beginning of a day."""
    pool.tell(ChoosePolicy(name, "choose"))
    pool.queue("q1", weight=3)
    for n in range(4):
        pool.later(1).joins(f"a{n}", CHATS, skills=(("en", 1 + n % 3),), rank=n % 2)
    sequence(pool, 5, required_skills=(("en", 1),))
    assert replay(pool.log, Board("t1", "p1")) is None
    events = carry.chapter(pool.board, "2025-06-16", "carry-1", "UTC")
    board = carry.joined("t1", "p1", [one for one in events if isinstance(one, PoolCarried)], events[-1])
    pool.tell(StartDay("2025-06-16", "carry-1", "UTC"))
    before, pool.board = pool.board, board
    rest = [agent for _, agent in pairs(pool.later(1).queued("next")) + pairs(pool.queued("after"))]
    assert carry.pack(pool.board) != carry.pack(before)
    assert len(rest) == 2


# --- by queue, with parameters -----------------------------------------------------------------------------------


def test_each_queue_has_its_own_policy(pool: Scene) -> None:
    pool.queue("best", policy="best-skill@1")
    pool.joins("idle", skills=(("en", 1),))
    pool.later(1).joins("able", skills=(("en", 5),))
    asked: dict[str, Any] = {"required_skills": (("en", 1),)}
    by_best, by_idle = only_offer(pool.queued("c1", "best", **asked)), only_offer(pool.queued("c2", "q1", **asked))
    assert (by_best.agent, by_best.policy) == ("able", "best-skill@1")
    assert (by_idle.agent, by_idle.policy) == ("idle", "longest-idle@1")


def test_a_policy_chosen_for_who_waits_already_counts_at_once(pool: Scene) -> None:
    pool.queue("q1", required_skills=(("en", 1),))
    pool.queued("c1")
    pool.queue("q1", required_skills=(("en", 1),), policy="best-skill@1")
    pool.agent(seen.JoinedPool("a1", "p1", capacity=seen.Capacity(CHATS), skills=(("en", 1),), checked_in=True))
    assert only_offer(pool.agent(seen.AgentReady("a1"))).policy == "best-skill@1"


@pytest.mark.parametrize(("later", "first"), [(59_999, "vip"), (60_000, "old"), (60_001, "old")])
def test_ageing_makes_a_point_of_priority_worth_so_long_a_wait(pool: Scene, later: int, first: str) -> None:
    """RT-3 priority ageing: score = wait + credit; equal scores are told apart by id."""
    pool.queue("q1", policy="longest-idle@1", parameters=(("ageing_ms_per_priority", "20000"),))
    pool.queued("old")
    pool.later(later).queued("vip", priority=3)
    assert pairs(pool.joins("a1"))[0][0] == first


def test_without_ageing_no_wait_makes_up_for_priority(pool: Scene) -> None:
    """RT-3 queue priority."""
    pool.queued("old")
    pool.later(86_400_000).queued("vip", priority=1)
    assert pairs(pool.joins("a1"))[0][0] == "vip"


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        (Setting("coin-toss@1"), "unknown policy 'coin-toss@1'"),
        (Setting("longest-idle@1", (("speed", "1"),)), "unknown parameter 'speed'"),
        (Setting("longest-idle@1", (("ageing_ms_per_priority", "-5"),)), "must be a whole number above 0"),
        (Setting("longest-idle@1", (), "agent.level DOWN"), "cannot order agents by 'agent.level DOWN'"),
        (Setting("longest-idle@1", (("ageing_ms_per_priority", "5"),), "agent.level desc, agent.skills.en"), ""),
        (Setting("longest-idle@1", (), "best-skill@1"), ""),
    ],
)
def test_a_setting_that_says_nothing_is_told_from_one_that_does(setting: Setting, said: str) -> None:
    error = setting_error(setting)
    assert said in error
    assert bool(said) == bool(error)


def test_order_by_comes_before_the_policy_and_unknown_values_last() -> None:
    """RT-4 order_by, as TaskRouter's ``order_by: worker.level DESC``."""
    assert order_error("agent.level DESC, agent.skills.en") == ""
    policy = policy_of(Setting("longest-idle@1", (), "agent.level DESC"))
    board = Scene()
    for agent, level in (("a1", "2"), ("a2", "10"), ("a3", "high"), ("a4", "")):
        board.joins(agent, attributes=(("level", level),) if level else ())
    demand = None
    ranked = sorted(board.board.agents.values(), key=lambda one: (policy.rank(one, demand), one.id))  # type: ignore[arg-type]
    assert [agent.id for agent in ranked] == ["a2", "a1", "a3", "a4"]


# --- agents on several queues ------------------------------------------------------------------------------------


def drained(pool: Scene, agent: str, count: int) -> list[str]:
    """The queues of the next ``count`` contacts that ``agent`` takes one after the other."""
    taken = []
    for offer in [only_offer(pool.joins(agent))]:
        for _ in range(count):
            taken.append(offer.queue)
            pool.accept(offer.offer_id, agent)
            offer = only_offer(pool.later(1).done(offer.contact, agent))
    return taken


def test_queues_are_served_by_strict_priority_and_age_by_default(pool: Scene) -> None:
    for n in range(4):
        pool.later(1).queued(f"low{n}", "low")
        pool.queued(f"high{n}", "high", priority=1)
    assert drained(pool, "a1", 7) == ["high"] * 4 + ["low"] * 3


def test_queues_with_weights_share_an_agents_time_by_them(pool: Scene) -> None:
    """RT-1: 3 to 1, evenly spread, whatever came first."""
    pool.queue("gold", weight=3)
    pool.queue("basic", weight=1)
    for n in range(8):
        pool.queued(f"basic{n}", "basic")
    for n in range(8):
        pool.later(1).queued(f"gold{n}", "gold")
    taken = drained(pool, "a1", 8)
    assert Counter(taken) == {"gold": 6, "basic": 2}
    assert Counter(taken[:4]) == {"gold": 3, "basic": 1}


def test_a_queue_that_was_empty_saves_up_no_share(pool: Scene) -> None:
    """Weights divide the time in which several wait: who comes late does not take all of it."""
    pool.queue("gold", weight=1)
    pool.queue("basic", weight=1)
    for n in range(6):
        pool.queued(f"gold{n}", "gold")
    offer = only_offer(pool.joins("a1"))
    for _ in range(3):
        pool.accept(offer.offer_id, "a1")
        offer = only_offer(pool.later(1).done(offer.contact, "a1"))
    for n in range(4):
        pool.queued(f"basic{n}", "basic")
    taken = []
    for _ in range(4):
        pool.accept(offer.offer_id, "a1")
        offer = only_offer(pool.later(1).done(offer.contact, "a1"))
        taken.append(offer.queue)
    assert sorted(taken) == ["basic", "basic", "gold", "gold"]


def test_queues_without_a_weight_have_one_share_together(pool: Scene) -> None:
    pool.queue("gold", weight=2)
    for n in range(8):
        pool.queued(f"gold{n}", "gold")
        pool.queued(f"x{n}", f"plain{n % 2}")
    taken = drained(pool, "a1", 9)
    assert Counter(queue == "gold" for queue in taken) == {True: 6, False: 3}
