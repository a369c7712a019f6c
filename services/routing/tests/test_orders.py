"""Orders to pools and what is forwarded to them (kernel rules 21 and 23), by hand and without Kafka."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from contactcenter.routing.v1 import events_pb2 as pb
from contactcenter.routing.v1.inbox_pb2 import InboxItem
from routing import wire
from routing.adapters import inbox
from routing.app.orders import ANSWER_WITHIN_S, Orders
from routing.app.ports import Answer
from routing.bus.consumers import forwarder
from routing.domain.commands import MoveContact
from routing.domain.definitions import Action
from routing.domain.events import ContactOverflowed, Explanation, OverflowObserved, PoolTaken
from switchlog.bus.record import Kept
from switchlog.clock import ManualClock
from switchlog.envelope import Cause, Row, StreamId
from switchlog.errors import NotNow, Rejected
from switchlog.outlet import Record

from .bench import NOON
from .test_wire import waited
from .world import POOL, World

CAUSE = Cause("c" * 32, "digest", "sue")
MOVE = MoveContact("c1", "q2", "p2", "c" * 32, reason="why", teams=("t1",))


@dataclass
class Desk:
    """Orders over an inbox and answers that a test fills by hand."""

    up: bool = True
    stuck: bool = False
    sent: list[Record] = field(default_factory=list)
    answers: dict[str, Answer] = field(default_factory=dict)
    looks: int = 0

    def __post_init__(self) -> None:
        self.orders = Orders(self, self.send, inbox.ordered, inbox.TOPIC, ManualClock(NOON), lambda: self.up)  # type: ignore[arg-type]

    async def send(self, topic: str, records: Sequence[Record]) -> None:
        if self.stuck:
            await asyncio.sleep(60)
        self.sent += records

    async def get(self, tenant: str, command_id: str) -> Answer | None:
        self.looks += 1
        return self.answers.get(command_id)

    def answer_in(self, stream: StreamId, row: Row) -> tuple[str, Answer] | None:
        return row.command_id, Answer(stream.name, row.version, "", row.request_sha256)

    def item(self) -> InboxItem:
        (record,) = self.sent
        return InboxItem.FromString(record.value)


def row(version: int, digest: str = "digest") -> Row:
    return Row(version, "", "", CAUSE.command_id, digest, "", "ContactOverflowed", b"", (), NOON)


async def test_an_order_goes_through_the_inbox_and_is_answered_by_its_fact() -> None:
    """Rule 23: with a limit of time, whose rights, and the digest of what was asked."""
    desk = Desk()
    asked = asyncio.create_task(desk.orders.give(POOL, MOVE, CAUSE))
    await asyncio.sleep(0.01)
    command = desk.item().command
    assert command.expires_at.ToMilliseconds() - NOON == ANSWER_WITHIN_S * 1000
    assert (command.principal, list(command.teams), list(command.roles)) == ("sue", ["t1"], [])
    desk.orders.told(POOL, 7, [row(7)])
    done = await asyncio.wait_for(asked, 1)
    assert (done.stream, done.version, done.repeated) == (POOL, 7, False)


async def test_an_answer_that_nobody_heard_is_found_in_the_view() -> None:
    """Rule 23: looked for again and again until the time is over."""
    desk = Desk()
    asked = asyncio.create_task(desk.orders.give(POOL, MOVE, CAUSE))
    await asyncio.sleep(0.01)
    desk.answers[CAUSE.command_id] = Answer(POOL.name, 9, "", "digest")
    assert (await asyncio.wait_for(asked, 1)).version == 9


async def test_what_was_answered_is_not_asked_again() -> None:
    """Rule 23: the answers are looked at before anything is put in; another body is refused."""
    desk = Desk(answers={CAUSE.command_id: Answer(POOL.name, 9, "", "digest")})
    assert (await desk.orders.give(POOL, MOVE, CAUSE)).repeated
    assert (await desk.orders.before("t1", CAUSE)).version == 9  # type: ignore[union-attr]
    with pytest.raises(Rejected, match="IDEMPOTENCY_KEY_REUSED"):
        await desk.orders.give(POOL, MOVE, Cause(CAUSE.command_id, "another", "sue"))
    desk.answers[CAUSE.command_id] = Answer(POOL.name, 9, "NOT_YOUR_QUEUE", "digest")
    with pytest.raises(Rejected, match="NOT_YOUR_QUEUE"):
        await desk.orders.give(POOL, MOVE, CAUSE)
    assert desk.sent == []


async def test_an_order_that_came_too_late_may_be_given_again() -> None:
    """Rule 23: EXPIRED is no answer for good."""
    desk = Desk(answers={CAUSE.command_id: Answer(POOL.name, 9, "EXPIRED", "digest")})
    assert await desk.orders.before("t1", CAUSE) is None
    asked = asyncio.create_task(desk.orders.give(POOL, MOVE, CAUSE))
    await asyncio.sleep(0.01)
    assert desk.sent
    desk.orders.told(POOL, 10, [row(10)])
    assert (await asyncio.wait_for(asked, 1)).version == 10


@pytest.mark.parametrize("desk", [Desk(up=False), Desk(stuck=True)], ids=["known to be away", "does not take it"])
async def test_while_the_bus_is_away_orders_are_refused_within_a_second(desk: Desk) -> None:
    """Architecture: 503 + Retry-After within 1 s."""
    with pytest.raises(NotNow, match="BUS_AWAY"):
        await asyncio.wait_for(desk.orders.give(POOL, MOVE, CAUSE), 1)


# --- what is forwarded ---------------------------------------------------------------------------------------------


def overflow(to_pool: str) -> ContactOverflowed:
    why = Explanation(0, (), "away", "", "")
    what = ("c1", 1, "q1", "p1", Action.QUEUE, "away", "chat", 0, 0, NOON, NOON, "first", "longest-idle@1", why)
    return ContactOverflowed(*what, to_queue="q2", to_pool=to_pool)


def forwarded(event: Any) -> list[Record]:
    world = World(NOON)
    return list(inbox.forwarded(world.record("pool-p1", wire.write(event), "routing.events.v1")))


def test_an_overflow_to_another_pool_reaches_that_pools_inbox() -> None:
    """Rule 21: under the target's key, with the source's place, so that it is dropped when it comes twice."""
    (record,) = forwarded(overflow("p2"))
    assert record.key == b"t1/pool-p2"
    arrived = inbox.taken(Kept(inbox.TOPIC, 0, 5, record.key, record.value, ()))
    assert arrived is not None
    assert arrived.pool == StreamId("t1", "pool-p2")
    assert arrived.item == OverflowObserved("t1/pool-p1", 1, "c1", "first", "q2")
    assert arrived.offset == 5


@pytest.mark.parametrize("event", [overflow("p1"), overflow("")], ids=["to a queue of its own", "to no queue"])
def test_what_stays_in_the_pool_is_not_forwarded(event: ContactOverflowed) -> None:
    """Rule 21: the pool knows its own."""
    assert forwarded(event) == []


def test_other_facts_of_pools_are_not_forwarded() -> None:
    assert forwarded(PoolTaken("me", 1)) == []


async def test_nothing_is_done_before_the_inbox_has_it() -> None:
    """Rule 21: produce, await, then written down as seen: whoever counts first loses it in a crash."""
    world, there = World(NOON), asyncio.Event()
    taken: list[Record] = []

    async def send(topic: str, records: Sequence[Record]) -> None:
        await there.wait()
        taken.extend(records)

    handling = asyncio.create_task(
        forwarder(send, inbox.TOPIC, inbox.forwarded)(  # type: ignore[arg-type]
            [world.record("pool-p1", wire.write(overflow("p2")), "routing.events.v1")]
        )
    )
    await asyncio.sleep(0.01)
    assert not handling.done()
    there.set()
    await handling
    assert len(taken) == 1


async def test_an_inbox_that_does_not_take_it_is_not_passed_over() -> None:
    """Rule 21: the record comes again."""

    async def send(topic: str, records: Sequence[Record]) -> None:
        raise NotNow("BUS_AWAY")

    world = World(NOON)
    with pytest.raises(NotNow):
        await forwarder(send, inbox.TOPIC, inbox.forwarded)(  # type: ignore[arg-type]
            [world.record("pool-p1", wire.write(overflow("p2")), "routing.events.v1")]
        )


def test_every_order_arrives_as_it_was_given() -> None:
    """Rule 23: what is refused is kept whole, so that a replay can ask it again."""
    kept: list[str] = []
    for event, _ in waited().log:
        request = getattr(event, "request", None)
        if request is not None:
            back = wire.read(pb.RoutingEvent.FromString(wire.write(event).SerializeToString()))
            assert back.request == request  # type: ignore[union-attr]
            kept.append(type(request).__name__)
    assert kept == ["MoveContact"]
