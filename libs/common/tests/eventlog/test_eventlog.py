"""EventLogService over real gRPC: healing, replay, and whose log one may read (contracts, gRPC, P7)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from contactcenter.agent.v1 import events_pb2
from contactcenter.bus.v1 import event_log_pb2 as pb
from contactcenter.bus.v1 import event_log_pb2_grpc as pb_grpc
from switchlog import rpc
from switchlog.bus.healing import missing
from switchlog.bus.record import Kept, read_event
from switchlog.envelope import Cause, Codec, Row, StreamId, compose
from switchlog.errors import Forbidden, NotFound, NotNow, Poison, Rejected
from switchlog.eventlog import EventLog, EventLogHealer
from switchlog.store.memory import MemoryStore
from switchlog.testing.identity import TestIssuer, test_settings

OWNER = "agent_state"
CODEC: Codec[str] = Codec(
    OWNER,
    "agent.events.v1",
    events_pb2.AgentEvent,
    lambda text: events_pb2.AgentEvent(agent_not_ready=events_pb2.AgentNotReady(reason=text)),
    lambda message: message.agent_not_ready.reason,
)
A, B = StreamId("acme", "agent-a"), StreamId("acme", "agent-b")
FOREIGN = StreamId("globex", "agent-a")


def rows(of: StreamId, *texts: str, after: int = 0) -> list[Row]:
    decided = [(Cause(f"c{after + n}", "", "tester"), [text]) for n, text in enumerate(texts, 1)]
    return compose(of, after, decided, CODEC, f"b{after}", 1_750_000_000_000)


@dataclass
class Topics:
    """An outlet that takes two rows at a time."""

    published: list[tuple[str, bytes, int]] = field(default_factory=list)
    made: list[str] = field(default_factory=list)

    async def publish(self, topic: str, key: bytes, rows: Sequence[Row]) -> int:
        self.published += [(topic, key, row.version) for row in rows[:2]]
        return min(2, len(rows))

    async def close(self) -> None:
        return None

    async def make(self, topic: str) -> None:
        self.made.append(topic)


@dataclass
class Bearer:
    value: str

    async def token(self) -> str:
        return self.value


@dataclass
class World:
    store: MemoryStore
    issuer: TestIssuer
    topics: Topics
    address: str

    def healer(self, roles: Sequence[str] = ("service",), tenant: str = "acme") -> EventLogHealer:
        return EventLogHealer({OWNER: self.address}, Bearer(self.issuer.issue("routing", roles, tenant=tenant)))

    @asynccontextmanager
    async def stub(self, *roles: str, tenant: str = "acme") -> AsyncIterator[Any]:
        channel = rpc.channel(self.address, Bearer(self.issuer.issue("someone", roles, tenant=tenant)))
        try:
            yield pb_grpc.EventLogServiceStub(channel)
        finally:
            await channel.close()

    async def hold(self, stream: StreamId, *texts: str) -> list[Row]:
        made = rows(stream, *texts, after=await self.store.events.head(stream))
        await self.store.events.append(stream, made[0].version - 1, made[0].batch_id, made)
        return made


@pytest.fixture
async def world() -> AsyncIterator[World]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    store, issuer, topics = MemoryStore(), TestIssuer(), Topics()
    servicer = EventLog(store.events, topics, topics.make)
    add = pb_grpc.add_EventLogServiceServicer_to_server
    server = rpc.create_server([(add, servicer)], issuer.verifier, test_settings(OWNER, grpc_port=port))
    await server.start()
    yield World(store, issuer, topics, f"127.0.0.1:{port}")
    await server.stop(None)


async def replayed(stub: Any, **request: Any) -> list[pb.ReplayResponse]:
    return [answer async for answer in stub.Replay(pb.ReplayRequest(**request))]


async def test_the_healer_gets_the_published_bytes_and_headers(world):
    made = await world.hold(A, "1", "2", "3", "4")
    healer = world.healer()
    found = await healer.read(OWNER, A, 1, 3)
    await healer.close()
    assert [(r.version, r.event_id, r.type, r.value, r.headers) for r in found] == [
        (r.version, r.event_id, r.type, r.value, r.headers) for r in made[1:3]
    ]


async def test_a_hole_is_filled_over_the_wire(world):
    made = await world.hold(A, *"12345")
    record = read_event(Kept("t", 0, 0, A.key.encode(), made[4].value, made[4].headers))
    healer = world.healer()
    assert [r.version for r in await missing(healer, record, 1)] == [2, 3, 4]
    with pytest.raises(Poison, match="NOT_IN_OWNERS_LOG"):
        await missing(healer, record._replace(value=b"forged"), 1)
    await healer.close()


async def test_a_long_stream_of_large_events_comes_in_pages(world):
    for n in range(12):
        await world.hold(A, *(f"{n}-{'x' * 3000}" for _ in range(100)))
    healer = world.healer()
    found = await healer.read(OWNER, A, 0, 10**15)
    await healer.close()
    assert [row.version for row in found] == list(range(1, 1201))


async def test_an_unknown_stream_is_not_found_and_a_known_one_read_to_its_end_is_empty(world):
    await world.hold(A, "1")
    healer = world.healer()
    assert await healer.read(OWNER, A, 1, 5) == []
    with pytest.raises(NotFound):
        await healer.read(OWNER, B, 0, 5)
    await healer.close()


async def test_an_unknown_owner_is_poison_and_an_absent_one_is_waited_for(world):
    healer = EventLogHealer({"gone": "127.0.0.1:1"}, Bearer("x"))
    with pytest.raises(Poison, match="UNKNOWN_OWNER"):
        await healer.read("mallory", A, 0, 1)
    with pytest.raises(NotNow):
        await healer.read("gone", A, 0, 1)
    await healer.close()


async def test_a_service_whose_token_is_refused_waits(world):
    await world.hold(A, "1")
    healer = world.healer(roles=("agent",))
    with pytest.raises(NotNow, match="OWNER_UNREADABLE"):
        await healer.read(OWNER, A, 0, 1)
    await healer.close()


async def test_only_services_read_streams(world):
    await world.hold(A, "1")
    for role in ("agent", "supervisor", "admin", "analyst"):
        async with world.stub(role) as stub:
            with pytest.raises(Forbidden):
                await anext(aiter(stub.ReadStream(pb.ReadStreamRequest(stream=A.name))))


async def test_only_a_service_may_name_a_tenant(world):
    await world.hold(FOREIGN, "theirs")
    healer = world.healer()
    assert len(await healer.read(OWNER, FOREIGN, 0, 9)) == 1
    await healer.close()
    async with world.stub("admin") as stub:
        with pytest.raises(Forbidden):
            await replayed(stub, tenant_id="globex")
        assert [e for answer in await replayed(stub) for e in answer.events] == []


async def test_absurd_numbers_are_no_error(world):
    await world.hold(A, "1")
    async with world.stub("service") as stub:
        request = pb.ReadStreamRequest(stream=A.name, after=2**64 - 1, up_to=2**64 - 1)
        assert [answer async for answer in stub.ReadStream(request)] == []
        with pytest.raises(Rejected):
            await anext(aiter(stub.ReadStream(pb.ReadStreamRequest(stream="../x"))))


async def test_replay_sends_a_range_of_time_back_in_order(world):
    await world.hold(A, "1", "2")
    await world.hold(B, "1")
    await world.hold(FOREIGN, "theirs")
    at = (await world.store.events.read(A))[0].recorded_at
    async with world.stub("admin") as stub:
        request = pb.ReplayRequest()
        request.recorded_from.FromMilliseconds(at)
        request.recorded_until.FromMilliseconds(at + 1)
        answers = [answer async for answer in stub.Replay(request)]
        assert [(e.stream, e.version) for a in answers for e in a.events] == [
            (A.name, 1),
            (A.name, 2),
            (B.name, 1),
        ]
        assert answers[-1].done and answers[-1].replayed == 3
        request.recorded_from.FromMilliseconds(at + 1)
        request.recorded_until.FromMilliseconds(at + 9)
        assert [answer.replayed async for answer in stub.Replay(request)] == [0]
        assert [e.stream for a in await replayed(stub, stream_prefix="agent-b") for e in a.events] == [B.name]


async def test_replay_into_a_private_topic_keeps_keys_and_order(world):
    await world.hold(A, *"12345")
    async with world.stub("service") as stub:
        answers = await replayed(stub, topic="replay.acme.audit")
    assert world.topics.made == ["replay.acme.audit"]
    assert world.topics.published == [("replay.acme.audit", A.key.encode(), n) for n in range(1, 6)]
    assert answers[-1].replayed == 5 and not any(answer.events for answer in answers)


@pytest.mark.parametrize("topic", ["agent.events.v1", "replay.globex.x", "replay.acme./../x", "replay.acme.é"])
async def test_replay_never_goes_to_a_public_or_foreign_topic(world, topic):
    await world.hold(A, "1")
    async with world.stub("admin") as stub:
        with pytest.raises(Rejected, match="BAD_TOPIC"):
            await replayed(stub, topic=topic)
    assert world.topics.published == []


async def test_one_channel_serves_many_healings_at_once(world):
    await world.hold(A, *map(str, range(50)))
    healer = world.healer()
    found = await asyncio.gather(*(healer.read(OWNER, A, n, 50) for n in range(50)))
    await healer.close()
    assert [len(each) for each in found] == [50 - n for n in range(50)]
