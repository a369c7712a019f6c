"""The catalogue of topics, read from the contracts themselves: which there are, whose, how kept, what they carry."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from types import ModuleType

from google.protobuf.descriptor import Descriptor

from contactcenter.agent.v1 import events_pb2 as agent
from contactcenter.analytics.v1 import events_pb2 as alerts
from contactcenter.analytics.v1 import rows_pb2 as figures
from contactcenter.bus.v1 import envelope_pb2, options_pb2
from contactcenter.contact.v1 import events_pb2 as contact
from contactcenter.customer.v1 import events_pb2 as customer
from contactcenter.external.v1 import events_pb2 as external
from contactcenter.recording.v1 import events_pb2 as recording
from contactcenter.routing.v1 import config_pb2, inbox_pb2
from contactcenter.routing.v1 import events_pb2 as routing
from contactcenter.ticket.v1 import events_pb2 as ticket

NS_SWITCHLOG = uuid.UUID(envelope_pb2.DESCRIPTOR.GetOptions().Extensions[options_pb2.ns_switchlog])

DAY_MS = 24 * 3600 * 1000
MAX_MESSAGE_BYTES = 1024 * 1024

_SOURCES: tuple[ModuleType, ...] = (
    contact, agent, routing, ticket, external, recording, customer, config_pb2, figures, alerts, inbox_pb2,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic; ``message`` is its values' full name, ``retention_ms`` ``None`` when it is ``compacted``."""

    name: str
    message: str
    key: str
    partitions: int
    retention_ms: int | None
    compacted: bool
    data_class: str
    owners: tuple[str, ...]
    internal: bool = False

    @property
    def owner(self) -> str:
        """The services that write it, in one text."""
        return ", ".join(self.owners)

    @property
    def facts(self) -> tuple[str, ...]:
        """Full names of the facts it carries, in the order of their fields; empty for rows."""
        return _facts(self.message)

    @property
    def config(self) -> dict[str, str]:
        """The topic's settings on a broker, each said explicitly."""
        return {
            "cleanup.policy": "compact" if self.compacted else "delete",
            "retention.ms": str(-1 if self.retention_ms is None else self.retention_ms),
            "message.timestamp.type": "LogAppendTime",
            "max.message.bytes": str(MAX_MESSAGE_BYTES),
        }


def topic(name: str) -> Topic:
    """The topic called ``name``; raises ``KeyError``."""
    return BY_NAME[name]


def dead_letters(origin: Topic, group: str) -> Topic:
    """Where ``group`` puts what it can never read of ``origin``: the bytes and headers as they were."""
    return replace(
        origin,
        name=f"{origin.name}.dead.{group}",
        partitions=6,
        retention_ms=14 * DAY_MS,
        compacted=False,
        owners=(group,),
        internal=True,
    )


def _descriptors() -> list[Descriptor]:
    return [message for source in _SOURCES for message in source.DESCRIPTOR.message_types_by_name.values()]


def _facts(message: str) -> tuple[str, ...]:
    found = next(each for each in _descriptors() if each.full_name == message)
    oneof = found.oneofs_by_name.get("fact")
    kinds = (field.message_type for field in oneof.fields) if oneof else ()
    return tuple(kind.full_name for kind in kinds if kind is not None)


def _read() -> tuple[Topic, ...]:
    found = []
    for message in _descriptors():
        if message.GetOptions().HasExtension(options_pb2.topic):
            found.append(_topic(message.full_name, message.GetOptions().Extensions[options_pb2.topic]))
    return tuple(found)


def _topic(message: str, said: options_pb2.Topic) -> Topic:
    return Topic(
        name=said.name,
        message=message,
        key=said.key,
        partitions=said.partitions,
        retention_ms=said.retention_ms or None,
        compacted=said.compacted,
        data_class=options_pb2.DataClass.Name(said.data_class).removeprefix("DATA_CLASS_"),
        owners=tuple(said.owners),
        internal=said.internal,
    )


TOPICS: tuple[Topic, ...] = _read()
BY_NAME: dict[str, Topic] = {each.name: each for each in TOPICS}
