"""``TicketService``: what is not built yet is UNIMPLEMENTED."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contactcenter.ticket.v1 import events_pb2 as events
from contactcenter.ticket.v1 import service_pb2 as pb
from contactcenter.ticket.v1.service_pb2_grpc import TicketServiceServicer, add_TicketServiceServicer_to_server
from switchlog.auth.principal import Principal
from switchlog.decider import Rejected
from switchlog.envelope import StreamId
from switchlog.ids import checked_id
from switchlog.rpc import Servicer, caller
from switchlog.rpc_commands import answer, caller_of, cause_of, checked, expected

from .. import wire
from ..app.handlers import Draft, Tickets
from ..app.reading import Reading
from ..domain.events import Status, Visibility

WORKERS = ("agent", "supervisor")


def ticket_servicer(tickets: Tickets, reading: Reading) -> Servicer:
    # what is not defined here answers UNIMPLEMENTED by the generated base
    return add_TicketServiceServicer_to_server, TicketsByRpc(tickets, reading)  # type: ignore[abstract]


@dataclass(frozen=True)
class TicketsByRpc(TicketServiceServicer):
    tickets: Tickets
    reading: Reading

    async def OpenTicket(self, request: pb.OpenTicketRequest, context: Any) -> pb.OpenTicketResponse:
        who = caller_of(request, *WORKERS)
        if not request.subject:
            raise Rejected("SUBJECT_MISSING", invalid=True)
        draft = Draft(
            request.subject,
            request.body,
            request.contact,
            request.customer_ref,
            wire.read_ticket_kind(request.kind),
            request.priority,
            request.department,
        )
        done = await self.tickets.open(draft, who, cause_of(request, who))
        return pb.OpenTicketResponse(answer=answer(done), ticket=done.stream.name.removeprefix("ticket-"))

    async def AssignTicket(self, request: pb.AssignTicketRequest, context: Any) -> pb.AssignTicketResponse:
        who = caller_of(request, *WORKERS)
        ticket = _stream(who, request.ticket)
        done = await self.tickets.assign(ticket, request.agent, "", who, cause_of(request, who), expected(request))
        return pb.AssignTicketResponse(answer=answer(done))

    async def CommentTicket(self, request: pb.CommentTicketRequest, context: Any) -> pb.CommentTicketResponse:
        who = caller_of(request, *WORKERS)
        if not request.body:
            raise Rejected("BODY_MISSING", invalid=True)
        cause = cause_of(request, who)
        public = request.visibility == events.COMMENT_VISIBILITY_PUBLIC
        visibility = Visibility.PUBLIC if public else Visibility.INTERNAL
        ticket = _stream(who, request.ticket)
        done = await self.tickets.comment(ticket, cause.command_id, visibility, request.body, who, cause)
        return pb.CommentTicketResponse(answer=answer(done))

    async def ChangeStatus(self, request: pb.ChangeStatusRequest, context: Any) -> pb.ChangeStatusResponse:
        status = wire.known_status(request.status)
        if status is None:
            raise Rejected("STATUS_NEEDED", invalid=True)
        return pb.ChangeStatusResponse(answer=await self._move(request, status))

    async def ResolveTicket(self, request: pb.ResolveTicketRequest, context: Any) -> pb.ResolveTicketResponse:
        return pb.ResolveTicketResponse(answer=await self._move(request, Status.RESOLVED))

    async def ReopenTicket(self, request: pb.ReopenTicketRequest, context: Any) -> pb.ReopenTicketResponse:
        return pb.ReopenTicketResponse(answer=await self._move(request, Status.OPEN))

    async def CloseTicket(self, request: pb.CloseTicketRequest, context: Any) -> pb.CloseTicketResponse:
        return pb.CloseTicketResponse(answer=await self._move(request, Status.CLOSED))

    async def GetTicket(self, request: pb.GetTicketRequest, context: Any) -> pb.GetTicketResponse:
        who = caller(checked(request).tenant_id, *WORKERS)
        shown = await self.reading.ticket(_stream(who, request.ticket), who)
        view = pb.TicketView(ticket=shown["ticket"], version=shown["version"])
        view.status = wire.status_value(shown["status"])
        view.subject, view.body = shown.get("subject") or "", shown.get("body") or ""
        view.contact, view.customer_ref, view.agent = shown["contact"], shown["customer_ref"], shown["agent"]
        view.erased = shown["erased"]
        return pb.GetTicketResponse(ticket=view)

    async def _move(self, request: Any, status: Status) -> Any:
        who = caller_of(request, *WORKERS)
        reason = checked_word(getattr(request, "reason", "") or getattr(request, "resolution", ""))
        ticket, cause = _stream(who, request.ticket), cause_of(request, who)
        done = await self.tickets.change_status(ticket, status, reason, who, cause, expected(request))
        return answer(done)


def checked_word(reason: str) -> str:
    """A reason is an id of configuration: facts hold no person's words in clear. Raises ``Rejected``."""
    return checked_id(reason, "reason") if reason else ""


def _stream(who: Principal, ticket: str) -> StreamId:
    return StreamId(who.tenant, f"ticket-{ticket}")
