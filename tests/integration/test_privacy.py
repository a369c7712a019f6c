"""What people write stands nowhere in clear, and after an erasure it can be read nowhere at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import grpc
import httpx2 as httpx
import pytest

from contactcenter.customer.v1.service_pb2 import GetSubjectKeyRequest
from contactcenter.customer.v1.service_pb2_grpc import CustomerServiceStub
from switchlog.testing import eventually

from .centre import STORY
from .centre.centre import Centre
from .centre.people import Agent, Visitor
from .centre.plan import HOST
from .centre.search import places
from .centre.tenant import Tenant

pytestmark = STORY


@dataclass
class Said:
    """One conversation in which ``secret`` was said in every way there is, and where its people can read it."""

    secret: str
    tenant: Tenant
    ann: Agent
    visitor: Visitor
    customer: str
    file: str
    ticket: str
    recording: str

    async def read(self) -> dict[str, httpx.Response]:
        """Everything that shows the text to somebody who may see it."""
        contact, boss = self.visitor.contact, self.tenant.supervisor
        attachment = f"/v1/attachments/{contact}/{self.file}"
        play = f"/v1/recordings/{self.recording}:play"
        return {
            "visitor": await self.visitor.api.get("ingress_chat", f"/v1/contacts/{contact}/messages"),
            "supervisor": await boss.get("ingress_chat", f"/v1/contacts/{contact}/messages"),
            "file": await self.visitor.api.get("ingress_chat", attachment),
            "ticket": await self.ann.api.get("ticketing", f"/v1/tickets/{self.ticket}"),
            "transcript": await self.ann.api.post("recording", play, {}),
        }


async def say_everything(tenant: Tenant, secret: str) -> Said:
    """A conversation that has ended, with messages both ways, a file, a ticket and its transcript."""
    await tenant.queue()
    ann, visitor = await tenant.agent("ann", wrap_up_s=0), await tenant.visitor()
    await visitor.say(f"My secret is {secret}.")
    await ann.takes(visitor.contact)
    upload = await visitor.api.http.post(
        f"{tenant.plan.url('ingress_chat')}/v1/attachments/{visitor.contact}",
        content=f"A letter about {secret}, in plain text.".encode(),
        headers={"authorization": f"Bearer {visitor.api.token}"},
    )
    assert upload.status_code == 201, upload.text
    file = upload.json()["attachment"]
    await visitor.say(f"A letter about {secret}", kind="file", attachment=file)
    await ann.says(visitor.contact, f"So it is {secret}?")
    customer = tenant.facts(f"contact-{visitor.contact}", "ContactStarted")[0].data.customer_ref
    wanted = {"customer_ref": customer, "subject": f"About {secret}", "body": f"It is {secret}"}
    ticket = (await ann.api.done("ticketing", "/v1/tickets", wanted))["stream"].removeprefix("ticket-")
    comment = {"comment_id": "c1", "text": f"Once more: {secret}"}
    await ann.api.done("ticketing", f"/v1/tickets/{ticket}/comments", comment)
    await ann.ends(visitor.contact)
    stored = await tenant.fact("recording-", "RecordingStored")
    return Said(secret, tenant, ann, visitor, customer, file, ticket, stored.data.recording)


async def test_what_is_said_stands_nowhere_in_clear_and_an_erasure_ends_it(centre: Centre, tenant: Tenant) -> None:
    """SC-2 SC-3, P9; trust, Faults: erase a subject: plaintext nowhere"""
    said = await say_everything(tenant, f"zebra-{uuid4().hex[:12]}-斑马")
    for name, answer in (await said.read()).items():
        assert said.secret in answer.text, name
    await tenant.log.settled(tenant.id)
    assert await places(centre, said.secret) == set()
    where = await places(centre, said.visitor.contact)  # the search finds what is there to be found
    assert {"contact.events.v1", "routing.events.v1", "routing.inbox.v1", "otlp"} & where >= {"contact.events.v1"}
    assert any("ingress_chat" in place for place in where), where

    open_one = await still_talking(said)
    await erase(tenant, said.customer)
    for customer in (await refs(tenant)) - {said.customer}:
        await erase(tenant, customer)
    await eventually(lambda: unreadable(said), within_s=5)
    await nothing_more_can_be_said(said, open_one)
    assert await places(centre, said.secret) == set()


async def still_talking(said: Said) -> Visitor:
    """Somebody else who is in the middle of a conversation."""
    other = await said.tenant.visitor()
    await other.say(f"I too know {said.secret}")
    await said.ann.takes(other.contact)
    await said.ann.says(other.contact, "I am listening.")
    return other


async def refs(tenant: Tenant) -> set[str]:
    return {fact.data.customer_ref for fact in tenant.facts("contact-", "ContactStarted")}


async def erase(tenant: Tenant, customer: str) -> None:
    """By two admins; one alone, twice, is not enough."""
    path = f"/v1/customers/{customer}"
    await tenant.admin.done("customers", f"{path}:request-erasure", {"reason": "asked"})
    alone = await tenant.admin.post("customers", f"{path}:approve-erasure")
    assert alone.status_code in (403, 409), alone.text
    assert not (await tenant.admin.seen("customers", path))["erased"]
    await tenant.second_admin.done("customers", f"{path}:approve-erasure")
    assert (await tenant.admin.seen("customers", path))["erased"]


async def unreadable(said: Said) -> bool:
    """Every way says that it was erased, none shows a word."""
    shown = await said.read()
    texts = {name: answer.text for name, answer in shown.items()}
    assert not [name for name, text in texts.items() if "zebra" in text or "letter" in text], texts
    for who in ("visitor", "supervisor"):
        messages = [frame["data"] for frame in shown[who].json()["frames"] if frame["type"] == "message"]
        assert len(messages) == 3
        assert all(message["erased"] for message in messages)
    ticket = shown["ticket"].json()
    assert (ticket["erased"], ticket["subject"], ticket["body"]) == (True, None, None)
    assert [comment["text"] for comment in ticket["comments"]] == [None]
    for name in ("file", "transcript"):
        assert (shown[name].status_code, shown[name].json()["reason"]) == (404, "ERASED"), shown[name].text
    return True


async def nothing_more_can_be_said(said: Said, visitor: Visitor) -> None:
    """In a conversation that was open when its customer was erased; it can still be ended."""
    refused = await visitor.send("message", {"kind": "text", "text": said.secret})
    assert (refused["type"], refused["data"]["reason"]) == ("error", "ERASED"), refused
    message = {"message_id": "late", "text": said.secret}
    answer = await said.ann.api.post("ingress_chat", f"/v1/contacts/{visitor.contact}/messages", message)
    assert (answer.status_code, answer.json()["reason"]) == (404, "ERASED"), answer.text
    await said.ann.ends(visitor.contact)
    await visitor.status("ended")
    await said.ann.is_in("ready")


async def test_nobody_but_a_service_is_given_a_key(centre: Centre, tenant: Tenant) -> None:
    """SC-2: not the visitor, not the agent, not the admin; and a service asks for one tenant's key only."""
    await tenant.queue()
    visitor = await tenant.visitor()
    customer = tenant.facts("contact-", "ContactStarted") or [await tenant.fact("contact-", "ContactStarted")]
    request = GetSubjectKeyRequest(tenant_id=tenant.id, customer_ref=customer[0].data.customer_ref)
    async with grpc.aio.insecure_channel(f"{HOST}:{centre.plan.grpc_ports['customers']}") as channel:
        stub: Any = CustomerServiceStub(channel)
        service = await centre.tokens().token()
        everybody = (tenant.admin.token, tenant.supervisor.token, tenant.api("ann", ["agent"]).token)
        for token in (*everybody, visitor.api.token, ""):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.GetSubjectKey(request, timeout=5, metadata=[("authorization", f"Bearer {token}")])
            assert refused.value.code() in (grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.UNAUTHENTICATED)
        given = await stub.GetSubjectKey(request, timeout=5, metadata=[("authorization", f"Bearer {service}")])
        assert len(given.key) == 32
        request.tenant_id = centre.tenant().id
        with pytest.raises(grpc.aio.AioRpcError) as unknown:
            await stub.GetSubjectKey(request, timeout=5, metadata=[("authorization", f"Bearer {service}")])
        assert unknown.value.code() is grpc.StatusCode.NOT_FOUND
