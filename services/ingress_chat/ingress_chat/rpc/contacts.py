"""``ContactService`` for chats: the HTTP API again; what only calls can do is UNIMPLEMENTED."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contactcenter.contact.v1 import events_pb2 as pb
from contactcenter.contact.v1 import service_pb2 as api
from contactcenter.contact.v1.service_pb2_grpc import ContactServiceServicer, add_ContactServiceServicer_to_server
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT
from switchlog.auth.principal import Principal
from switchlog.decider import Rejected
from switchlog.envelope import StreamId
from switchlog.ids import checked_id
from switchlog.rpc import Servicer, caller
from switchlog.rpc_commands import answer, caller_of, cause_of, checked

from .. import wire
from ..app.handlers import Chats, Draft
from ..app.history import History
from ..domain.events import MessageKind

PAGE = 100


def contact_servicer(chats: Chats, history: History) -> Servicer:
    # what is not defined here answers UNIMPLEMENTED by the generated base
    return add_ContactServiceServicer_to_server, Contacts(chats, history)  # type: ignore[abstract]


@dataclass(frozen=True)
class Contacts(ContactServiceServicer):
    chats: Chats
    history: History

    async def SendMessage(self, request: api.SendMessageRequest, context: Any) -> api.SendMessageResponse:
        who = caller_of(request, "agent")
        draft = _draft(request)
        cause = cause_of(request, who)
        done = await self.chats.send(_stream(who, request.contact), draft, who.subject, cause)
        return api.SendMessageResponse(answer=answer(done))

    async def TransferContact(self, request: api.TransferContactRequest, context: Any) -> api.TransferContactResponse:
        who = caller_of(request, "agent")
        if request.kind == pb.TRANSFER_KIND_CONSULT or not request.to_queue:
            raise Rejected("TRANSFER_NOT_SUPPORTED", "a chat is transferred blind, to a queue", invalid=True)
        cause = cause_of(request, who)
        contact = _stream(who, request.contact)
        done = await self.chats.transfer(contact, who.subject, request.to_queue, cause, request.to_agent)
        return api.TransferContactResponse(answer=answer(done))

    async def EndContact(self, request: api.EndContactRequest, context: Any) -> api.EndContactResponse:
        who = caller_of(request, "agent")
        cause = cause_of(request, who)
        done = await self.chats.end_by_agent(_stream(who, request.contact), who.subject, cause)
        return api.EndContactResponse(answer=answer(done))

    async def GetContact(self, request: api.GetContactRequest, context: Any) -> api.GetContactResponse:
        who = caller(checked(request).tenant_id)
        shown = await self.history.contact(_stream(who, request.contact), who)
        view = api.ContactView(contact=request.contact, channel=CHANNEL_CHAT, state=shown["state"])
        for name in ("queue", "pool", "leg", "agent", "team", "customer_ref"):
            if name in shown:
                setattr(view, name, shown[name])
        return api.GetContactResponse(contact=view)

    async def ListMessages(self, request: api.ListMessagesRequest, context: Any) -> api.ListMessagesResponse:
        who = caller(checked(request).tenant_id)
        contact = _stream(who, request.contact)
        frames = await self.history.frames(contact, who, request.after_version, min(request.size or PAGE, PAGE))
        return api.ListMessagesResponse(messages=[_message(one) for one in frames if one["type"] == "message"])


def _draft(request: api.SendMessageRequest) -> Draft:
    kind = wire.read_kind(request.kind) if request.kind else MessageKind.TEXT
    if kind is None or not (request.text or request.attachment_ref):
        raise Rejected("BAD_MESSAGE", "a message has a known kind, and a text or an attachment", invalid=True)
    if request.attachment_ref:
        checked_id(request.attachment_ref, "attachment")
    return Draft(checked_id(request.message_id), kind, request.text, request.attachment_ref)


def _stream(who: Principal, contact: str) -> StreamId:
    return StreamId(who.tenant, f"contact-{checked_id(contact, 'contact')}")


def _message(frame: dict[str, Any]) -> api.MessageView:
    data = frame["data"]
    sender = pb.SENDER_KIND_AGENT if data["from"] == "agent" else pb.SENDER_KIND_CUSTOMER
    view = api.MessageView(
        version=frame["seq"],
        message_id=frame["id"],
        kind=pb.MessageKind.Value(f"MESSAGE_KIND_{data['kind'].upper()}"),
        sender=sender,
        sender_id=data.get("agent", ""),
        text=data.get("text", ""),
        erased=data.get("erased", False),
        attachment_ref=data.get("attachment", ""),
    )
    view.recorded_at.FromMilliseconds(data["at_ms"])
    return view
