"""What the brokers keep of topics now."""

from __future__ import annotations

from collections.abc import Iterable

from switchlog.bus import clients

from ..app.ports import Where
from ..app.rebuilding import Spans


async def spans(bootstrap: str, topics: Iterable[str]) -> Spans:
    """First offset and end of every partition of ``topics``; raises ``KafkaError`` while the brokers are away."""
    consumer = clients.consumer(bootstrap, None, sorted(topics))
    try:
        await consumer.start()
        assigned = sorted(consumer.assignment())
        begins, ends = await consumer.beginning_offsets(assigned), await consumer.end_offsets(assigned)
    finally:
        await consumer.stop()
    return {Where(one.topic, one.partition): (begins[one], ends[one]) for one in assigned}
