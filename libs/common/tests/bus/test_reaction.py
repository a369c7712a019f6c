"""A reaction's cause comes from the fact, so a redelivery gives the same command (kernel rules 6, 7)."""

from __future__ import annotations

import pytest

from switchlog.bus.reaction import cause_of, reaction
from switchlog.bus.record import Received, read_event
from switchlog.clock import SystemClock
from switchlog.decider import Decider
from switchlog.envelope import Source
from switchlog.errors import Poison
from switchlog.ids import reaction_id
from switchlog.store.memory import MemoryStore
from switchlog.writer import Writer

from .broker import Broker
from .kit import CODEC, TOPIC, World, rows, stream

A, B = stream("agent-a"), stream("agent-b")


def received(topic: str = TOPIC, n: int = 1) -> Received:
    broker = Broker()
    row = rows(A, *map(str, range(n)))[-1]
    return read_event(broker.produce(topic, A.key.encode(), row.value, row.headers))


def writer(store: MemoryStore) -> Writer[str, int, str]:
    decider = Decider(0, lambda command, state, now: [command], lambda state, event: state + 1)
    return Writer(store.events, decider, CODEC, lambda *_: None, SystemClock())


def test_the_cause_names_the_fact():
    cause = cause_of(received(), "when_not_ready", "testing", 2)
    assert cause.command_id == reaction_id(A.key, 1, "when_not_ready", 2)
    assert cause.source == Source(A.key, 1, 2, "when_not_ready")
    assert cause.causation_id == received().event_id
    assert cause.correlation_id == A.name and cause.actor == "testing"


def test_a_value_without_meta_is_undecodable():
    with pytest.raises(Poison, match="UNDECODABLE"):
        received()._replace(value=b"\x52\x00").meta()
    with pytest.raises(Poison, match="UNDECODABLE"):
        received()._replace(value=b"\xff").meta()


async def test_the_same_fact_reacts_once():
    store = MemoryStore()
    first = await reaction(writer(store), B, "x", received(), "when")
    again = await reaction(writer(store), B, "x", received(), "when")
    assert (first.repeated, again.repeated) == (False, True)
    assert await store.events.head(B) == 1


async def test_several_commands_to_one_stream_are_numbered():
    store = MemoryStore()
    for n in (0, 1, 1, 0):
        await reaction(writer(store), B, f"x{n}", received(), "when", n)
    assert CODEC.events(await store.events.read(B)) == ["x0", "x1"]


async def test_a_replayed_record_gives_no_command():
    store = MemoryStore()
    answer = await reaction(writer(store), B, "x", received("replay.acme.audit"), "when")
    assert answer.repeated and await store.events.head(B) == 0


async def test_a_topic_delivered_twice_reacts_once_even_when_seen_is_lost():
    """The target's fold remembers too (kernel rule 7)."""
    world, store = World(), MemoryStore()
    world.publish(A, *map(str, range(300)))
    target = writer(store)

    async def handle(record: Received) -> None:
        await reaction(target, B, str(record.version), record, "when")

    for _ in range(2):
        world.store = MemoryStore()
        world.broker.again("testing-react")
        async with world.running(handle=handle):
            await world.all_committed()
    assert CODEC.events(await store.events.read(B)) == [str(n) for n in range(1, 301)]
