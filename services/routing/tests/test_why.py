"""Why (RT-10): decisions found in the log, executed again, compared, and told in two languages."""

from __future__ import annotations

import pytest

from contactcenter.routing.v1.events_pb2 import RoutingEvent
from routing.app import why_shown
from routing.app.again import Decision
from routing.app.sight import check_agent, seen_by
from routing.app.words import sentence
from routing.domain.commands import ChoosePolicy
from routing.domain.events import (
    ContactDequeued,
    ContactOffered,
    ContactOverflowed,
    ContactPulled,
    ContactWaiting,
    OfferExpired,
    PoolOpened,
    PriorityRaised,
    SkillsRelaxed,
    TargetReached,
)
from routing.domain.observed import AgentConnected, ContactAbandoned, WorkEnded
from routing.projections.pools import Pools
from routing.wiring import looking_back_at
from switchlog.auth.principal import Principal
from switchlog.envelope import timestamp
from switchlog.errors import NotFound

from .bench import Bench
from .logged import facts, why_about
from .recorded import POOL, rules, why_of
from .scene import Scene
from .world import POOL as BENCH_POOL

MISSED = "213fbe814c285338ae6354fdd5460411"
"""A contact of the demo: offered to somebody who did not answer, then to another."""


def kinds(found: list[Decision]) -> list[str]:
    return [type(one.event).__name__ for one in found]


# -- a real contact ---------------------------------------------------------------------------------------------------


async def test_every_decision_about_a_real_contact_is_executed_again_and_is_identical() -> None:
    """RT-10"""
    why = await why_of()
    found = await why.contact(MISSED)
    assert kinds(found) == [
        *("ContactWaiting", "ContactOffered", "OfferExpired", "ContactOffered", "OfferAccepted", "ContactAssigned"),
        *("ContactDequeued", "CapacityReleased"),
    ]
    assert all(one.identical and one.decided == one.event for one in found)


async def test_all_contacts_of_a_real_day_are_explained_without_a_difference() -> None:
    """RT-10: 100 %"""
    why = await why_of()
    contacts = {event.contact async for event in facts(why.history, POOL, ContactWaiting)}
    assert len(contacts) == 84
    for contact in sorted(contacts)[::7]:
        assert all(one.identical for one in await why.contact(contact)), contact


async def test_everybody_who_was_looked_at_is_named_with_the_reason() -> None:
    """RT-10: the candidates add up to what the decision itself counted."""
    why = await why_of()
    for one in await why.contact(MISSED):
        if isinstance(one.event, ContactOffered):
            why_then = one.event.explanation
            assert len(one.candidates) == why_then.considered == 12
            assert [c.agent for c in one.candidates if c.chosen] == [one.event.agent]
            assert one.candidates[0].agent == one.event.agent, "the first of those who could have had it"
            assert one.candidates[0].score == why_then.score
            refused = {r: sum(c.reason == r for c in one.candidates) for r, _ in why_then.refused}
            assert refused == dict(why_then.refused)


async def test_a_real_contact_is_told_in_english() -> None:
    told = [sentence(one) for one in await (await why_of()).contact(MISSED)]
    assert told[1] == (
        "2026-11-25 03:04:47.704 Offered to agent-8 (attempt 1) after 0.018 s in queue sales: of 12 agents 10 could "
        "have had it, agent-8 came first by longest-idle@1 (idle_ms=2714; next agent-10 idle_ms=2721); without work "
        f"before those with, then idle the longest. Passed over: 2 in wrap-up. Cause: ContactQueued {MISSED} (v509). "
        "Decided again: identical."
    )
    assert "agent-8 did not answer in time, and was set not ready" in told[2]
    assert "answered by agent-1" in told[6]


async def test_a_real_contact_is_told_in_chinese() -> None:
    """PL-7"""
    told = [sentence(one, "zh") for one in await (await why_of()).contact(MISSED)]
    assert told[1] == (
        "2026-11-25 03:04:47.704 派给 agent-8 (第 1 次), 已在队列 sales 等待 0.018 秒: 12 名坐席中 10 名可接, "
        "按 longest-idle@1 agent-8 最先 (idle_ms=2714; 其次 agent-10 idle_ms=2721); 无在手任务者在前, 再按空闲最久。"
        f"未选: 2 事后处理中。起因: ContactQueued {MISSED} (v509)。重新执行: 完全一致。"
    )
    assert "agent-8 未在时限内应答, 并被置为未就绪" in told[2]
    assert not any(word in text for text in told for word in ("Offered", "Cause", "identical"))


async def test_the_answer_is_json_with_both_decisions() -> None:
    shown = why_shown.decisions(await (await why_of()).contact(MISSED))
    offered = shown["decisions"][1]
    assert shown["identical"] is True
    assert offered["recorded"] == offered["decided"]
    assert offered["cause"]["fact"] == "ContactObserved" and offered["cause"]["version"] == 509
    assert offered["policy"] == "longest-idle@1" and offered["tie_break"] == "longest_idle"
    assert offered["at"] == timestamp(1795575887704)


async def test_an_altered_log_is_found_out_and_both_decisions_are_shown() -> None:
    """RT-10: the offer says agent-8; by the altered facts another would have had it."""

    def busy_since(message: RoutingEvent) -> None:
        if message.contact_offered.contact == MISSED and message.contact_offered.attempt == 1:
            message.contact_offered.agent = "agent-3"

    found = await (await why_of(alter=busy_since)).contact(MISSED)
    offered = next(one for one in found if isinstance(one.event, ContactOffered))
    assert not offered.identical
    assert isinstance(offered.decided, ContactOffered)
    assert (offered.event.agent, offered.decided.agent) == ("agent-3", "agent-8")
    assert "DIFFERENT" in sentence(offered) and "不一致" in sentence(offered, "zh")


async def test_what_a_queue_looked_like_is_told_with_its_last_offers() -> None:
    why = await why_of()
    offer = next(one for one in await why.contact(MISSED) if isinstance(one.event, OfferExpired))
    standing = await why.queue("sales", offer.at - 1, last=2)
    assert standing.policy == "longest-idle@1"
    assert kinds(list(standing.decisions)) == ["ContactOffered", "ContactOffered"]
    assert all(one.at < offer.at and one.identical for one in standing.decisions)


async def test_the_last_decisions_that_name_an_agent_are_told() -> None:
    found = await (await why_of()).agent("agent-8", 5)
    assert len(found) == 5
    assert {getattr(one.event, "agent", "") for one in found} == {"agent-8"}
    assert [one.version for one in found] == sorted(one.version for one in found)


@pytest.mark.parametrize("contact", ["nobody", "213fbe81", "%"])
async def test_an_unknown_contact_is_not_found(contact: str) -> None:
    with pytest.raises(NotFound):
        await (await why_of()).contact(contact)


async def test_another_tenants_contact_is_not_found() -> None:
    """PL-1"""
    with pytest.raises(NotFound):
        await (await why_of()).contact(MISSED, tenant="other")


# -- reasons ----------------------------------------------------------------------------------------------------------


async def test_who_waits_is_told_why_each_agent_cannot_have_it() -> None:
    scene = Scene()
    scene.ready("able", (("en", 3),))
    scene.ready("beginner", (("en", 1),))
    scene.ready("mute", (("en", 3),), slots=(("voice", 1),))
    scene.assigned("c1", "able")
    scene.queued("c2", required_skills=(("en", 3),))
    (waiting,) = await asked(scene, "c2")
    assert isinstance(waiting.event, ContactWaiting)
    assert {one.agent: one.reason for one in waiting.candidates} == {
        "able": "NO_CAPACITY",
        "beginner": "NOT_QUALIFIED",
        "mute": "NO_CHANNEL",
    }
    details = {one.agent: one.detail for one in waiting.candidates}
    assert details["beginner"] == "en>=3, has 1"
    assert details["able"] == "c1"
    assert "No agent could have it: 1 no channel" not in sentence(waiting)
    assert "No agent could have it:" in sentence(waiting) and "没有可接的坐席" in sentence(waiting, "zh")


async def test_who_was_passed_over_is_told_who_came_first_and_why() -> None:
    """Why was X waiting: agents who could have had it were given others."""
    scene = Scene()
    scene.ready("a1")
    scene.assigned("c1", "a1")
    scene.later(1000).queued("patient")
    scene.later(1000).queued("urgent", priority=5)
    ended(scene, "a1", "c1")
    scene.accept(open_offer(scene, "urgent"), "a1")
    connect(scene, "urgent", "a1")
    ended(scene, "a1", "urgent")
    offered = [one for one in await asked(scene, "patient") if isinstance(one.event, ContactOffered)]
    assert [(one.contact, one.agent, one.reason) for one in offered[0].ahead] == [("urgent", "a1", "PRIORITY")]
    assert "urgent to a1 (higher priority)" in sentence(offered[0])
    assert "urgent 给 a1 (优先级更高)" in sentence(offered[0], "zh")


async def test_a_contact_that_nobody_served_is_told_who_was_there_when_it_left() -> None:
    scene = Scene()
    scene.ready("a1")
    scene.assigned("c1", "a1")
    scene.queued("c2")
    scene.later(30_000)
    abandon(scene, "c2")
    left = (await asked(scene, "c2"))[-1]
    assert isinstance(left.event, ContactDequeued)
    assert [(one.agent, one.reason) for one in left.candidates] == [("a1", "NO_CAPACITY")]
    assert "abandoned" in sentence(left)


async def test_a_contact_that_waited_over_midnight_is_explained_from_both_days(bench: Bench) -> None:
    """Kernel rule 19: each day from its own chapter."""
    owner, world = bench.owner(), bench.world
    async with bench.running(owner):
        await bench.give(owner, *world.queued("c1"))
        bench.advance(13 * 3600 * 1000)
        await bench.give(owner, *world.joined("a1"))
    history = [event for event, _ in await bench.history()]
    assert sum(isinstance(event, PoolOpened) for event in history) == 2
    await Pools(bench.store.views).put(BENCH_POOL)
    found = await looking_back_at(bench.store).contact("c1")
    assert kinds(found) == ["ContactWaiting", "ContactOffered"]
    assert all(one.identical for one in found)


async def test_a_policy_chosen_later_explains_later_decisions_only() -> None:
    scene = Scene()
    scene.ready("a1")
    scene.assigned("c1", "a1")
    scene.tell(ChoosePolicy("round-robin@1", "command-policy"))
    ended(scene, "a1", "c1")
    scene.queued("c2")
    before, after = await asked(scene, "c1"), await asked(scene, "c2")
    assert {one.policy for one in before if isinstance(one.event, ContactOffered)} == {"longest-idle@1"}
    assert {one.policy for one in after if isinstance(one.event, ContactOffered)} == {"round-robin@1"}
    assert all(one.identical for one in (*before, *after))


@pytest.mark.parametrize(
    ("kind", "english", "chinese"),
    [
        (ContactOverflowed, "Overflowed from queue", "溢出"),
        (TargetReached, "are looked at now", "的坐席中寻找"),
        (SkillsRelaxed, "asks for", "环放宽"),
        (PriorityRaised, "Its priority is", "优先级改为"),
        (ContactPulled, "Given to", "指派给"),
    ],
)
async def test_every_rule_is_told_and_decided_the_same_again(kind: type, english: str, chinese: str) -> None:
    """Why overflowed, relaxed, aimed elsewhere: RT-4, RT-5, RT-8, RT-10"""
    why = await rules()
    (pool,) = await why.history.pools.all()
    fact, *_ = [one async for one in facts(why.history, pool, kind)]
    found = [one for one in await why.contact(fact.contact) if isinstance(one.event, kind)]
    assert found and all(one.identical for one in found)
    assert english in sentence(found[0]) and chinese in sentence(found[0], "zh")


# -- who may see it ---------------------------------------------------------------------------------------------------


async def test_agents_see_what_they_could_have_served_and_no_other_candidates() -> None:
    """trust: own, shared queue"""
    found = await (await why_of()).contact(MISSED)
    mine = seen_by(Principal("demo", "agent-8", frozenset({"agent"})), found)
    assert {one.agent for decision in mine for one in decision.candidates} == {"agent-8"}
    with pytest.raises(NotFound):
        seen_by(Principal("demo", "stranger", frozenset({"agent"})), found)


@pytest.mark.parametrize(("team", "sees"), [("team-1", True), ("team-9", False)])
async def test_supervisors_see_what_their_teams_could_have_served(team: str, sees: bool) -> None:
    """trust: own teams"""
    found = await (await why_of()).contact(MISSED)
    boss = Principal("demo", "boss", frozenset({"supervisor"}), frozenset({team}))
    if sees:
        assert seen_by(boss, found) == found
    else:
        with pytest.raises(NotFound):
            seen_by(boss, found)


async def test_an_agents_decisions_are_for_itself_and_its_supervisors() -> None:
    found = await (await why_of()).agent("agent-8", 3)
    check_agent(Principal("demo", "agent-8", frozenset({"agent"})), "agent-8", found)
    check_agent(Principal("demo", "boss", frozenset({"supervisor"}), frozenset({"team-2"})), "agent-8", found)
    for name, role in (("agent-7", "agent"), ("agent-8", "visitor"), ("boss", "supervisor")):
        with pytest.raises(NotFound):
            check_agent(Principal("demo", name, frozenset({role})), "agent-8", found)


# -- helpers ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def asked(scene: Scene, contact: str) -> list[Decision]:
    return await why_about(scene.log).contact(contact)


def open_offer(scene: Scene, contact: str) -> str:
    return scene.board.contacts[contact].offer_id


def connect(scene: Scene, contact: str, agent: str) -> None:
    scene.contact(AgentConnected(contact, 1, agent, scene.now))


def ended(scene: Scene, agent: str, contact: str) -> None:
    scene.agent(WorkEnded(agent, contact, 1))


def abandon(scene: Scene, contact: str) -> None:
    scene.contact(ContactAbandoned(contact, scene.now))
