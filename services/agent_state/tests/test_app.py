"""Commands, reactions, timers and desks over a store in memory."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from agent_state.app.foreign import AgentLeftLeg, AgentLetGo, LegAssigned, LegDequeued, OfferEnd, OfferMade, OfferOver
from agent_state.domain.commands import ChangePool, EndWrapUp, RegisterAgent
from agent_state.domain.events import (
    Activity,
    AgentNotReady,
    AgentReady,
    Card,
    EndedBy,
    JoinedPool,
    Leg,
    WorkEnded,
    WorkStarted,
    WrapUpEnded,
    WrapUpStarted,
)
from agent_state.domain.state import SignedIn, activity
from switchlog.errors import NotFound, Rejected
from switchlog.writer import Answer

from .scene import LEG, TENANT, Scene, heard


@pytest.fixture
async def scene() -> Scene:
    made = Scene()
    await made.staffed()
    return made


async def last(scene: Scene) -> object:
    return (await scene.facts())[-1]


async def test_of_many_who_want_the_same_id_one_gets_it() -> None:
    """AG-4"""
    scene = Scene()
    wanted = [RegisterAgent("bob", Card(f"Bob {n}"), "t1", "front", only_new=True) for n in range(20)]
    answers = await asyncio.gather(
        *(scene.agents.register(TENANT, order, scene.cause()) for order in wanted), return_exceptions=True
    )
    assert sum(isinstance(answer, Answer) for answer in answers) == 1
    assert {answer.reason for answer in answers if isinstance(answer, Rejected)} == {"AGENT_EXISTS"}


async def test_an_agent_nobody_registered_is_not_found(scene: Scene) -> None:
    with pytest.raises(NotFound):
        await scene.give(EndWrapUp(), "nobody")


async def test_work_comes_from_routing_and_ends_with_the_contact(scene: Scene) -> None:
    """AG-2"""
    await scene.reactions.when_leg_assigned(LegAssigned("ann", LEG, "o1"), heard(1))
    assert isinstance(await last(scene), WorkStarted)
    await scene.reactions.when_agent_left_leg(AgentLeftLeg("ann", LEG), heard(9, "contact-c1", "contact.events.v1"))
    assert isinstance(await last(scene), WrapUpStarted)


async def test_a_month_delivered_twice_changes_nothing(scene: Scene) -> None:
    """kernel rule 7"""

    async def month() -> None:
        await scene.reactions.when_leg_assigned(LegAssigned("ann", LEG, "o1"), heard(1))
        await scene.reactions.when_leg_dequeued(LegDequeued(LEG, answered=True), heard(2))
        left = heard(9, "contact-c1", "contact.events.v1")
        await scene.reactions.when_agent_left_leg(AgentLeftLeg("ann", LEG), left)
        await scene.reactions.when_offer_over(OfferOver("ann", "o2", OfferEnd.EXPIRED, True), heard(3))

    await month()
    before = await scene.facts()
    await month()
    assert await scene.facts() == before


async def test_a_customer_gone_between_assignment_and_connection_frees_the_agent(scene: Scene) -> None:
    """I3: nobody ever disconnects an agent who was never connected."""
    await scene.reactions.when_leg_assigned(LegAssigned("ann", LEG, "o1"), heard(1))
    await scene.reactions.when_leg_dequeued(LegDequeued(LEG, answered=False), heard(2))
    ended = await last(scene)
    assert isinstance(ended, WorkEnded)
    assert not ended.wrap_up_follows


async def test_an_answered_leg_goes_on(scene: Scene) -> None:
    await scene.reactions.when_leg_assigned(LegAssigned("ann", LEG, "o1"), heard(1))
    await scene.reactions.when_leg_dequeued(LegDequeued(LEG, answered=True), heard(2))
    assert isinstance(await last(scene), WorkStarted)


async def test_a_leg_that_was_never_assigned_is_nobodys_work(scene: Scene) -> None:
    before = await scene.facts()
    await scene.reactions.when_leg_dequeued(LegDequeued(Leg("c9", 1), answered=False), heard(1))
    assert await scene.facts() == before


async def test_no_answer_makes_not_ready_only_when_routing_says_so(scene: Scene) -> None:
    """RT-2"""
    await scene.reactions.when_offer_over(OfferOver("ann", "o1", OfferEnd.WITHDRAWN), heard(1))
    assert not isinstance(await last(scene), AgentNotReady)
    await scene.reactions.when_offer_over(OfferOver("ann", "o2", OfferEnd.EXPIRED, True), heard(2))
    assert await last(scene) == AgentNotReady((await last(scene)).stamp, "no_answer")  # type: ignore[attr-defined]


async def test_the_new_pool_is_joined_when_the_old_one_lets_go(scene: Scene) -> None:
    """kernel rule 24"""
    await scene.give(ChangePool("back"))
    await scene.reactions.when_agent_let_go(AgentLetGo("ann", "front"), heard(1))
    joined = await last(scene)
    assert isinstance(joined, JoinedPool)
    assert (joined.stamp.pool, joined.from_pool, joined.standing.takes_offers) == ("back", "front", True)


# -- the time limit of a wrap-up -------------------------------------------------------------------------------------


async def wrapping(scene: Scene) -> None:
    await scene.reactions.when_leg_assigned(LegAssigned("ann", LEG, "o1"), heard(1))
    await scene.reactions.when_agent_left_leg(AgentLeftLeg("ann", LEG), heard(9, "contact-c1", "contact.events.v1"))


async def test_a_wrap_up_ends_at_its_limit(scene: Scene) -> None:
    """AG-2, kernel rule 16"""
    await wrapping(scene)
    assert await scene.store.timers.due(scene.clock.now()) == []
    scene.clock.advance(30_000)
    (timer,) = await scene.store.timers.due(scene.clock.now())
    await scene.fire(timer)
    await scene.fire(timer)
    ended = await last(scene)
    assert isinstance(ended, WrapUpEnded)
    assert ended.by == EndedBy.TIMEOUT
    assert sum(isinstance(fact, WrapUpEnded) for fact in await scene.facts()) == 1
    agent, _ = await scene.agents.known(TENANT, "ann")
    assert activity(agent) == Activity.READY


async def test_an_agent_who_was_faster_has_no_limit_left(scene: Scene) -> None:
    await wrapping(scene)
    await scene.give(EndWrapUp("c1"))
    scene.clock.advance(60_000)
    assert await scene.store.timers.due(scene.clock.now()) == []


async def test_the_ledger_is_cut_to_what_was_asked(scene: Scene) -> None:
    """AG-6"""
    start = scene.clock.now()
    scene.clock.advance(10_000)
    await wrapping(scene)
    spans = await scene.agents.ledger(TENANT, "ann", start + 4_000, start + 12_000)
    assert [(span.activity, span.start - start, span.end - start) for span in spans] == [
        (Activity.READY, 4_000, 10_000),
        (Activity.WRAP_UP, 10_000, 12_000),
    ]


# -- desks -----------------------------------------------------------------------------------------------------------


def offer(scene: Scene, offer_id: str = "o1") -> OfferMade:
    now = scene.clock.now()
    return OfferMade("ann", offer_id, LEG, now, now + 15_000, now)


def nothing() -> None:
    raise AssertionError("no fact is missing")


async def seated(scene: Scene, *stored: OfferMade) -> list[dict]:
    """Frames that Ann's socket gets, from the snapshot on."""
    frames: list[dict] = []
    agent, version = await scene.agents.known(TENANT, "ann")
    scene.desks.open(TENANT, agent, version, stored, frames.append, nothing)
    return frames


async def test_a_desk_gets_a_snapshot_then_each_offer_once(scene: Scene) -> None:
    scene.desks.offered(TENANT, offer(scene, "early"))
    frames = await seated(scene)
    for _ in range(2):
        scene.desks.offered(TENANT, offer(scene))
    scene.desks.over(TENANT, OfferOver("ann", "o1", OfferEnd.WITHDRAWN))
    scene.desks.over(TENANT, OfferOver("ann", "o1", OfferEnd.WITHDRAWN))
    assert [frame["type"] for frame in frames] == ["snapshot", "offer", "offer_gone"]
    assert [one["offer_id"] for one in frames[0]["data"]["offers"]] == ["early"]
    assert frames[0]["data"]["state"] == "ready"
    assert frames[2] == {"type": "offer_gone", "data": {"offer_id": "o1", "reason": "withdrawn"}}


async def test_an_offer_heard_after_its_end_is_never_shown(scene: Scene) -> None:
    scene.desks.over(TENANT, OfferOver("ann", "o1", OfferEnd.ACCEPTED))
    frames = await seated(scene, offer(scene))
    scene.desks.offered(TENANT, offer(scene))
    assert [frame["type"] for frame in frames] == ["snapshot"]
    assert frames[0]["data"]["offers"] == []


async def test_offers_from_before_this_process_are_in_the_snapshot(scene: Scene) -> None:
    await scene.offers.made(TENANT, offer(scene), 7)
    frames = await seated(scene, *await scene.offers.of(TENANT, "ann"))
    assert [one["offer_id"] for one in frames[0]["data"]["offers"]] == ["o1"]
    await scene.offers.over(TENANT, OfferOver("ann", "o1", OfferEnd.EXPIRED), 8)
    assert await scene.offers.of(TENANT, "ann") == []


async def test_an_offer_long_past_its_time_is_forgotten(scene: Scene) -> None:
    scene.desks.offered(TENANT, offer(scene))
    scene.clock.advance(15_000 + 60_001)
    assert (await seated(scene))[0]["data"]["offers"] == []


async def test_changes_are_told_in_order_and_once(scene: Scene) -> None:
    frames = await seated(scene)
    version = frames[0]["version"]
    await wrapping(scene)
    stream = (await scene.agents.command(TENANT, "ann", EndWrapUp(), scene.cause())).stream
    for n, fact in enumerate(await scene.facts(), start=1):
        for _ in range(2):
            scene.desks.changed(stream, n, fact)
    told = [(frame["type"], frame["data"]["state"]) for frame in frames[1:]]
    assert told == [
        ("contact", "assigned"),
        ("state", "busy"),
        ("contact", "wrap_up"),
        ("state", "wrap_up"),
        ("contact", "ended"),
        ("state", "ready"),
    ]
    assert scene.desks.heard(stream) == version + 4


async def test_a_desk_that_misses_a_fact_gives_up_instead_of_guessing(scene: Scene) -> None:
    """The reader of facts may begin after the snapshot: what is folded on a hole would be wrong."""
    frames, lost = [], []
    agent, version = await scene.agents.known(TENANT, "ann")
    scene.desks.open(TENANT, agent, version, (), frames.append, lambda: lost.append(True))
    await wrapping(scene)
    stream = (await scene.agents.command(TENANT, "ann", EndWrapUp(), scene.cause())).stream
    scene.desks.changed(stream, version + 2, (await scene.facts())[version + 1])
    assert (len(frames), lost) == (1, [True])
    impossible = AgentReady(replace((await scene.facts())[0].stamp, agent="ann"))
    other = scene.desks.open(TENANT, replace(agent, presence=SignedIn()), version, (), frames.append, lost.clear)
    other.take(version + 1, impossible)
    assert lost == []


async def test_a_closed_desk_is_told_nothing(scene: Scene) -> None:
    frames: list[dict] = []
    agent, version = await scene.agents.known(TENANT, "ann")
    desk = scene.desks.open(TENANT, agent, version, (), frames.append, nothing)
    scene.desks.close(TENANT, desk)
    scene.desks.offered(TENANT, offer(scene))
    assert len(frames) == 1


async def test_another_tenants_agent_of_the_same_id_is_somebody_else(scene: Scene) -> None:
    """PL-1"""
    frames = await seated(scene)
    scene.desks.offered("other", offer(scene))
    scene.desks.over("other", OfferOver("ann", "o1", OfferEnd.EXPIRED))
    assert len(frames) == 1


# -- the roster ------------------------------------------------------------------------------------------------------


async def test_the_roster_shows_the_fold_of_each_stream(scene: Scene) -> None:
    """I6"""
    await scene.register("bob", "t2")
    for agent in ("ann", "bob"):
        known = (await scene.agents.register(TENANT, replace(ORDER, agent=agent), scene.cause())).stream
        await scene.roster.refresh(known, 1)
    rows = [row async for row in scene.roster.of(TENANT)]
    assert [(row["agent"], row["name"]) for row in rows] == [("ann", "Changed"), ("bob", "Changed")]
    assert [row["agent"] async for row in scene.roster.of(TENANT, after="ann")] == ["bob"]
    assert [row async for row in scene.roster.of("other")] == []


ORDER = RegisterAgent("ann", Card("Changed"), "t1", "front")
