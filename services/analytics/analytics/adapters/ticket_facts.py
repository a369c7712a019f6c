"""Facts of tickets (``ticket.events.v1``) into folds of their states."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from google.protobuf.message import DecodeError

from contactcenter.ticket.v1 import events_pb2 as pb
from switchlog.errors import Poison

from ..app.ports import Read
from ..domain import tickets
from ..domain.levels import CellKey
from ..domain.states import States
from ..domain.tickets import Out, Ticket
from ..wire import CHANNELS, happened_at

TOPIC = "ticket.events.v1"

Handler = Callable[[Ticket, Out, int, Any], None]


def read(value: bytes | None) -> pb.TicketEvent:
    """The value as an event; raises ``Poison("UNDECODABLE")``."""
    try:
        return pb.TicketEvent.FromString(value or b"")
    except DecodeError as error:
        raise Poison("UNDECODABLE", str(error)) from error


def needed(found: Iterable[Read]) -> set[CellKey]:
    """No counters: contributions wait for theirs."""
    return set()


def fold(board: States[Ticket], found: Iterable[Read]) -> None:
    """Change the tickets that ``found`` tells of."""
    for event, kind, key, offset in found:
        meta, ticket = event.meta, board.states[key]
        out: Out = []
        handler = _FACTS.get(kind)
        if handler is not None:
            handler(ticket, out, happened_at(meta), getattr(event, kind))
        board.happened(key, ticket, meta.version, offset, out)


def _opened(ticket: Ticket, out: Out, at: int, fact: pb.TicketOpened) -> None:
    channel = CHANNELS.get(fact.channel, "unspecified")
    complaint = fact.kind == pb.TICKET_KIND_COMPLAINT
    tickets.opened(ticket, out, at, fact.queue, channel, fact.customer_ref, fact.topic, complaint)


def _commented(ticket: Ticket, out: Out, at: int, fact: pb.TicketCommented) -> None:
    if fact.visibility == pb.COMMENT_VISIBILITY_PUBLIC:
        tickets.commented(ticket, out, at, fact.author, fact.automatic)


def _marked(ticket: Ticket, out: Out, at: int, fact: pb.ComplaintMarked) -> None:
    tickets.complained(ticket, out, at, fact.about_agent, fact.withdrawn)


_FACTS: Mapping[str, Handler] = {
    "ticket_opened": _opened,
    "ticket_commented": _commented,
    "ticket_resolved": lambda ticket, out, at, fact: tickets.resolved(ticket, out, at, fact.resolved_by),
    "ticket_reopened": lambda ticket, out, at, fact: tickets.reopened(ticket, out, at),
    "complaint_marked": _marked,
}
