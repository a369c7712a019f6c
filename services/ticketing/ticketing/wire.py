"""Facts of a ticket to protobuf and back, and the contacts' facts this service listens to."""

from __future__ import annotations

from functools import singledispatch
from typing import cast

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.message import Message

from contactcenter.bus.v1.envelope_pb2 import Sealed
from contactcenter.contact.v1.events_pb2 import ContactEvent
from contactcenter.routing.v1.config_pb2 import OVERFLOW_ACTION_CALLBACK
from contactcenter.routing.v1.events_pb2 import RoutingEvent
from contactcenter.ticket.v1 import events_pb2 as pb
from switchlog.bus.record import Received
from switchlog.envelope import Codec

from .app.reactions import CallbackPromised
from .domain import events as domain
from .domain.events import Kind, SealedText, Source, Status, TicketEvent, Visibility
from .projections.contacts import ContactSeen

TOPIC = "ticket.events.v1"


def write(event: TicketEvent) -> Message:
    """The topic's message with its fact set."""
    return _write(event)


def read(message: Message) -> TicketEvent | None:
    """The event; ``None`` for facts that this version does not know."""
    event = cast(pb.TicketEvent, message)
    match event.WhichOneof("fact"):
        case "ticket_opened":
            return _read_opened(event.ticket_opened)
        case "ticket_assigned":
            given = event.ticket_assigned
            return domain.TicketAssigned(given.ticket, given.agent, given.team, given.from_agent)
        case "ticket_commented":
            said = event.ticket_commented
            public = said.visibility == pb.COMMENT_VISIBILITY_PUBLIC
            visibility = Visibility.PUBLIC if public else Visibility.INTERNAL
            return domain.TicketCommented(said.ticket, said.comment_id, visibility, _open(said.body), said.author)
        case "status_changed":
            moved = event.status_changed
            before, after = read_status(moved.from_status), read_status(moved.to_status)
            return domain.StatusChanged(moved.ticket, before, after, moved.reason)
        case "ticket_resolved":
            solved = event.ticket_resolved
            return domain.TicketResolved(solved.ticket, solved.resolution, solved.resolved_by)
        case "ticket_reopened":
            return domain.TicketReopened(event.ticket_reopened.ticket, event.ticket_reopened.reason)
        case "ticket_closed":
            return domain.TicketClosed(event.ticket_closed.ticket, event.ticket_closed.reason)
        case _:
            return None


CODEC: Codec[TicketEvent] = Codec("ticketing", TOPIC, pb.TicketEvent, write, read)


def read_contact(received: Received) -> ContactSeen:
    """What a contact's fact adds to what is known of it here."""
    event = received.parse(ContactEvent)
    match event.WhichOneof("fact"):
        case "contact_started":
            return ContactSeen(customer_ref=event.contact_started.customer_ref)
        case "contact_queued":
            return ContactSeen(queue=event.contact_queued.queue)
        case "agent_connected":
            return ContactSeen(agent=event.agent_connected.agent)
        case _:
            return ContactSeen()


def read_callback(received: Received) -> CallbackPromised | None:
    """What routing promised: a call back, as a fact of any pool."""
    event = received.parse(RoutingEvent)
    flown = event.contact_overflowed
    if event.WhichOneof("fact") != "contact_overflowed" or flown.action != OVERFLOW_ACTION_CALLBACK:
        return None
    at = event.meta.recorded_at.ToMilliseconds()
    return CallbackPromised(flown.contact, flown.leg, flown.queue, flown.priority, at)


def known_status(value: int) -> Status | None:
    """``None`` for one that is not known here."""
    word = _word(pb.TicketStatus.DESCRIPTOR, value)
    return Status(word) if word in set(Status) else None


def read_status(value: int) -> Status:
    """One that a later version added reads as a ticket that somebody is at."""
    return known_status(value) or Status.IN_PROGRESS


def read_ticket_kind(value: int) -> Kind:
    """One that is not known here reads as a question."""
    word = _word(pb.TicketKind.DESCRIPTOR, value)
    return Kind(word) if word in set(Kind) else Kind.QUESTION


def _read_source(value: int) -> Source:
    """One that is not known here reads as the API."""
    word = _word(pb.TicketSource.DESCRIPTOR, value)
    return Source(word) if word in set(Source) else Source.API


def status_value(status: Status) -> pb.TicketStatus.ValueType:
    return pb.TicketStatus.Value(f"TICKET_STATUS_{status.name}")


@singledispatch
def _write(event: TicketEvent) -> pb.TicketEvent:
    raise TypeError(f"no fact for {type(event).__name__}")


@_write.register
def _(event: domain.TicketOpened) -> pb.TicketEvent:
    fact = pb.TicketOpened(
        ticket=event.ticket,
        contact=event.contact,
        customer_ref=event.customer_ref,
        kind=pb.TicketKind.Value(f"TICKET_KIND_{event.kind.name}"),
        priority=event.priority,
        subject=_sealed(event.subject),
        body=_sealed(event.body) if event.body is not None else None,
        department=event.department,
        opened_by=event.opened_by,
        source=pb.TicketSource.Value(f"TICKET_SOURCE_{event.source.name}"),
        queue=event.queue,
    )
    return pb.TicketEvent(ticket_opened=fact)


@_write.register
def _(event: domain.TicketAssigned) -> pb.TicketEvent:
    fact = pb.TicketAssigned(ticket=event.ticket, agent=event.agent, team=event.team, from_agent=event.from_agent)
    return pb.TicketEvent(ticket_assigned=fact)


@_write.register
def _(event: domain.TicketCommented) -> pb.TicketEvent:
    fact = pb.TicketCommented(
        ticket=event.ticket,
        comment_id=event.comment_id,
        visibility=pb.CommentVisibility.Value(f"COMMENT_VISIBILITY_{event.visibility.name}"),
        body=_sealed(event.body),
        author=event.author,
    )
    return pb.TicketEvent(ticket_commented=fact)


@_write.register
def _(event: domain.StatusChanged) -> pb.TicketEvent:
    fact = pb.StatusChanged(
        ticket=event.ticket,
        from_status=status_value(event.from_status),
        to_status=status_value(event.to_status),
        reason=event.reason,
    )
    return pb.TicketEvent(status_changed=fact)


@_write.register
def _(event: domain.TicketResolved) -> pb.TicketEvent:
    fact = pb.TicketResolved(ticket=event.ticket, resolution=event.resolution, resolved_by=event.resolved_by)
    return pb.TicketEvent(ticket_resolved=fact)


@_write.register
def _(event: domain.TicketReopened) -> pb.TicketEvent:
    return pb.TicketEvent(ticket_reopened=pb.TicketReopened(ticket=event.ticket, reason=event.reason))


@_write.register
def _(event: domain.TicketClosed) -> pb.TicketEvent:
    return pb.TicketEvent(ticket_closed=pb.TicketClosed(ticket=event.ticket, reason=event.reason))


def _read_opened(fact: pb.TicketOpened) -> domain.TicketOpened:
    return domain.TicketOpened(
        fact.ticket,
        fact.customer_ref,
        read_ticket_kind(fact.kind),
        fact.priority,
        _open(fact.subject),
        _open(fact.body) if fact.HasField("body") else None,
        fact.opened_by,
        _read_source(fact.source),
        fact.contact,
        fact.queue,
        fact.department,
    )


def _word(kind: EnumDescriptor, value: int) -> str:
    """The enum's word without its prefix, in lower case; empty when a later version added it."""
    found = kind.values_by_number.get(value)
    prefix = kind.values_by_number[0].name.removesuffix("UNSPECIFIED")
    return found.name.removeprefix(prefix).lower() if found else ""


def _sealed(text: SealedText) -> Sealed:
    return Sealed(key_id=text.key_id, nonce=text.nonce, ciphertext=text.ciphertext)


def _open(sealed: Sealed) -> SealedText:
    return SealedText(sealed.key_id, sealed.nonce, sealed.ciphertext)
