"""Commands of agents and supervisors: text is sealed at the door, then load, decide, append."""

from __future__ import annotations

from dataclasses import dataclass

from switchlog.auth.principal import Principal
from switchlog.decider import Rejected
from switchlog.envelope import Cause, StreamId
from switchlog.errors import Forbidden, NotFound
from switchlog.ids import derived
from switchlog.writer import Answer, Writer

from ..domain.commands import AssignTicket, ChangeStatus, CommentTicket, OpenTicket, TicketCommand
from ..domain.events import Kind, SealedText, Source, Status, TicketEvent, Visibility
from ..domain.state import Known, TicketState
from .ports import ContactRow, Contacts, Sealer

SUBJECT = "TicketOpened.subject"
BODY = "TicketOpened.body"
COMMENT = "TicketCommented.body"


@dataclass(frozen=True, slots=True)
class Draft:
    """A ticket as a person wrote it; one of ``contact`` and ``customer_ref`` says whose it is."""

    subject: str
    body: str = ""
    contact: str = ""
    customer_ref: str = ""
    kind: Kind = Kind.QUESTION
    priority: int = 0
    department: str = ""


@dataclass(frozen=True)
class Tickets:
    """Each call raises ``Rejected``, ``NotFound``, ``Forbidden`` or ``NotNow``."""

    tickets: Writer[TicketCommand, TicketState, TicketEvent]
    contacts: Contacts
    sealer: Sealer

    async def open(self, draft: Draft, caller: Principal, cause: Cause) -> Answer:
        """A new ticket; its id comes from the command, so a retry finds the same one."""
        contact = await self._whose(draft, caller)
        ticket = derived(cause.command_id)
        tenant, whose = caller.tenant, contact.customer_ref
        body = await self._sealed(tenant, whose, BODY, draft.body) if draft.body else None
        command = OpenTicket(
            ticket,
            whose,
            draft.kind,
            draft.priority,
            await self._sealed(tenant, whose, SUBJECT, draft.subject),
            body,
            caller.subject,
            Source.CONTACT if draft.contact else Source.API,
            draft.contact,
            contact.queue,
            draft.department,
        )
        return await self.tickets.execute(StreamId(tenant, f"ticket-{ticket}"), command, cause)

    async def comment(
        self, ticket: StreamId, comment_id: str, visibility: Visibility, text: str, caller: Principal, cause: Cause
    ) -> Answer:
        known = await self.known(ticket)
        check_worker(caller, known)
        body = await self._sealed(ticket.tenant, known.customer_ref, COMMENT, text)
        return await self.tickets.execute(ticket, CommentTicket(comment_id, visibility, body, caller.subject), cause)

    async def assign(
        self, ticket: StreamId, agent: str, team: str, caller: Principal, cause: Cause, expect: int | None
    ) -> Answer:
        """An agent may also take a ticket that nobody has."""
        known = await self.known(ticket)
        if known.agent or agent != caller.subject:
            check_worker(caller, known)
        return await self.tickets.execute(ticket, AssignTicket(agent, team), cause, expect=expect)

    async def change_status(
        self, ticket: StreamId, to: Status, reason: str, caller: Principal, cause: Cause, expect: int | None
    ) -> Answer:
        """``expect`` is the version that the caller saw (TK-6): raises ``VersionConflict`` when another one stands."""
        check_worker(caller, await self.known(ticket))
        return await self.tickets.execute(ticket, ChangeStatus(to, caller.subject, reason), cause, expect=expect)

    async def known(self, ticket: StreamId) -> Known:
        """Raises ``NotFound`` for a ticket that was never opened, or of another tenant."""
        state = (await self.tickets.state(ticket)).state
        if not isinstance(state, Known):
            raise NotFound(detail=ticket.name)
        return state

    async def _whose(self, draft: Draft, caller: Principal) -> ContactRow:
        if not draft.contact:
            if not draft.customer_ref:
                raise Rejected("CUSTOMER_MISSING", "name a contact or a customer_ref", invalid=True)
            return ContactRow("", draft.customer_ref)
        contact = await self.contacts.get(caller.tenant, draft.contact)
        if not caller.has("supervisor", "admin") and caller.subject not in contact.agents:
            raise Forbidden("NOT_YOUR_CONTACT")
        return contact

    async def _sealed(self, tenant: str, customer_ref: str, field: str, text: str) -> SealedText:
        return await self.sealer.seal(tenant, customer_ref, field, text.encode())


def check_worker(caller: Principal, known: Known) -> None:
    """Raises ``Forbidden`` unless ``caller`` may read the ticket and act on it."""
    if not works_on(caller, known.opened_by, known.agent, known.team):
        raise Forbidden("NOT_YOUR_TICKET")


def works_on(caller: Principal, opened_by: str, agent: str, team: str) -> bool:
    """Whoever opened it, whoever has it, and supervisors: of its team once it has one."""
    led = caller.has("supervisor") and (not team or team in caller.teams)
    return led or caller.subject in (agent, opened_by)
