"""What a socket answers to frames that are none, too big, or not for it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from .centre import STORY
from .centre.api import Api, Listening
from .centre.people import SUBPROTOCOL, open_visitor_socket
from .centre.tenant import Tenant

pytestmark = STORY


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        ({"type": "dance", "id": "x"}, "BAD_FRAME"),
        ({"id": "x"}, "BAD_FRAME"),
        ({"type": "message", "id": "x", "data": "text"}, "BAD_FRAME"),
        ({"type": "message", "id": "x" * 65, "data": {"text": "hello"}}, "BAD_FRAME"),
        ({"type": "message", "id": "x", "data": {}}, "BAD_MESSAGE"),
        ({"type": "message", "id": "x", "data": {"kind": "hologram", "text": "hello"}}, "BAD_MESSAGE"),
        ({"type": "message", "id": "x", "data": {"text": "x" * 32_769}}, "BAD_MESSAGE"),
        ({"type": "message", "id": "no/slash", "data": {"text": "hello"}}, "BAD_MESSAGE"),
        ({"type": "resume", "id": "x", "data": {"after_seq": -1}}, "BAD_FRAME"),
        ({"type": "resume", "id": "x", "data": {"after_seq": "all"}}, "BAD_FRAME"),
    ],
)
async def test_a_bad_frame_is_answered_and_the_conversation_goes_on(
    tenant: Tenant, frame: dict[str, Any], reason: str
) -> None:
    """CH-2; trust, Attacks"""
    await tenant.queue()
    visitor = await tenant.visitor()
    await visitor.socket.send(frame)
    error = await visitor.socket.until("error")
    assert error["data"]["reason"] == reason
    await visitor.say("still here")
    await tenant.fact(f"contact-{visitor.contact}", "MessageReceived")
    assert len(tenant.facts(f"contact-{visitor.contact}", "MessageReceived")) == 1


@pytest.mark.parametrize(
    ("frame", "code"),
    [("no json", 1007), ("[]", 1007), (b"\xff\xfe", 1007), ("x" * (64 * 1024 + 1), 1009)],
    ids=["no json", "no object", "no text", "64 KiB + 1"],
)
async def test_what_is_no_frame_ends_the_socket_and_not_the_contact(
    tenant: Tenant, frame: str | bytes, code: int
) -> None:
    """trust, Attacks: 1009 for 64 KiB + 1"""
    await tenant.queue()
    visitor = await tenant.visitor()
    await visitor.say("before")
    await visitor.socket.send(frame)
    assert await visitor.socket.until_closed() == code
    await visitor.come_back()
    await visitor.say("after")
    assert tenant.facts(f"contact-{visitor.contact}", "ContactEnded") == []


async def test_a_socket_opens_once_for_a_ticket_and_never_without(tenant: Tenant) -> None:
    """trust, Attacks: 4401"""
    await tenant.queue()
    visitor = await tenant.visitor()
    for service, path in (("ingress_chat", "/v1/ws"), ("agent_state", "/v1/agents/me/ws")):
        url = f"{tenant.plan.url(service, 'ws')}{path}"
        for address in (url, f"{url}?ticket=guess", f"{url}?ticket={visitor.api.token}"):
            opened = Listening(await connect(address, proxy=None))
            assert await opened.until_closed() == 4401
    ticket = (await visitor.api.done("ingress_chat", "/v1/tickets"))["ticket"]
    url = f"{tenant.plan.url('ingress_chat', 'ws')}/v1/ws?ticket={ticket}"
    first = Listening(await connect(url, proxy=None, subprotocols=[SUBPROTOCOL]))
    again = Listening(await connect(url, proxy=None, subprotocols=[SUBPROTOCOL]))
    assert await again.until_closed() == 4401
    await first.send({"type": "message", "id": "m1", "seq": 0, "data": {"text": "hello"}})
    await first.close()


async def test_a_socket_is_for_whom_it_is_for(tenant: Tenant) -> None:
    """A visitor opens no agent's socket, an agent no visitor's."""
    await tenant.queue()
    visitor, ann = await tenant.visitor(), await tenant.hire("ann")
    assert await (await ann.socket("ingress_chat", "/v1/ws")).until_closed() == 4403
    assert await (await visitor.api.socket("ingress_chat", "/v1/agents/me/ws")).until_closed() == 4403
    assert (await visitor.api.post("agent_state", "/v1/tickets")).status_code == 401


async def test_a_foreign_page_opens_no_socket_and_the_sites_own_page_does(tenant: Tenant) -> None:
    """trust, Attacks: a foreign Origin is answered 403"""
    await tenant.queue()
    await tenant.door(allowed_origins=["https://shop.example"])
    begun = await tenant.stranger.http.post(
        f"{tenant.plan.url('ingress_chat')}/v1/visitors",
        json={"site_key": tenant.site_key()},
        headers={"origin": "https://evil.example"},
    )
    assert (begun.status_code, begun.json()["reason"]) == (403, "ORIGIN_NOT_ALLOWED")
    visitor = await tenant.visitor()
    with pytest.raises(InvalidStatus) as refused:
        await open_visitor_socket(visitor.api, origin="https://evil.example")
    assert refused.value.response.status_code == 403
    own = await open_visitor_socket(visitor.api, origin="https://shop.example")
    await own.send({"type": "message", "id": "m1", "seq": 0, "data": {"text": "hello"}})
    await own.until("ack")
    await own.close()
    ann: Api = await tenant.hire("ann")
    with pytest.raises(InvalidStatus):
        await ann.socket("agent_state", "/v1/agents/me/ws", origin="https://evil.example")


async def test_a_visitor_who_floods_is_read_slower_and_loses_nothing(tenant: Tenant) -> None:
    """trust, Limits: 50 messages a second on a socket"""
    await tenant.queue()
    visitor = await tenant.visitor()
    await visitor.say("first")
    for n in range(80):
        await visitor.socket.send(json.dumps({"type": "message", "id": f"m{n}", "seq": 0, "data": {"text": f"t{n}"}}))
    await visitor.socket.until("ack", lambda frame: frame["id"] == "m79", within_s=20)
    await visitor.hears("t79")
    told = [frame["data"]["text"] for frame in visitor.socket.of("message")]
    assert told == ["first", *(f"t{n}" for n in range(80))]
