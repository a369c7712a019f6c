"""The row that other services read of a queue: in which pool it is, open or not."""

from __future__ import annotations

from contactcenter.routing.v1.config_pb2 import QueueConfigRow
from contactcenter.routing.v1.events_pb2 import RoutingEvent
from switchlog.bus.record import Received
from switchlog.outlet import Record

TOPIC = "routing.config.v1"


def config_row(received: Received) -> Record | None:
    """The row of a ``QueueDefined`` as published; a queue that left its pool takes nothing there any more."""
    event = received.parse(RoutingEvent)
    if event.WhichOneof("fact") != "queue_defined":
        return None
    definition, tenant = event.queue_defined.definition, received.stream.tenant
    row = QueueConfigRow(
        tenant_id=tenant,
        queue=definition.queue,
        pool=received.stream.name.removeprefix("pool-"),
        open=definition.open and not event.queue_defined.removed,
        name=definition.name,
        revision=received.version,
        definition=definition,
        recorded_at=event.meta.recorded_at,
    )
    return Record(f"{tenant}/{definition.queue}".encode(), row.SerializeToString(deterministic=True))
