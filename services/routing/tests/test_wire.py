"""Every fact to protobuf and back, and what a pool sees of foreign facts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from google.protobuf import json_format

from contactcenter.agent.v1 import events_pb2 as agent_pb
from contactcenter.contact.v1 import events_pb2 as contact_pb
from contactcenter.contact.v1.types_pb2 import CHANNEL_VOICE
from contactcenter.routing.v1.events_pb2 import RoutingEvent
from routing import wire
from routing.adapters import inbox
from routing.adapters.definitions import queue_definition, queue_form_of
from routing.adapters.forms import QueueIn
from routing.domain import carry
from routing.domain import observed as seen
from routing.domain.commands import (
    AcceptOffer,
    ChoosePolicy,
    DeclineOffer,
    DefineHours,
    DefineQueue,
    DefineWorkflow,
    MoveContact,
    PullContact,
    RaisePriority,
    SetQueueOpen,
    StartDay,
    TakePool,
)
from routing.domain.definitions import (
    Action,
    Hours,
    IntervalTarget,
    OverflowRule,
    Relaxation,
    Span,
    SurgeAction,
    SurgeRule,
    SurgeStep,
    Target,
    Trigger,
    Workflow,
)
from routing.domain.events import (
    ContactObserved,
    Event,
    HoursDefined,
    Observed,
    OverflowObserved,
    Queue,
    TimerElapsed,
    TimerKind,
    WorkflowDefined,
)
from routing.domain.replay import Recorded, replay
from routing.domain.state import Board
from switchlog.errors import Poison

from .scene import START, Scene, fold, only_offer
from .world import World

HISTORY = Path(__file__).parent / "histories" / "a-busy-quarter.jsonl"


def round_trip(event: Event) -> Event | None:
    value = wire.write(event).SerializeToString(deterministic=True)
    return wire.read(RoutingEvent.FromString(value))


def busy() -> Scene:
    """A pool in which every fact there is has happened."""
    pool = Scene()
    pool.tell(TakePool("me", 1))
    pool.queue("q1", short_abandon_ms=3000, required_skills=(("en", 1),))
    pool.queue("q2", offer_timeout_ms=7000, not_ready_on_no_answer=False, credit_ms=500)
    pool.ready("a1", skills=(("en", 2),))
    pool.later(3).ready("a2", skills=(("en", 1),), slots=(("chat", 2), ("voice", 1)))
    first = only_offer(pool.later(5).queued("c1"))
    pool.accept(first.offer_id, first.agent)
    pool.later(9).decline(only_offer(pool.queued("c2", "q2")).offer_id, "a2")
    expired = only_offer(pool.queued("c3", "q2", channel="voice", arrived_at=START))
    pool.later(7000).expire(expired.offer_id)
    pool.later(11).queued("c4", priority=3, preferred_agent="a2")
    pool.accept("nothing", "a1")
    pool.contact(seen.AgentConnected("c1", 1, first.agent, pool.now))
    pool.agent(seen.WrapUpStarted("a1", "c1", 1))
    pool.contact(seen.ContactAbandoned("c4", pool.now))
    pool.queued("c5", required_skills=(("zz", 9),))
    pool.agent(seen.AgentNotReady("a2", "lunch"))
    pool.tell(ChoosePolicy("longest-idle@1", "policy"))
    pool.tell(DeclineOffer("gone", "a2", "late", expires_at=1))
    end = next(iter(pool.board.finalities.values()))[1]
    pool.tell(TimerElapsed(TimerKind.FINALITY, end + 20_000, queue="q1", interval_end=end, threshold_ms=20_000))
    pool.tell(StartDay("2025-06-16", "carry", "Asia/Shanghai"))
    pool.agent(seen.WrapUpEnded("a1", "c1", 1))
    pool.agent(seen.PoolLeaveRequested("a2", "p2"))
    return pool


def waited() -> Scene:
    """A pool in which everything that may happen to a waiting contact has happened."""
    pool = Scene()
    pool.tell(TakePool("me", 1))
    pool.tell(DefineHours(Hours("office", "Asia/Shanghai", ((1, Span(540, 720)), (1, Span(780, 1080)))), "h"))
    targets = (Target("q1", 9000, 3, "", "least-loaded@1"), Target("q2", 20_000, None, "", "", ""))
    pool.tell(DefineWorkflow(Workflow("wide", targets), "w"))
    away = OverflowRule("away", Trigger.WAIT, 60_000, Action.QUEUE, "q2", "p2")
    more = OverflowRule("more", Trigger.WAIT, 30_000, Action.GROUP, to_team="reserve")
    shut = OverflowRule("shut", Trigger.CLOSED, 0, Action.VOICEMAIL)
    pool.queue(
        "q1",
        relaxations=(Relaxation(5000, "en", 1),),
        overflows=(more, away, shut),
        workflow="wide",
        required_skills=(("en", 3),),
        hours="office",
        max_wait_ms=90_000,
        interval_targets=(IntervalTarget((6, 7), 1320, 480, 60_000, 800_000),),
        surge=SurgeRule(steps=(SurgeStep("help", SurgeAction.RESERVE, 5, to_team="reserve"),)),
        parameters=(("ageing_ms_per_priority", "1000"),),
        channels=("chat",),
    )
    pool.queue("q2")
    for contact in ("c1", "c2", "c3", "c4"):
        pool.queued(contact, required_skills=(("zh", 1),), attributes=(("tier", "gold"),))
    for _ in range(4):
        pool.step("c1")
    pool.tell(RaisePriority("c2", 9, 500, "raise", reason="angry", teams=None))
    pool.ready("a1")
    pool.tell(PullContact("c2", "a1", "pull", reason="mine"))
    pool.tell(MoveContact("c3", "q2", "", "move", reason="wrong-queue"))
    pool.tell(MoveContact("c3", "q2", "", "again", reason="wrong-queue", teams=("t",)))
    pool.tell(ChoosePolicy("round-robin@1", "how", queue="q2", parameters=(("ageing_ms_per_priority", "7"),)))
    pool.tell(OverflowObserved("t1/pool-p2", 5, "c9", "far", "q2"))
    pool.tell(TimerElapsed(TimerKind.HOURS, pool.now, queue="q2", open=True, threshold_ms=60_000))
    pool.tell(SetQueueOpen("q1", False, "shut", reason="fire"))
    _surge(pool)
    return pool


def _surge(pool: Scene) -> None:
    """Too many come to q3, who are told how long it will be, and then nobody."""
    steps = (SurgeStep("sorry", SurgeAction.MESSAGE, message="many-callers"),)
    pool.queue("q3", announce_wait=True, surge=SurgeRule(usual_milli=3000, steps=steps))
    pool.ready("a3")
    pool.served("c20", queue="q3")
    for n in range(21, 40):
        pool.queued(f"c{n}", "q3")
    for minutes in (0, 6, 17):
        pool.later(minutes * 60_000).tell(TimerElapsed(TimerKind.SURGE, pool.now, queue="q3", usual_milli=1000))
    pool.done("c20", "a3")
    pool.tell(StartDay("2025-06-17", "carry-2", "Asia/Shanghai"))


def test_every_fact_comes_back_from_its_bytes() -> None:
    """All but what was observed, which is told by its own bytes."""
    log = [*busy().log, *waited().log]
    events = [event for event, _ in log if not isinstance(event, Observed)]
    kinds = {type(event) for event, _ in log}
    assert kinds == set(Event.__args__), set(Event.__args__) - kinds
    for event in events:
        back = round_trip(event)
        if hasattr(event, "queue") and isinstance(event.queue, Queue):
            assert settings(back.queue) == settings(event.queue)  # type: ignore[union-attr]
        elif isinstance(event, HoursDefined):
            assert replace(back.hours, definition=b"") == event.hours  # type: ignore[union-attr]
        elif isinstance(event, WorkflowDefined):
            assert replace(back.workflow, definition=b"") == event.workflow  # type: ignore[union-attr]
        elif type(event).__name__ != "PoolCarried":
            assert back == event


def settings(queue: Queue) -> tuple[object, ...]:
    return tuple(getattr(queue, name) for name in Queue.__slots__ if name != "definition")


@pytest.mark.parametrize("scene", [busy, waited])
def test_a_board_carried_through_bytes_is_the_board(scene: Callable[[], Scene]) -> None:
    """Rule 19: the digest holds for what a stranger process reads."""
    board = fold([(round_trip(e) if not isinstance(e, Observed) else e, at) for e, at in scene().log])
    events = [round_trip(event) for event in carry.chapter(board, "2025-06-17", "carry-2", "UTC")]
    back = carry.joined("t1", "p1", events[1:-1], events[-1])  # type: ignore[arg-type]
    assert back is not None
    assert carry.pack(back) == carry.pack(board)


def test_a_contacts_fact_arrives_as_it_was_forwarded() -> None:
    """Rule 21: the inbox record carries the fact whole, under its pool's key."""
    world = World(START)
    (arrived,) = world.queued("c1", priority=4, preferred_agent="a9", skills=(("en", 0),), credit_ms=7)
    assert isinstance(arrived.item, ContactObserved)
    assert arrived.item.fact == seen.ContactQueued("c1", 1, "q1", "p1", "chat", START, START, 4, 7, (("en", 1),), "a9")
    assert arrived.pool.key == "t1/pool-p1"
    assert (arrived.item.source, arrived.item.version) == ("t1/contact-c1", 1)
    assert arrived.cause.correlation_id == "contact-c1"
    back = round_trip(arrived.item)
    assert back == arrived.item
    stored = wire.write(arrived.item).contact_observed.fact  # type: ignore[attr-defined]
    assert stored.SerializeToString(deterministic=True) == arrived.item.raw


def test_a_contact_that_left_for_another_pool_is_seen_by_both() -> None:
    world = World(START)
    both = world.queued("c1", leg=2, pool="p2", from_pool="p1")
    assert [one.pool.name for one in both] == ["pool-p2", "pool-p1"]


def test_facts_without_a_pool_or_of_no_interest_are_not_forwarded() -> None:
    world = World(START)
    assert world.contact("c1", contact_started=contact_pb.ContactStarted()) == []
    assert world.contact("c1", message_received=contact_pb.MessageReceived(pool="p1", queue="q1", leg=1)) == []
    assert world.agent("a1", skills_assigned=agent_pb.SkillsAssigned(agent="a1")) == []
    assert world.agent("a1", work_started=agent_pb.WorkStarted(agent="a1", pool="p1")) == []


@pytest.mark.parametrize(
    ("fact", "expected"),
    [
        ({"agent_ready": agent_pb.AgentReady(pool="p1")}, seen.AgentReady("a1")),
        ({"agent_not_ready": agent_pb.AgentNotReady(pool="p1", reason="tea")}, seen.AgentNotReady("a1", "tea")),
        ({"agent_signed_out": agent_pb.AgentSignedOut(pool="p1")}, seen.AgentCheckedOut("a1")),
        ({"team_assigned": agent_pb.TeamAssigned(pool="p1", team="x")}, seen.TeamAssigned("a1", "x")),
        (
            {"pool_leave_requested": agent_pb.PoolLeaveRequested(pool="p1", to_pool="p2")},
            seen.PoolLeaveRequested("a1", "p2"),
        ),
        ({"work_ended": agent_pb.WorkEnded(pool="p1", contact="c1", leg=2)}, seen.WorkEnded("a1", "c1", 2)),
    ],
)
def test_an_agents_fact_is_seen_in_our_words(fact: dict, expected: seen.AgentFact) -> None:
    (arrived,) = World(START).agent("a1", **fact)
    assert arrived.item.fact == expected  # type: ignore[union-attr]


def test_work_that_a_wrap_up_follows_gives_no_place_back() -> None:
    """Rule 24, AG-2."""
    assert World(START).work_ended("a1", "c1", wrap_up_follows=True) == []


def test_capacity_by_slots_and_cost_is_seen() -> None:
    """CH-2."""
    fact = agent_pb.CapacitySet(agent="a1", pool="p1", units=100)
    fact.capacities.add(channel=CHANNEL_VOICE, slots=1, cost=100)
    (arrived,) = World(START).agent("a1", capacity_set=fact)
    assert arrived.item.fact.capacity == seen.Capacity((("voice", 1),), (("voice", 100),), 100)  # type: ignore[union-attr]


EN = QueueIn.model_validate(
    {
        "pool": "p1",
        "name": "销售",
        "open": False,
        "offer_timeout_s": 7.5,
        "credit_s": 90,
        "required_skills": [{"skill": "en", "min_level": 2}],
    }
)


@pytest.mark.parametrize(
    "order",
    [
        AcceptOffer("o1", "a1", "c" * 32),
        DeclineOffer("o1", "a1", "c" * 32, reason="busy"),
        ChoosePolicy("longest-idle@1", "c" * 32),
        DefineQueue(wire.queue_of(queue_definition("q1", EN)), "c" * 32),
    ],
)
def test_an_order_arrives_as_it_was_given(order: object) -> None:
    """Rule 23."""
    arrived = World(START).order(order, expires_in_ms=5000)  # type: ignore[arg-type]
    assert arrived.item.expires_at == START + 5000  # type: ignore[union-attr]
    assert type(order)(**{**_fields(arrived.item), "expires_at": 0}) == order
    assert (arrived.cause.command_id, arrived.cause.digest) == ("c" * 32, "d" * 64)


def _fields(order: object) -> dict[str, object]:
    return {name: getattr(order, name) for name in type(order).__slots__}  # type: ignore[attr-defined]


def test_a_queues_settings_come_back_as_they_were_written() -> None:
    assert queue_form_of(wire.queue_of(queue_definition("q1", EN)).definition, "p1") == EN


def test_a_fact_too_large_to_be_observed_is_parked() -> None:
    """Wrapped in what the pool saw, Kafka would refuse it."""
    world = World(START)
    fact = contact_pb.ContactQueued(leg=1, queue="q1", pool="p1", locale="x" * inbox.MAX_FACT_BYTES)
    received = world.record("contact-c1", contact_pb.ContactEvent(contact_queued=fact), "contact.events.v1")
    with pytest.raises(Poison, match="TOO_LARGE"):
        list(inbox.forwarded(received))


def test_an_unreadable_inbox_record_is_poison() -> None:
    raw = World(START).record("contact-c1", contact_pb.ContactEvent(contact_started={}), "contact.events.v1")
    with pytest.raises(Poison):
        inbox.taken(raw._replace(value=b"\xff\xff"))  # type: ignore[arg-type]


# --- the recorded history ------------------------------------------------------------------------------------------


def recorded() -> Iterator[tuple[RoutingEvent, Recorded]]:
    for line in HISTORY.read_text().splitlines():
        message = json_format.Parse(line, RoutingEvent())
        event = wire.read(message)
        assert event is not None
        yield message, (event, message.meta.recorded_at.ToMilliseconds())


def test_the_recorded_history_replays_to_the_identical_decisions() -> None:
    """RT-10: recorded once, decided again by every later version of the rules."""
    history = [event for _, event in recorded()]
    assert len(history) > 200
    assert replay(history, Board("t1", "p1")) is None


def test_the_recorded_history_reads_and_writes_to_the_same_facts() -> None:
    """P5, golden facts."""
    for message, (event, _) in recorded():
        if not isinstance(event, Observed):
            again = wire.write(event)
            again.meta.CopyFrom(message.meta)  # type: ignore[attr-defined]
            assert json.loads(json_format.MessageToJson(again)) == json.loads(json_format.MessageToJson(message))


@pytest.mark.parametrize("seed", ["0", "1", "4711", "random"])
def test_replay_does_not_depend_on_the_hash_seed(seed: str) -> None:
    """RT-10: no decision rests on the order of a set or dict that hashing could change."""
    code = (
        "from routing.domain import carry; from routing.domain.replay import replay;"
        "from routing.domain.state import Board; from tests.test_wire import recorded; board = Board('t1', 'p1');"
        "print(replay([event for _, event in recorded()], board), carry.digest(board).hex())"
    )
    service = Path(__file__).parents[1]
    command = [sys.executable, "-c", code]
    environment = {**os.environ, "PYTHONHASHSEED": seed}
    done = subprocess.run(command, cwd=service, env=environment, capture_output=True, text=True, check=True)
    board = Board("t1", "p1")
    assert replay([event for _, event in recorded()], board) is None
    assert done.stdout.split() == ["None", carry.digest(board).hex()]


@pytest.mark.parametrize("kind", ["joined_pool", "agent_ready", "agent_not_ready", "capacity_set", "work_ended"])
def test_a_history_with_facts_left_out_diverges(kind: str) -> None:
    """The replay would notice: without the agents' facts of one kind other decisions are made."""
    lines = list(recorded())
    kept = [event for message, event in lines if message.agent_observed.fact.WhichOneof("fact") != kind]
    assert len(kept) < len(lines)
    assert replay(kept, Board("t1", "p1")) is not None


def test_a_history_whose_agent_has_another_skill_diverges() -> None:
    lines = list(recorded())
    for message, _ in lines:
        for skill in message.agent_observed.fact.joined_pool.standing.skills:
            skill.level = 1
    altered = [(wire.read(message), at) for message, (_, at) in lines]
    assert replay(altered, Board("t1", "p1")) is not None  # type: ignore[arg-type]
