"""The promises to subscribers, checked from outside: by our own reader, and by kcat."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import grpc

from contactcenter.bus.v1.event_log_pb2 import ReadStreamRequest
from contactcenter.bus.v1.event_log_pb2_grpc import EventLogServiceStub
from switchlog.testing import eventually

from .centre import STORY, kcat
from .centre.centre import Centre
from .centre.checks import check
from .centre.log import EVENTS, Fact
from .centre.plan import HOST, SERVICES
from .centre.tenant import Tenant

pytestmark = STORY


async def busy(centre: Centre, tenant: Tenant) -> None:
    """A contact during which its ingress and the pool's owner are killed, and streams published twice on purpose."""
    await tenant.queue()
    ann, visitor = await tenant.agent("ann", wrap_up_s=0), await tenant.visitor()
    await visitor.say("one")
    await ann.takes(visitor.contact)
    for n in range(20):
        await ann.says(visitor.contact, f"answer {n}")
    await asyncio.gather(
        centre.restart("ingress_chat", signal.SIGKILL),
        centre.restart("routing", signal.SIGKILL),
    )
    await ann.ends(visitor.contact)
    await ann.is_in("ready", within_s=20)
    await tenant.log.settled(tenant.id)
    await asyncio.gather(
        publish_again(centre, tenant, "ingress_chat", f"contact-{visitor.contact}", 3),
        publish_again(centre, tenant, "routing", "pool-front", 1),
    )
    await tenant.log.settled(tenant.id)


async def publish_again(centre: Centre, tenant: Tenant, service: str, stream: str, first: int) -> None:
    """``relay --stream S --from N``, as an operator would, beside the running service."""
    planned = centre.plan.service(service)
    command = (sys.executable, "-m", service, "relay", "--stream", stream, "--tenant", tenant.id, "--from", str(first))
    relaying = await asyncio.create_subprocess_exec(
        *command, env=dict(planned.environment), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    out, _ = await asyncio.wait_for(relaying.communicate(), 60)
    assert relaying.returncode == 0, out.decode()


async def test_every_stream_is_published_in_order_without_holes_and_repeats_are_the_same_bytes(
    centre: Centre, tenant: Tenant
) -> None:
    """P1 P2 P3 P5; invariants I1 I5: over all that happened in this centre, crashes and republications included"""
    await busy(centre, tenant)

    async def all_out() -> bool:
        facts = [fact for fact in centre.log.facts if fact.tenant in centre.tenants]
        assert check(facts) > 0, "nothing was published twice: the test proves nothing about repeats"
        await same_as_the_owners_log(centre, facts)
        return True

    await eventually(all_out, within_s=30, every_s=0.5)  # a restarted owner is still taking the pools of all stories


async def test_kcat_reads_the_same(centre: Centre, tenant: Tenant) -> None:
    """P1 P2 P3 P5: with a consumer that we did not write, by headers alone"""
    await tenant.queue()
    ann, visitor = await tenant.agent("ann"), await tenant.visitor()
    await visitor.say("one")
    await ann.takes(visitor.contact)
    ours = {(fact.topic, fact.partition, fact.offset): fact for fact in await tenant.log.settled(tenant.id)}
    read = {topic: await kcat.read(topic) for topic in EVENTS}
    theirs = {
        (record.topic, record.partition, record.offset): record
        for records in read.values()
        for record in records
        if record.headers.get("ce_tenantid") == tenant.id.encode()
    }
    assert ours.keys() == theirs.keys() and len(ours) > 15
    for place, fact in ours.items():
        record = theirs[place]
        assert (record.key.decode(), record.value) == (fact.key, fact.value)
        assert record.headers == fact.headers
        assert record.headers["ce_specversion"] == b"1.0"
        assert record.headers["ce_type"].decode().endswith(f".{fact.name}")
        assert record.headers["content-type"] == b"application/protobuf"


async def same_as_the_owners_log(centre: Centre, facts: Iterable[Fact]) -> None:
    """P1: what each owner has stored is what was published, event by event, and no more."""
    published: dict[tuple[str, str], dict[int, Fact]] = defaultdict(dict)
    for fact in facts:
        published[fact.tenant, fact.stream].setdefault(fact.version, fact)
    owners = {key: _owner(next(iter(events.values()))) for key, events in published.items()}
    metadata = [("authorization", f"Bearer {await centre.tokens().token()}")]
    for service in SERVICES:
        async with grpc.aio.insecure_channel(f"{HOST}:{centre.plan.grpc_ports[service]}") as channel:
            stub: Any = EventLogServiceStub(channel)
            for (tenant, stream), events in published.items():
                if owners[tenant, stream] == service:
                    stored = await _stored(stub, tenant, stream, metadata)
                    assert stored == [(version, events[version].value) for version in sorted(events)], stream


async def _stored(stub: Any, tenant: str, stream: str, metadata: Any) -> list[tuple[int, bytes]]:
    request = ReadStreamRequest(tenant_id=tenant, stream=stream)
    return [
        (event.version, event.value)
        async for answer in stub.ReadStream(request, timeout=20, metadata=metadata)
        for event in answer.events
    ]


def _owner(fact: Fact) -> str:
    return fact.headers["ce_source"].decode().rpartition("/")[2]
