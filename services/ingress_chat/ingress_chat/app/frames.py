"""What people at both ends of a conversation are shown of each fact: JSON frames with ``seq`` = version in the log."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from switchlog.envelope import Codec, Row, StreamId
from switchlog.errors import Poison
from switchlog.seal import Erased

from ..domain.events import (
    AgentConnected,
    AgentDisconnected,
    ContactEnded,
    ContactEvent,
    ContactQueued,
    Message,
    MessageReceived,
    MessageSent,
    SystemConnected,
)
from .handlers import RECEIVED_BODY, SENT_BODY
from .ports import Sealer


@dataclass(frozen=True)
class Frames:
    """Renders rows of contact streams; texts are opened here, for the two people they belong to."""

    codec: Codec[ContactEvent]
    sealer: Sealer

    async def render(self, contact: StreamId, row: Row, customer_ref: str) -> dict[str, Any] | None:
        """A frame, or ``None`` for facts that nobody needs to see."""
        event = self.codec.read(self.codec.parse(row.value))
        match event:
            case MessageReceived(message):
                return await self._message(contact, row, customer_ref, message, RECEIVED_BODY, {"from": "customer"})
            case MessageSent(message, agent=agent):
                shown = {"from": "agent", "agent": agent}
                return await self._message(contact, row, customer_ref, message, SENT_BODY, shown)
            case ContactQueued(queue=queue):
                return _status(contact, row, {"state": "waiting", "queue": queue})
            case SystemConnected(system):
                return _status(contact, row, {"state": "leave_message", "system": system})
            case AgentConnected(agent=agent):
                return _status(contact, row, {"state": "connected", "agent": agent})
            case AgentDisconnected(agent=agent):
                return _status(contact, row, {"state": "agent_left", "agent": agent})
            case ContactEnded(reason):
                return _status(contact, row, {"state": "ended", "reason": reason.value})
            case _:
                return None

    async def _message(
        self, contact: StreamId, row: Row, customer_ref: str, message: Message, field: str, side: dict[str, str]
    ) -> dict[str, Any]:
        data: dict[str, Any] = {"kind": message.kind.value, **side}
        data |= await self._text(contact, customer_ref, message, field)
        if message.attachment_ref:
            data["attachment"] = message.attachment_ref
        return _frame("message", message.message_id, contact, row, data)

    async def _text(self, contact: StreamId, customer_ref: str, message: Message, field: str) -> dict[str, Any]:
        if message.body is None:
            return {}
        try:
            opened = await self.sealer.open(contact.tenant, customer_ref, field, message.body)
        except Erased:
            return {"erased": True}
        except Poison:  # one damaged text must not hide the rest of the conversation
            return {"unreadable": True}
        return {"text": opened.decode(errors="replace")}


def _status(contact: StreamId, row: Row, data: dict[str, Any]) -> dict[str, Any]:
    return _frame("status", row.event_id, contact, row, data)


def _frame(kind: str, id: str, contact: StreamId, row: Row, data: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": kind,
        "id": id,
        "seq": row.version,
        "contact": contact.name.removeprefix("contact-"),
        "data": data | {"at_ms": row.recorded_at},
    }
