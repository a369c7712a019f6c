"""The row that other services read of a queue: in which pool it is, open or not, by its definition and by its hours."""

from __future__ import annotations

from dataclasses import dataclass

from contactcenter.routing.v1.config_pb2 import QueueConfigRow
from contactcenter.routing.v1.events_pb2 import TIMER_KIND_HOURS, RoutingEvent
from switchlog.bus.record import Received
from switchlog.outlet import Record
from switchlog.store import ViewStore

TOPIC = "routing.config.v1"
VIEW = "config_rows"


@dataclass(frozen=True)
class ConfigRows:
    """Rows as last published, by pool: the calendar is told without the definition, and the other way round."""

    views: ViewStore

    async def record(self, received: Received) -> Record | None:
        """The row as it stands after a fact about its queue; ``None`` after others, and before it was ever defined.

        Raises ``Poison`` for bytes that are no fact. The same again, or an older fact, gives the latest row again.
        """
        event = received.parse(RoutingEvent)
        queue = _queue(event)
        if not queue:
            return None
        stored = await self.views.get(VIEW, received.stream.key, queue)
        row = QueueConfigRow.FromString(stored.value) if stored else QueueConfigRow()
        if stored is None or stored.version < received.version:
            _fold(row, event, received)
            await self.views.put(VIEW, received.stream.key, queue, _bytes(row), received.version)
        return Record(f"{row.tenant_id}/{queue}".encode(), _bytes(row)) if row.queue else None


def _queue(event: RoutingEvent) -> str:
    """The queue whose row an event changes; empty: none."""
    if event.WhichOneof("fact") == "queue_defined":
        return event.queue_defined.definition.queue
    elapsed = event.timer_elapsed
    return elapsed.queue if elapsed.kind == TIMER_KIND_HOURS else ""


def _fold(row: QueueConfigRow, event: RoutingEvent, received: Received) -> None:
    if event.WhichOneof("fact") == "queue_defined":
        _define(row, event, received)
    else:
        row.closed_by_hours = not event.timer_elapsed.open
    row.open = row.definition.open and not row.closed_by_hours
    row.revision = received.version
    row.recorded_at.CopyFrom(event.meta.recorded_at)


def _define(row: QueueConfigRow, event: RoutingEvent, received: Received) -> None:
    """A queue that left its pool takes nothing there any more, and what it did when closed is gone with it."""
    defined = event.queue_defined.definition
    row.tenant_id, row.queue, row.name = received.stream.tenant, defined.queue, defined.name
    row.pool = received.stream.name.removeprefix("pool-")
    if event.queue_defined.removed:
        row.ClearField("definition")
        row.closed_by_hours = False
    else:
        row.definition.CopyFrom(defined)


def _bytes(row: QueueConfigRow) -> bytes:
    return row.SerializeToString(deterministic=True)
