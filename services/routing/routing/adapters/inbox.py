"""The inbox of pools: facts put in under their pool's key, orders put in, and both taken out again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, cast

from contactcenter.agent.v1.events_pb2 import AgentEvent
from contactcenter.contact.v1.events_pb2 import ContactEvent
from contactcenter.routing.v1 import inbox_pb2 as pb
from contactcenter.routing.v1.events_pb2 import RoutingEvent
from switchlog.bus.record import Raw, Received
from switchlog.envelope import Cause, StreamId, parse
from switchlog.errors import Poison
from switchlog.ids import reaction_id
from switchlog.outlet import Record

from ..app.ports import Arrived
from ..domain import observed as seen
from ..domain.commands import Order
from ..domain.events import AgentObserved, ContactObserved, OverflowObserved
from ..wire import SERVICE
from .asked import read_order, write_order
from .seen import pools_of, read_agent, read_contact

TOPIC = "routing.inbox.v1"
CONTACTS = "contact.events.v1"
AGENTS = "agent.events.v1"
POOLS = "routing.events.v1"
MAX_FACT_BYTES = 128 * 1024


class Partitioned(Protocol):
    """What of a record says where it stood."""

    @property
    def value(self) -> bytes | None: ...
    @property
    def offset(self) -> int: ...


def forwarded(received: Received) -> Iterator[Record]:
    """The inbox records that a fact of a contact, an agent or another pool makes; none when no decision rests on it.

    Raises ``Poison`` for one so large that, wrapped in what the pool saw, Kafka would refuse it.
    """
    if received.stream.name.startswith("pool-"):
        yield from _overflow(received)
        return
    if len(received.value) > MAX_FACT_BYTES:
        raise Poison("TOO_LARGE", f"{received.key} v{received.version} has {len(received.value)} bytes")
    item = pb.InboxItem(
        tenant_id=received.stream.tenant,
        source_topic=received.topic,
        source_stream=received.key,
        source_version=received.version,
        traceparent=received.traceparent,
    )
    event: ContactEvent | AgentEvent
    if received.stream.name.startswith("contact-"):
        event = received.parse(ContactEvent)
        relevant = not isinstance(read_contact(event), seen.Irrelevant)
        item.contact_event.CopyFrom(event)
    else:
        event = received.parse(AgentEvent)
        relevant = not isinstance(read_agent(event), seen.Irrelevant)
        item.agent_event.CopyFrom(event)
    for pool in pools_of(event) if relevant else ():
        item.pool = pool
        yield _record(item)


def _overflow(received: Received) -> Iterator[Record]:
    """A contact that leaves for another pool: that pool is to know where it came from (rule 21)."""
    if not received.type.endswith(".ContactOverflowed"):
        return
    event = received.parse(RoutingEvent)
    to_pool = event.contact_overflowed.to_pool
    if to_pool and f"pool-{to_pool}" != received.stream.name:
        yield _record(
            pb.InboxItem(
                tenant_id=received.stream.tenant,
                pool=to_pool,
                source_topic=received.topic,
                source_stream=received.key,
                source_version=received.version,
                traceparent=received.traceparent,
                routing_event=event,
            )
        )


def ordered(pool: StreamId, order: Order, cause: Cause, expires_at: int) -> Record:
    """The inbox record of an order; ``expires_at`` in epoch milliseconds."""
    command = pb.PoolCommand(principal=cause.actor, request_sha256=cause.digest, correlation_id=cause.correlation_id)
    write_order(command, order)
    command.command_id = cause.command_id
    command.expires_at.FromMilliseconds(expires_at)
    item = pb.InboxItem(tenant_id=pool.tenant, pool=pool.name.removeprefix("pool-"), traceparent=cause.traceparent)
    item.command.CopyFrom(command)
    return _record(item)


def taken(raw: Raw) -> Arrived | None:
    """What stands in an inbox record; ``None`` for an input of a later version. Raises ``Poison`` when undecodable."""
    item = cast(pb.InboxItem, parse(pb.InboxItem, raw.value or b""))
    if not (item.tenant_id and item.pool):
        raise Poison("UNDECODABLE", "an inbox item names a tenant and a pool")
    pool = StreamId(item.tenant_id, f"pool-{item.pool}")
    match item.WhichOneof("input"):
        case "contact_event":
            fact = read_contact(item.contact_event)
            bytes_ = item.contact_event.SerializeToString(deterministic=True)
            seen_now = ContactObserved(item.source_stream, item.source_version, fact, raw.offset, bytes_)
            return Arrived(pool, seen_now, _fact_cause(item, item.contact_event), raw.offset)
        case "agent_event":
            about = read_agent(item.agent_event)
            bytes_ = item.agent_event.SerializeToString(deterministic=True)
            saw = AgentObserved(item.source_stream, item.source_version, about, raw.offset, bytes_)
            return Arrived(pool, saw, _fact_cause(item, item.agent_event), raw.offset)
        case "routing_event":
            went = item.routing_event.contact_overflowed
            where = item.source_stream, item.source_version
            heard = OverflowObserved(*where, went.contact, went.origin_queue, went.to_queue, raw.offset)
            return Arrived(pool, heard, _fact_cause(item, item.routing_event), raw.offset)
        case "command":
            order = read_order(item.command)
            return Arrived(pool, order, _order_cause(item), raw.offset) if order else None
        case _:
            return None


def _record(item: pb.InboxItem) -> Record:
    key = f"{item.tenant_id}/pool-{item.pool}".encode()
    headers = (("traceparent", item.traceparent.encode()),) if item.traceparent else ()
    return Record(key, item.SerializeToString(deterministic=True), headers)


def _fact_cause(item: pb.InboxItem, event: ContactEvent | AgentEvent | RoutingEvent) -> Cause:
    return Cause(
        command_id=reaction_id(item.source_stream, item.source_version, f"observe-{item.pool}"),
        digest="",
        actor=SERVICE,
        causation_id=event.meta.event_id,
        correlation_id=event.meta.correlation_id,
        traceparent=item.traceparent,
    )


def _order_cause(item: pb.InboxItem) -> Cause:
    command = item.command
    return Cause(
        command_id=command.command_id,
        digest=command.request_sha256,
        actor=command.principal,
        correlation_id=command.correlation_id,
        traceparent=item.traceparent,
    )
