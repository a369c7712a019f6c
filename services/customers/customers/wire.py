"""Facts of a customer reference to protobuf and back."""

from __future__ import annotations

from functools import singledispatch
from typing import cast

from google.protobuf.message import Message

from contactcenter.contact.v1.events_pb2 import ContactEvent
from contactcenter.customer.v1 import events_pb2 as pb
from switchlog.bus.record import Received
from switchlog.envelope import Codec

from .app.ports import LastAgent, Over
from .domain import events as domain
from .domain.events import CustomerEvent, Identity, Kind

TOPIC = "customer.events.v1"


def write(event: CustomerEvent) -> Message:
    """The topic's message with its fact set."""
    return _write(event)


def read(message: Message) -> CustomerEvent | None:
    """The event; ``None`` for facts that this version does not know."""
    event = cast(pb.CustomerEvent, message)
    match event.WhichOneof("fact"):
        case "customer_known":
            return domain.CustomerKnown(event.customer_known.customer_ref)
        case "identity_linked":
            linked = event.identity_linked
            kind = kind_word(linked.kind)
            return domain.IdentityLinked(linked.customer_ref, Identity(kind, linked.identity_hmac)) if kind else None
        case "customers_merged":
            return domain.CustomersMerged(event.customers_merged.customer_ref, event.customers_merged.merged_ref)
        case "erasure_requested":
            asked = event.erasure_requested
            return domain.ErasureRequested(asked.customer_ref, asked.request_id, asked.requested_by, asked.reason)
        case "customer_erased":
            gone = event.customer_erased
            return domain.CustomerErased(gone.customer_ref, gone.request_id, gone.requested_by, gone.approved_by)
        case _:
            return None


CODEC: Codec[CustomerEvent] = Codec("customers", TOPIC, pb.CustomerEvent, write, read)


def read_own(received: Received) -> CustomerEvent | None:
    """A record of this service's topic."""
    return read(received.parse(pb.CustomerEvent))


def read_contact(received: Received) -> str | LastAgent | Over | None:
    """Whose contact began, who was connected to it, or that it is over."""
    event = received.parse(ContactEvent)
    match event.WhichOneof("fact"):
        case "contact_started":
            return event.contact_started.customer_ref or None
        case "agent_connected":
            fact = event.agent_connected
            return LastAgent(fact.agent, fact.queue, event.meta.occurred_at.ToMilliseconds())
        case "contact_ended":
            return Over()
        case _:
            return None


def kind_word(number: int) -> Kind | None:
    """``None`` for anonymous, not stated, and kinds of a later version."""
    if number not in pb.IdentityKind.values():
        return None
    word = pb.IdentityKind.Name(cast(pb.IdentityKind.ValueType, number)).removeprefix("IDENTITY_KIND_").lower()
    return Kind(word) if word in set(Kind) else None


def kind_number(kind: Kind) -> pb.IdentityKind.ValueType:
    return pb.IdentityKind.Value(f"IDENTITY_KIND_{kind.name}")


@singledispatch
def _write(event: CustomerEvent) -> pb.CustomerEvent:
    raise TypeError(f"no fact for {type(event).__name__}")


@_write.register
def _(event: domain.CustomerKnown) -> pb.CustomerEvent:
    # a reference has one key for ever, named like it
    return pb.CustomerEvent(customer_known=pb.CustomerKnown(customer_ref=event.customer_ref, key_id=event.customer_ref))


@_write.register
def _(event: domain.IdentityLinked) -> pb.CustomerEvent:
    fact = pb.IdentityLinked(
        customer_ref=event.customer_ref,
        kind=kind_number(event.identity.kind),
        identity_hmac=event.identity.address_hmac,
    )
    return pb.CustomerEvent(identity_linked=fact)


@_write.register
def _(event: domain.CustomersMerged) -> pb.CustomerEvent:
    fact = pb.CustomersMerged(customer_ref=event.customer_ref, merged_ref=event.merged_ref)
    return pb.CustomerEvent(customers_merged=fact)


@_write.register
def _(event: domain.ErasureRequested) -> pb.CustomerEvent:
    fact = pb.ErasureRequested(
        customer_ref=event.customer_ref,
        request_id=event.request_id,
        requested_by=event.requested_by,
        reason=event.reason,
    )
    return pb.CustomerEvent(erasure_requested=fact)


@_write.register
def _(event: domain.CustomerErased) -> pb.CustomerEvent:
    fact = pb.CustomerErased(
        customer_ref=event.customer_ref,
        key_id=event.customer_ref,
        request_id=event.request_id,
        requested_by=event.requested_by,
        approved_by=event.approved_by,
    )
    return pb.CustomerEvent(customer_erased=fact)
