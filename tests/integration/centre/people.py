"""Visitors and agents with hands: they do what a test tells them, through the public APIs alone."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

from switchlog.testing import eventually

from .api import Api, Frame, Listening

SUBPROTOCOL = "switchlog.chat.v1"


@dataclass
class Visitor:
    """Somebody with one conversation."""

    api: Api
    contact: str
    socket: Listening

    @classmethod
    async def arrive(cls, stranger: Api, site_key: str, **more: Any) -> Visitor:
        """Come in by a public door and open the socket; nothing is said yet."""
        begun = await stranger.done("ingress_chat", "/v1/visitors", {"site_key": site_key, "locale": "en", **more})
        api = Api(stranger.plan, stranger.http, begun["token"])
        return cls(api, begun["contact_id"], await open_visitor_socket(api))

    async def come_back(self) -> None:
        """A new socket for the same conversation."""
        self.socket = await open_visitor_socket(self.api)

    async def say(self, text: str, id: str = "", **more: Any) -> Frame:
        """Say it until it is acknowledged; the ``ack``.

        ``Not now`` is answered by the same frame, later; a queue that is not known here yet is waited for.
        """
        id = id or uuid4().hex

        async def said() -> Frame | None:
            answer = await self.send("message", {"kind": "text", "text": text, **more}, id)
            later = answer["data"].get("reason") == "QUEUE_UNKNOWN" or "retry_after_s" in answer["data"]
            return None if later else answer

        answer = await eventually(said, within_s=10, every_s=0.1)
        assert answer["type"] == "ack", answer
        return answer

    async def send(self, kind: str, data: dict[str, Any], id: str = "") -> Frame:
        """One frame; the ``ack`` or ``error`` that answers it."""
        frames, sent = self.socket.frames, {"type": kind, "id": id or uuid4().hex, "seq": 0, "data": data}
        before = len(frames)
        await self.socket.send(sent)

        def answered() -> Frame | None:
            fitting = (one for one in frames[before:] if one["type"] in ("ack", "error") and one["id"] == sent["id"])
            return next(fitting, None)

        return await eventually(answered, within_s=10)

    async def status(self, state: str, within_s: float = 15) -> Frame:
        """Wait until the conversation is in ``state``."""
        return await self.socket.until("status", lambda frame: frame["data"]["state"] == state, within_s)

    async def hears(self, text: str) -> Frame:
        return await self.socket.until("message", lambda frame: frame["data"].get("text") == text)


async def open_visitor_socket(api: Api, **options: Any) -> Listening:
    return await api.socket("ingress_chat", "/v1/ws", subprotocols=[SUBPROTOCOL], **options)


@dataclass
class Agent:
    """Somebody at a desk: ``desk`` tells of offers and work, ``chats`` of what is said."""

    id: str
    api: Api
    desk: Listening
    chats: Listening

    @classmethod
    async def arrive(cls, id: str, api: Api) -> Agent:
        """Sign in, check in, be ready, and open both sockets."""
        agent = cls(
            id,
            api,
            await api.socket("agent_state", "/v1/agents/me/ws"),
            await api.socket("ingress_chat", "/v1/agents/me/ws"),
        )
        for step in ("sign-in", "check-in", "ready"):
            await agent.does(step)
        return agent

    def continues(self, traceparent: str) -> None:
        """From now on the agent's client sends this along, as a browser does that knows why its user acts."""
        self.api = replace(self.api, traceparent=traceparent)

    async def does(self, step: str, body: Any = None) -> dict[str, Any]:
        """One of the agent's own commands."""
        return await self.api.done("agent_state", f"/v1/agents/me:{step}", body)

    async def offer(self, contact: str, number: int = 1, within_s: float = 15) -> dict[str, Any]:
        """Wait for the ``number``-th offer of ``contact``."""

        def found() -> dict[str, Any]:
            offers = [frame["data"] for frame in self.desk.of("offer", contact=contact)]
            assert len(offers) >= number, f"{self.id} was not offered {contact}; the desk: {self.desk.frames}"
            return dict(offers[number - 1])

        return await eventually(found, within_s)

    async def accepts(self, offer_id: str) -> dict[str, Any]:
        return await self.api.done("routing", f"/v1/offers/{offer_id}:accept")

    async def takes(self, contact: str, number: int = 1) -> dict[str, Any]:
        """Wait for the offer, accept it, and wait until the work has begun; a chat is open then."""
        offer = await self.offer(contact, number)
        await self.accepts(offer["offer_id"])
        await self.contact_is(contact, "assigned")
        if offer["channel"] == "chat":
            await self.chats.until("status", lambda frame: self._joins(contact, frame), within_s=15)
        return offer

    def _joins(self, contact: str, frame: Frame) -> bool:
        told = frame["data"]
        return (frame["contact"], told["state"], told.get("agent")) == (contact, "connected", self.id)

    async def says(self, contact: str, text: str, id: str = "", **more: Any) -> dict[str, Any]:
        body = {"message_id": id or uuid4().hex, "kind": "text", "text": text, **more}
        return await self.api.done("ingress_chat", f"/v1/contacts/{contact}/messages", body)

    async def hears(self, contact: str, text: str) -> Frame:
        return await self.chats.until(
            "message", lambda frame: frame["contact"] == contact and frame["data"].get("text") == text
        )

    async def ends(self, contact: str) -> dict[str, Any]:
        return await self.api.done("ingress_chat", f"/v1/contacts/{contact}:end")

    async def contact_is(self, contact: str, state: str) -> Frame:
        """Wait until the desk shows it."""
        return await self.desk.until(
            "contact", lambda frame: frame["data"] | {"contact": contact, "state": state} == frame["data"]
        )

    async def wraps_up(self, contact: str) -> None:
        await self.contact_is(contact, "wrap_up")
        await self.does("end-wrap-up", {"contact": contact})
        await self.contact_is(contact, "ended")

    async def state(self) -> str:
        return str((await self.api.seen("agent_state", "/v1/agents/me"))["state"])

    async def is_in(self, state: str, within_s: float = 10) -> None:
        """Wait until the agent's own view shows ``state``."""

        async def shown() -> bool:
            now = await self.state()
            assert now == state, f"{self.id} is {now}, not {state}"
            return True

        await eventually(shown, within_s)
