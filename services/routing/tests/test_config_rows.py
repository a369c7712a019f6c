"""The published row of a queue: where it is, and whether it takes contacts now (RT-6)."""

from __future__ import annotations

from contactcenter.bus.v1.envelope_pb2 import EventMeta
from contactcenter.routing.v1 import config_pb2 as config
from contactcenter.routing.v1 import events_pb2 as pb
from routing.adapters.config_rows import ConfigRows
from routing.bus.consumers import publisher
from switchlog.bus.record import Received
from switchlog.envelope import StreamId
from switchlog.outlet import Record
from switchlog.store.memory import MemoryStore

POOL = StreamId("t1", "pool-front")


class Topic:
    """What was published of the facts of one pool, as a consumer reads it."""

    def __init__(self) -> None:
        self.rows: list[config.QueueConfigRow] = []
        self.handle = publisher(self._send, "routing.config.v1", ConfigRows(MemoryStore().views).record)

    async def _send(self, topic: str, records: list[Record]) -> None:  # type: ignore[override]
        self.rows += [config.QueueConfigRow.FromString(one.value or b"") for one in records]

    async def defined(self, version: int, *, open: bool = True, removed: bool = False) -> None:
        definition = config.QueueDefinition(queue="sales", open=open, max_length=7)
        await self.hear(version, pb.RoutingEvent(queue_defined=pb.QueueDefined(definition=definition, removed=removed)))

    async def by_hours(self, version: int, *, open: bool, queue: str = "sales", replayed: bool = False) -> None:
        elapsed = pb.TimerElapsed(kind=pb.TIMER_KIND_HOURS, queue=queue, open=open)
        await self.hear(version, pb.RoutingEvent(timer_elapsed=elapsed), replayed=replayed)

    async def hear(self, version: int, event: pb.RoutingEvent, *, replayed: bool = False) -> None:
        fact = event.WhichOneof("fact")
        kind = "QueueDefined" if fact == "queue_defined" else "TimerElapsed"
        event.meta.CopyFrom(EventMeta(tenant_id=POOL.tenant, stream=POOL.name, version=version))
        name, value, id = f"contactcenter.routing.v1.{kind}", event.SerializeToString(), f"e{version}"
        received = Received("routing.events.v1", 0, version, POOL.key, POOL, version, name, id, "", value, {})
        await self.handle(received._replace(replayed=replayed))

    @property
    def last(self) -> config.QueueConfigRow:
        return self.rows[-1]

    @property
    def opened(self) -> list[bool]:
        return [row.open for row in self.rows]


async def test_a_queue_is_published_open_and_closed_as_its_hours_say() -> None:
    """RT-6: with its whole definition and the version of the fact that changed it."""
    topic = Topic()
    await topic.defined(1)
    await topic.by_hours(2, open=False)
    assert (topic.last.pool, topic.last.revision, topic.last.definition.max_length) == ("front", 2, 7)
    assert (topic.last.closed_by_hours, topic.last.definition.open) == (True, True)
    await topic.by_hours(3, open=True)
    assert topic.opened == [True, False, True]


async def test_a_supervisor_and_the_hours_close_a_queue_each_for_itself() -> None:
    """RT-6, RT-8: it is open when both say so."""
    topic = Topic()
    await topic.defined(1)
    await topic.by_hours(2, open=False)
    await topic.defined(3, open=False)
    await topic.by_hours(4, open=True)
    await topic.defined(5, open=True)
    await topic.by_hours(6, open=False)
    await topic.defined(7, open=True)
    assert topic.opened == [True, False, False, False, True, False, False]


async def test_hours_that_are_heard_before_any_definition_are_not_forgotten() -> None:
    """RT-6"""
    topic = Topic()
    await topic.by_hours(1, open=False)
    assert topic.rows == []
    await topic.defined(2)
    assert topic.opened == [False]


async def test_a_queue_that_left_its_pool_is_closed_and_begins_anew_when_it_is_back() -> None:
    """RT-5: nobody reads rules of a queue that is not there."""
    topic = Topic()
    await topic.defined(1)
    await topic.by_hours(2, open=False)
    await topic.defined(3, removed=True)
    assert (topic.last.open, topic.last.HasField("definition")) == (False, False)
    await topic.defined(4)
    assert topic.last.open


async def test_what_is_delivered_again_publishes_the_latest_row_again() -> None:
    """Kernel rule 17: a crash between the row and its record loses nothing, an old fact brings nothing back."""
    topic = Topic()
    await topic.defined(1)
    await topic.by_hours(2, open=False)
    await topic.by_hours(2, open=False)
    await topic.defined(1)
    assert [(row.open, row.revision) for row in topic.rows] == [(True, 1), (False, 2), (False, 2), (False, 2)]


async def test_a_rebuild_keeps_rows_and_publishes_none() -> None:
    topic = Topic()
    await topic.defined(1)
    await topic.by_hours(2, open=False, replayed=True)
    assert topic.opened == [True]
    await topic.defined(3)
    assert topic.opened == [True, False]
