"""Supervisors' orders through a whole process over Kafka, and overflows from one pool to another (RT-5, RT-8)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import httpx2
import pytest
from aiokafka import AIOKafkaConsumer

from contactcenter.contact.v1 import events_pb2 as contact_pb
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT
from contactcenter.routing.v1 import events_pb2 as pb
from contactcenter.routing.v1 import service_pb2 as api
from contactcenter.routing.v1.service_pb2_grpc import RoutingServiceStub
from switchlog import rpc
from switchlog.errors import Forbidden, NotFound, Rejected
from switchlog.testing import TestIssuer, eventually, own_store

from .test_process import BOOTSTRAP, Running, started

pytestmark = pytest.mark.kafka


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    with own_store("routing", tmp_path) as settings:
        async with started(settings, BOOTSTRAP) as service:
            yield service


class Log:
    """What the topic holds of a tenant's pools."""

    def __init__(self, tenant: str) -> None:
        self._tenant = tenant

    async def first(self, pool: str, kind: str, fits: Callable[[pb.RoutingEvent], bool]) -> pb.RoutingEvent:
        consumer = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, auto_offset_reset="earliest")
        await consumer.start()
        try:
            consumer.subscribe(["routing.events.v1"])

            async with asyncio.timeout(30):
                async for record in consumer:
                    if record.key == f"{self._tenant}/pool-{pool}".encode():
                        event = pb.RoutingEvent.FromString(record.value)
                        if event.WhichOneof("fact") == kind and fits(event):
                            return event
        finally:
            await consumer.stop()
        raise AssertionError(kind)


def sue(running: Running, *teams: str) -> dict[str, str]:
    return running.issuer.bearer("sue", ("supervisor",), teams=teams or ("t1",))


async def ask(running: Running, path: str, who: dict[str, str], key: str = "", **body: object) -> httpx2.Response:
    headers = who | {"Idempotency-Key": key or uuid.uuid4().hex}
    return await running.http.post(path, json=body, headers=headers)


async def waiting(running: Running, *contacts: str) -> None:
    """They wait in ``sales``, which an agent of team t1 serves who has no room now."""
    await running.world.staffed("ann", slots=0)
    for contact in contacts:
        await running.world.queued(contact)

    async def seen() -> bool:
        state = await running.state()
        return [one["contact"] for one in state["waiting"]] == list(contacts) and len(state["agents"]) == 1

    await eventually(seen)


async def test_a_contact_moved_to_another_pool_is_known_there_by_where_it_came_from(running: Running) -> None:
    """RT-8 move, RT-5, kernel rules 21 and 23: ordered, answered, forwarded, attributed."""
    vip = {"pool": "back", "offer_timeout_s": 20}
    root = running.bearer("root", "admin")
    assert (await running.http.put("/v1/queues/vip", json=vip, headers=root)).status_code == 200
    await eventually(lambda: _known(running, "vip"))
    await waiting(running, "c1")
    moved = await ask(running, "/v1/contacts/c1:move", sue(running), "k1", to_queue="vip", reason="vip-guest")
    assert moved.status_code == 200, moved.text
    log = Log(running.tenant)
    went = await log.first("front", "contact_overflowed", lambda event: True)
    moved_by = went.meta.actor, went.contact_overflowed.rule, went.contact_overflowed.reason
    assert moved_by == ("sue", "supervisor", "vip-guest")
    assert moved.json() == {"stream": "pool-front", "version": went.meta.version}
    again = await ask(running, "/v1/contacts/c1:move", sue(running), "k1", to_queue="vip", reason="vip-guest")
    assert (again.status_code, again.json()) == (200, moved.json())
    other = await ask(running, "/v1/contacts/c1:move", sue(running), "k1", to_queue="vip", reason="else")
    assert (other.status_code, other.json()["reason"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    heard = await log.first("back", "overflow_observed", lambda event: True)
    assert heard.overflow_observed.source_stream == f"{running.tenant}/pool-front"
    fact = contact_pb.ContactQueued(leg=2, queue="vip", pool="back", from_pool="front", channel=CHANNEL_CHAT)
    await running.world.contact("c1", contact_queued=fact)
    waits = await log.first("back", "contact_waiting", lambda event: event.contact_waiting.contact == "c1")
    assert waits.contact_waiting.origin_queue == "sales"


async def test_who_may_not_order_is_told_so(running: Running) -> None:
    """Trust: agents and administrators move nobody, supervisors only in own queues; unknown is unknown."""
    await waiting(running, "c1")
    body = {"priority": 3, "reason": "angry"}
    refused = [
        (running.bearer("ann"), 403),
        (running.bearer("root", "admin"), 403),
        (sue(running, "t9"), 409),
    ]
    for who, status in refused:
        assert (await ask(running, "/v1/contacts/c1:raise", who, **body)).status_code == status
    assert (await ask(running, "/v1/contacts/nobody:raise", sue(running), **body)).status_code == 404
    assert (await ask(running, "/v1/contacts/c1:raise", sue(running), **body, colour="red")).status_code == 422
    assert (await ask(running, "/v1/contacts/c1:raise", sue(running), **body)).status_code == 200
    shown = (await running.state())["waiting"][0]
    assert (shown["contact"], shown["priority"]) == ("c1", 3)
    late = await ask(running, "/v1/contacts/c1:pull", sue(running), agent="ann")
    assert (late.status_code, late.json()["reason"]) == (409, "AGENT_NO_CHANNEL")


async def test_a_queue_is_closed_opened_and_removed(running: Running) -> None:
    """RT-8: closed at once for whoever comes; the published row says so; gone when empty."""
    await waiting(running)
    assert (await ask(running, "/v1/queues/sales:close", sue(running), reason="fire")).status_code == 200
    await running.world.queued("late")
    log = Log(running.tenant)
    left = await log.first("front", "contact_dequeued", lambda event: event.contact_dequeued.contact == "late")
    assert left.contact_dequeued.outcome == pb.DEQUEUE_OUTCOME_BLOCKED
    assert await eventually(lambda: _open(running, False))
    assert (await ask(running, "/v1/queues/sales:open", running.bearer("root", "admin"))).status_code == 200
    assert await eventually(lambda: _open(running, True))
    assert (await ask(running, "/v1/queues/sales:remove", sue(running), reason="old")).status_code == 200

    async def gone() -> bool:
        return (await running.http.get("/v1/queues/sales", headers=sue(running))).status_code == 404

    await eventually(gone)
    assert (await ask(running, "/v1/queues/sales:close", sue(running))).status_code == 404


async def test_supervisors_order_by_grpc_too(running: Running) -> None:
    """PL-2: the same rights, refusals and answers."""
    await waiting(running, "c1", "c2")
    tokens = Tokens(running.issuer, "sue", "supervisor", ("t1",))
    made = rpc.channel(f"127.0.0.1:{running.settings.kernel.grpc_port}", tokens, settings=running.settings.kernel)
    stub = RoutingServiceStub(made)
    raised = await stub.RaisePriority(api.RaisePriorityRequest(contact="c2", priority=7, credit_ms=5))
    assert raised.answer.stream == "pool-front"
    called = await stub.RequestCallback(api.RequestCallbackRequest(contact="c1", reason="asked"))
    assert called.answer.version > raised.answer.version
    with pytest.raises(Rejected, match="AGENT_NO_CHANNEL"):
        await stub.PullContact(api.PullContactRequest(contact="c2", agent="ann"))
    with pytest.raises(Rejected, match="UNKNOWN_QUEUE"):
        await stub.MoveContact(api.MoveContactRequest(contact="c2", to_queue="nowhere"))
    with pytest.raises(NotFound):
        await stub.RaisePriority(api.RaisePriorityRequest(contact="nobody", priority=7))
    with pytest.raises(Rejected, match="QUEUE_NOT_EMPTY"):
        await stub.RemoveQueue(api.RemoveQueueRequest(queue="sales"))
    closed = await stub.SetQueueOpen(api.SetQueueOpenRequest(queue="sales", open=False))
    assert closed.answer.version > called.answer.version
    await made.close()
    made = rpc.channel(
        f"127.0.0.1:{running.settings.kernel.grpc_port}",
        Tokens(running.issuer, "root", "admin", ()),
        settings=running.settings.kernel,
    )
    with pytest.raises(Forbidden):
        await RoutingServiceStub(made).MoveContact(api.MoveContactRequest(contact="c2", to_queue="sales"))
    await made.close()


class Tokens:
    def __init__(self, issuer: TestIssuer, subject: str, role: str, teams: tuple[str, ...]) -> None:
        self._issued = issuer.issue(subject, (role,), teams=teams)

    async def token(self) -> str:
        return self._issued


async def _known(running: Running, queue: str) -> bool:
    return (await running.http.get(f"/v1/queues/{queue}", headers=running.bearer("ann"))).status_code == 200


async def _open(running: Running, said: bool) -> bool:
    return (await running.http.get("/v1/queues/sales", headers=running.bearer("ann"))).json()["open"] is said
