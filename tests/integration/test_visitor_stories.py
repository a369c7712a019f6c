"""Visitors whose connection breaks, who send twice, who send files."""

from __future__ import annotations

import asyncio
import signal
from uuid import uuid4

import httpx2 as httpx
import pytest

from switchlog.testing import eventually

from .centre import STORY
from .centre.api import Api
from .centre.centre import Centre
from .centre.tenant import Tenant

pytestmark = STORY

PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c489") + b"picture of a face" * 9


async def test_a_visitor_who_comes_back_in_time_keeps_the_conversation(tenant: Tenant) -> None:
    """CH-6"""
    await tenant.queue()
    await tenant.door(reconnect_grace_s=1.5)
    ann, visitor = await tenant.agent("ann"), await tenant.visitor()
    await visitor.say("one")
    await ann.takes(visitor.contact)
    seen = (await visitor.status("connected"))["seq"]
    await visitor.socket.cut()
    await ann.says(visitor.contact, "two")
    await asyncio.sleep(0.5)
    await visitor.come_back()
    await visitor.socket.send({"type": "resume", "id": "r", "seq": 0, "data": {"after_seq": seen}})
    two = await visitor.hears("two")
    assert two["seq"] == seen + 1
    await asyncio.sleep(2)
    await visitor.say("three")
    await ann.hears(visitor.contact, "three")
    assert tenant.facts(f"contact-{visitor.contact}", "ContactEnded") == []


async def test_a_visitor_who_stays_away_is_lost(tenant: Tenant) -> None:
    """CH-6: the agent is free again."""
    await tenant.queue()
    await tenant.door(reconnect_grace_s=0.5)
    ann, visitor = await tenant.agent("ann"), await tenant.visitor()
    await visitor.say("one")
    await ann.takes(visitor.contact)
    await visitor.socket.cut()
    await ann.wraps_up(visitor.contact)
    await ann.is_in("ready")
    ended = await tenant.fact(f"contact-{visitor.contact}", "ContactEnded")
    assert (
        ended.data.DESCRIPTOR.fields_by_name["reason"]
        .enum_type.values_by_number[ended.data.reason]
        .name.endswith("CUSTOMER_LOST")
    )


async def test_a_message_sent_twice_is_one_message(tenant: Tenant) -> None:
    """CH-2: on the same socket, on the next one, and by the agent under another key."""
    await tenant.queue()
    ann, visitor = await tenant.agent("ann"), await tenant.visitor()
    id = uuid4().hex
    first = await visitor.say("once", id)
    assert (await visitor.say("once", id))["seq"] == first["seq"]
    await visitor.socket.cut()
    await visitor.come_back()
    assert (await visitor.say("once", id))["seq"] == first["seq"]
    changed = await visitor.send("message", {"kind": "text", "text": "something else"}, id)
    assert changed["data"]["reason"] == "IDEMPOTENCY_KEY_REUSED"
    await ann.takes(visitor.contact)
    for _ in range(2):
        await ann.says(visitor.contact, "answer", id="a1")
    await visitor.hears("answer")
    await ann.ends(visitor.contact)
    await tenant.fact(f"contact-{visitor.contact}", "ContactEnded")
    assert len(tenant.facts(f"contact-{visitor.contact}", "MessageReceived")) == 1
    assert len(tenant.facts(f"contact-{visitor.contact}", "MessageSent")) == 1


async def test_a_file_goes_from_the_visitor_to_the_agent_sealed(centre: Centre, tenant: Tenant) -> None:
    """CH-3"""
    await tenant.queue()
    ann, bob, visitor = await tenant.agent("ann"), await tenant.hire("bob"), await tenant.visitor()
    await visitor.say("Look")
    await ann.takes(visitor.contact)
    stored = await _upload(visitor.api, visitor.contact, PNG)
    assert stored.status_code == 201, stored.text
    file = stored.json()
    assert (file["kind"], file["bytes"]) == ("image", len(PNG))
    await visitor.say("this one", kind="image", attachment=file["attachment"])
    frame = await ann.hears(visitor.contact, "this one")
    assert frame["data"]["attachment"] == file["attachment"]
    path = f"/v1/attachments/{visitor.contact}/{file['attachment']}"
    got = await ann.api.get("ingress_chat", path)
    assert (got.content, got.headers["content-type"]) == (PNG, "image/png")
    assert "attachment" in got.headers["content-disposition"]
    assert (await bob.get("ingress_chat", path)).status_code == 403
    objects = [file.read_bytes() for file in centre.plan.objects.rglob("*") if file.is_file()]
    assert objects and not any(b"picture of a face" in content for content in objects)


@pytest.mark.parametrize(
    "content",
    [b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', b"MZ\x90\0program", b""],
    ids=["script", "program", "nothing"],
)
async def test_a_file_that_is_not_what_we_take_is_refused(tenant: Tenant, content: bytes) -> None:
    """CH-3; trust, Attacks"""
    await tenant.queue()
    visitor = await tenant.visitor()
    answer = await _upload(visitor.api, visitor.contact, content)
    assert (answer.status_code, answer.json()["reason"]) in ((422, "FILE_TYPE_REFUSED"), (422, "EMPTY_FILE"))


async def test_conversations_survive_a_kill_of_the_ingress(centre: Centre, tenant: Tenant) -> None:
    """trust, Faults: nothing acknowledged is lost, the same id gives the same answer."""
    await tenant.queue()
    ann, visitor = await tenant.agent("ann"), await tenant.visitor()
    before = await visitor.say("before", "m1")
    await ann.takes(visitor.contact)
    await centre.restart("ingress_chat", signal.SIGKILL)
    await visitor.come_back()
    assert (await visitor.say("before", "m1"))["seq"] == before["seq"]
    await visitor.say("after")
    chats = await eventually(lambda: ann.api.socket("ingress_chat", "/v1/agents/me/ws"))
    for text in ("before", "after"):
        await chats.until("message", lambda frame, text=text: frame["data"].get("text") == text)
    await ann.ends(visitor.contact)
    await ann.wraps_up(visitor.contact)


async def _upload(api: Api, contact: str, content: bytes) -> httpx.Response:
    url = f"{api.plan.url('ingress_chat')}/v1/attachments/{contact}"
    return await api.http.post(url, content=content, headers={"authorization": f"Bearer {api.token}"})
