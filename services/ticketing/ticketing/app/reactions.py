"""Facts of routing and the tickets they open here: who is to be called back (RT-5, RT-9)."""

from __future__ import annotations

from dataclasses import dataclass

from switchlog.bus.reaction import reaction
from switchlog.bus.record import Received
from switchlog.clock import Clock
from switchlog.envelope import StreamId
from switchlog.errors import NotFound, NotNow
from switchlog.ids import derived
from switchlog.log import get_logger
from switchlog.seal import Erased
from switchlog.writer import Writer

from ..domain.commands import OpenTicket, TicketCommand
from ..domain.events import Kind, Source, TicketEvent
from ..domain.state import TicketState
from .handlers import SUBJECT
from .ports import ContactRow, Contacts, Sealer

log = get_logger(__name__)

TITLE = "Call back 回电".encode()
# The contact's own facts come by another topic: they are waited for, but not for ever.
UNKNOWN_FOR_MS = 10 * 60 * 1000


@dataclass(frozen=True, slots=True)
class CallbackPromised:
    """A contact left its queue, by rule or by a person, to be called back; ``at`` in epoch milliseconds."""

    contact: str
    leg: int
    queue: str
    priority: int
    at: int


@dataclass(frozen=True)
class Reactions:
    tickets: Writer[TicketCommand, TicketState, TicketEvent]
    contacts: Contacts
    sealer: Sealer
    clock: Clock

    async def when_callback_promised(self, fact: CallbackPromised, received: Received) -> None:
        """One ticket a promise: nobody who was told to be called back is forgotten. Raises ``NotNow``."""
        tenant = received.stream.tenant
        ticket = derived(tenant, "callback", fact.contact, str(fact.leg))
        contact = None if received.replayed else await self._whose(tenant, fact)
        if contact is None:
            return
        try:
            subject = await self.sealer.seal(tenant, contact.customer_ref, SUBJECT, TITLE)
        except Erased:
            return  # nobody is left to be called
        command = OpenTicket(
            ticket,
            contact.customer_ref,
            Kind.CALLBACK,
            fact.priority,
            subject,
            body=None,
            opened_by="",
            source=Source.ROUTING,
            contact=fact.contact,
            queue=fact.queue,
        )
        await reaction(self.tickets, StreamId(tenant, f"ticket-{ticket}"), command, received, "when_callback_promised")

    async def _whose(self, tenant: str, fact: CallbackPromised) -> ContactRow | None:
        """``None`` for a contact that is not known here after minutes: it is in no topic any more."""
        try:
            return await self.contacts.get(tenant, fact.contact)
        except NotFound:
            if self.clock.now() - fact.at < UNKNOWN_FOR_MS:
                raise NotNow("CONTACT_NOT_READ_YET", fact.contact) from None
        log.warning("callback_of_unknown_contact", contact=fact.contact)
        return None
