"""Facts as the event store has them: versions without holes, recorded in order, bytes that never change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import uuid5

from contactcenter.agent.v1.events_pb2 import AgentEvent
from contactcenter.catalogue import NS_SWITCHLOG
from contactcenter.contact.v1.events_pb2 import ContactEvent
from contactcenter.external.v1.events_pb2 import ExternalEvent
from contactcenter.routing.v1.events_pb2 import RoutingEvent
from contactcenter.ticket.v1.events_pb2 import TicketEvent

KINDS: Mapping[str, tuple[str, str, Any]] = {
    "contact": ("contact.events.v1", "ingress_voice", ContactEvent),
    "agent": ("agent.events.v1", "agent_state", AgentEvent),
    "pool": ("routing.events.v1", "routing", RoutingEvent),
    "ticket": ("ticket.events.v1", "ticketing", TicketEvent),
    "feed": ("external.events.v1", "analytics", ExternalEvent),
}
"""Kind of stream -> its topic, the service that writes it, the topic's message."""


class Published(NamedTuple):
    """A record to be produced; ``at`` is when it was recorded, epoch milliseconds."""

    topic: str
    key: bytes
    value: bytes
    headers: list[tuple[str, bytes]]
    at: int


@dataclass
class Streams:
    """The streams of one tenant; ``said`` is what they publish, in the order in which it was recorded."""

    tenant: str
    said: list[Published] = field(default_factory=list)
    _versions: dict[str, int] = field(default_factory=dict)
    _recorded: dict[str, int] = field(default_factory=dict)

    def say(self, stream: str, fact: Any, occurred_at: int, recorded_at: int) -> Any:
        """Append ``fact`` and publish it; the event. Its time of record never decreases within the stream."""
        topic, service, message = KINDS[stream.partition("-")[0]]
        event = message(**{_field(fact): fact})
        version = self._versions[stream] = self._versions.get(stream, 0) + 1
        recorded = self._recorded[stream] = max(recorded_at, self._recorded.get(stream, 0))
        self._stamp(event.meta, stream, version, occurred_at, recorded)
        value = event.SerializeToString(deterministic=True)
        headers = _headers(event.meta, fact, message, service, occurred_at)
        self.said.append(Published(topic, f"{self.tenant}/{stream}".encode(), value, headers, recorded))
        return event

    def _stamp(self, meta: Any, stream: str, version: int, occurred_at: int, recorded_at: int) -> None:
        meta.event_id = uuid5(NS_SWITCHLOG, f"{self.tenant}|{stream}|seeded|{version}").hex
        meta.tenant_id, meta.stream, meta.version = self.tenant, stream, version
        meta.occurred_at.FromMilliseconds(occurred_at)
        meta.recorded_at.FromMilliseconds(recorded_at)
        meta.correlation_id, meta.causation_id, meta.actor = stream, meta.event_id, "seeded"


def _field(fact: Any) -> str:
    """``ContactQueued`` -> ``contact_queued``."""
    name = fact.DESCRIPTOR.name
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _headers(meta: Any, fact: Any, message: Any, service: str, occurred_at: int) -> list[tuple[str, bytes]]:
    told = datetime.fromtimestamp(occurred_at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    words = {
        "ce_specversion": "1.0",
        "ce_id": meta.event_id,
        "ce_type": fact.DESCRIPTOR.full_name,
        "ce_dataschema": message.DESCRIPTOR.full_name,
        "ce_source": f"/switchlog/{service}",
        "ce_subject": meta.stream,
        "ce_time": told,
        "ce_tenantid": meta.tenant_id,
        "ce_streamversion": str(meta.version),
        "content-type": "application/protobuf",
    }
    return [(name, word.encode()) for name, word in words.items()]
