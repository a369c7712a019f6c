"""Commands that make no sense, or come twice: the documented answer, and nothing changed."""

from __future__ import annotations

import gzip
from typing import Any
from uuid import uuid4

import pytest

from .centre import STORY
from .centre.people import Agent
from .centre.tenant import QUEUE, Tenant

pytestmark = STORY

DEFINE = {"pool": "front", "offer_timeout_s": 20}
# service, method, path, body, status, reason
NONSENSE = [
    ("routing", "PUT", "/v1/queues/q", {**DEFINE, "role": "admin"}, 422, "INVALID_INPUT"),
    ("routing", "PUT", "/v1/queues/q", {**DEFINE, "offer_timeout_s": -1}, 422, "INVALID_INPUT"),
    ("routing", "PUT", "/v1/queues/q", {"pool": "no/slash"}, 422, "INVALID_INPUT"),
    ("routing", "PUT", "/v1/queues/q", b"{", 400, "BAD_JSON"),
    ("routing", "PUT", "/v1/queues/q", b"[" * 100_000, 400, "JSON_TOO_DEEP"),
    ("routing", "PUT", "/v1/queues/q", b'"' + b"x" * 2_000_000 + b'"', 413, "TOO_LARGE"),
    ("routing", "GET", "/v1/queues?limit=1000000000", None, 422, "INVALID_INPUT"),
    ("agent_state", "PUT", "/v1/agents/eve", {"name": "Eve"}, 422, "INVALID_INPUT"),
    ("agent_state", "GET", "/v1/agents?limit=0", None, 422, "INVALID_INPUT"),
    ("agent_state", "POST", "/v1/agents/eve:change-pool", {"pool": "front"}, 404, "NOT_FOUND"),
    ("ingress_chat", "POST", "/v1/visitors", {"site_key": "nobody-has-this"}, 404, "NOT_FOUND"),
    ("ingress_chat", "POST", "/v1/visitors", {"site_key": 7}, 422, "INVALID_INPUT"),
    ("ingress_chat", "PUT", "/v1/entry-points/q", {"site_key": "short"}, 422, "INVALID_INPUT"),
    ("ingress_chat", "GET", "/v1/contacts/none/messages?after=-1", None, 422, "INVALID_INPUT"),
    ("customers", "GET", "/v1/customers/none", None, 404, "NOT_FOUND"),
    ("customers", "POST", "/v1/customers/none:approve-erasure", None, 404, "NOT_FOUND"),
    ("ticketing", "GET", "/v1/tickets?limit=101", None, 422, "INVALID_INPUT"),
    ("analytics", "GET", "/v1/figures?step=7m", None, 422, None),
    ("analytics", "GET", "/v1/figures?threshold=0", None, 422, "INVALID_INPUT"),
]


@pytest.mark.parametrize(("service", "method", "path", "body", "status", "reason"), NONSENSE)
async def test_nonsense_gets_its_error_and_changes_nothing(
    tenant: Tenant, service: str, method: str, path: str, body: Any, status: int, reason: str | None
) -> None:
    """trust, Attacks; architecture, Errors"""
    api = tenant.admin
    headers = {"authorization": f"Bearer {api.token}", "content-type": "application/json"}
    content = {"content": body} if isinstance(body, bytes) else {"json": body}
    answer = await api.http.request(method, api.plan.url(service) + path, headers=headers, **content)
    assert answer.status_code == status, answer.text
    problem = answer.json()
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status and problem["correlation_id"]
    assert reason in (None, problem["reason"]), problem
    assert tenant.facts() == []


async def test_a_compressed_bomb_is_refused(tenant: Tenant) -> None:
    """trust, Attacks: 413, before it is unpacked"""
    headers = {"authorization": f"Bearer {tenant.admin.token}", "content-encoding": "gzip"}
    bomb = gzip.compress(b" " * 100_000_000)
    answer = await tenant.http.put(f"{tenant.plan.url('routing')}/v1/queues/q", content=bomb, headers=headers)
    assert answer.status_code in (413, 415), answer.text


async def test_an_offer_is_its_agents_alone_and_only_while_it_stands(tenant: Tenant) -> None:
    """trust, Attacks: 409; a random offer 404"""
    await tenant.queue()
    ann, bob = await tenant.agent("ann"), await tenant.hire("bob")
    visitor = await tenant.visitor()
    await visitor.say("Hello")
    offer = await ann.offer(visitor.contact)
    accept = f"/v1/offers/{offer['offer_id']}:accept"
    for path, status, reason in (
        (accept, 409, "NOT_YOUR_OFFER"),
        (accept.replace("accept", "decline"), 409, "NOT_YOUR_OFFER"),
        (f"/v1/offers/{uuid4().hex}:accept", 404, "NOT_FOUND"),
    ):
        answer = await bob.post("routing", path)
        assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    await ann.accepts(offer["offer_id"])
    again = await ann.api.post("routing", accept)
    assert (again.status_code, again.json()["reason"]) == (409, "OFFER_NOT_OPEN")
    assert len(tenant.facts("pool-", "ContactAssigned")) == 1


async def test_a_contact_is_its_agents_alone(tenant: Tenant) -> None:
    """trust, Who may do what"""
    await tenant.queue()
    ann, bob = await tenant.agent("ann"), await tenant.hire("bob")
    visitor = await tenant.visitor()
    await visitor.say("Hello")
    await ann.takes(visitor.contact)
    before = await tenant.log.settled(tenant.id)
    base = f"/v1/contacts/{visitor.contact}"
    for path, body in (
        (":end", None),
        (":transfer", {"queue": QUEUE}),
        ("/messages", {"message_id": "m", "text": "x"}),
    ):
        answer = await bob.post("ingress_chat", base + path, body)
        assert (answer.status_code, answer.json()["reason"]) == (409, "NOT_YOUR_CONTACT"), answer.text
    read = await bob.get("ingress_chat", f"{base}/messages")
    assert (read.status_code, read.json()["reason"]) == (403, "NOT_YOUR_CONTACT")
    unknown = await ann.api.post("ingress_chat", f"{base}:transfer", {"queue": "nowhere"})
    assert (unknown.status_code, unknown.json()["reason"]) == (422, "QUEUE_UNKNOWN")
    other = await tenant.visitor()
    assert (await other.api.get("ingress_chat", f"{base}/messages")).status_code == 404
    assert (await other.api.post("ingress_chat", f"{base}:end")).status_code == 403
    after = [fact for fact in await tenant.log.settled(tenant.id) if fact.stream != f"contact-{other.contact}"]
    assert [fact for fact in after if fact.topic != "customer.events.v1"] == [
        fact for fact in before if fact.topic != "customer.events.v1"
    ]


async def test_the_same_key_gives_the_same_answer_and_another_body_is_refused(tenant: Tenant) -> None:
    """trust, Attacks; invariant I2: through every service that takes commands"""
    await tenant.queue()
    ann = await tenant.agent("ann", wrap_up_s=0)
    visitor = await tenant.visitor()
    await visitor.say("Hello")
    offer = await ann.takes(visitor.contact)
    await tenant.fact(f"contact-{visitor.contact}", "AgentConnected")
    customer = tenant.facts("contact-", "ContactStarted")[0].data.customer_ref
    await _repeated(ann, "ingress_chat", f"/v1/contacts/{visitor.contact}/messages", _text("one"), _text("two"))
    await _repeated(ann, "ticketing", "/v1/tickets", _ticket(customer, "one"), _ticket(customer, "two"))
    await _repeated(ann, "agent_state", "/v1/agents/me:not-ready", {"reason": "lunch"}, {"reason": "tea"})
    await _repeated(ann, "routing", f"/v1/offers/{offer['offer_id']}:decline", {"reason": "a"}, {"reason": "b"}, 409)
    site = {"site_key": tenant.site_key()}
    stranger = tenant.stranger
    first = await stranger.done("ingress_chat", "/v1/visitors", site, key="k1")
    assert (await stranger.done("ingress_chat", "/v1/visitors", site, key="k1"))["contact_id"] == first["contact_id"]
    changed = await stranger.post("ingress_chat", "/v1/visitors", site | {"locale": "zh"}, key="k1")
    assert (changed.status_code, changed.json()["reason"]) == (422, "IDEMPOTENCY_KEY_REUSED")
    facts = await tenant.log.settled(tenant.id)
    names = [fact.name for fact in facts]
    assert [names.count(name) for name in ("MessageSent", "TicketOpened", "ContactStarted")] == [1, 1, 2]
    assert [fact.data.reason for fact in facts if fact.name == "AgentNotReady" and fact.data.reason] == ["lunch"]


async def test_a_key_of_one_person_is_not_the_key_of_another(tenant: Tenant) -> None:
    """trust, Attacks: of another user: independent"""
    await tenant.queue()
    ann, bob = await tenant.agent("ann"), await tenant.agent("bob")
    for agent in (ann, bob):
        done = await agent.api.done("agent_state", "/v1/agents/me:not-ready", {"reason": "lunch"}, key="k1")
        assert done["stream"] == f"agent-{agent.id}"


async def test_a_bad_key_is_refused(tenant: Tenant) -> None:
    await tenant.queue()
    ann = await tenant.hire("ann")
    answer = await ann.post("agent_state", "/v1/agents/me:sign-in", key="x" * 129)
    assert (answer.status_code, answer.json()["reason"]) == (422, "BAD_IDEMPOTENCY_KEY")


async def test_queries_in_every_field_are_kept_word_by_word(tenant: Tenant) -> None:
    """trust, Attacks: CQL and SQL strings, control characters"""
    nasty = "Robert'); DROP TABLE events;-- \"=cmd()\" \u202e ' OR 1=1 /* 坐席 */"
    await tenant.queue(name=nasty[:128])
    await tenant.hire("ann", name=nasty)
    ann = await tenant.agent("ann", name=nasty)
    assert (await ann.api.seen("agent_state", "/v1/agents/me"))["name"] == nasty
    visitor = await tenant.visitor()
    text = nasty + "\n\r\t\u0007<script>alert(1)</script>"
    await visitor.say(text)
    await ann.takes(visitor.contact)
    assert (await ann.hears(visitor.contact, text))["data"]["text"] == text


async def _repeated(agent: Agent, service: str, path: str, body: Any, other: Any, status: int = 200) -> None:
    key = uuid4().hex
    first = await agent.api.post(service, path, body, key)
    again = await agent.api.post(service, path, body, key)
    assert first.status_code == status, first.text
    assert (again.status_code, _answer(again)) == (first.status_code, _answer(first)), service
    refused = await agent.api.post(service, path, other, key)
    assert (refused.status_code, refused.json()["reason"]) == (422, "IDEMPOTENCY_KEY_REUSED"), (service, refused.text)


def _answer(answer: Any) -> dict[str, Any]:
    return {name: value for name, value in answer.json().items() if name != "correlation_id"}


def _text(text: str) -> dict[str, str]:
    return {"message_id": f"m-{text}", "text": text}


def _ticket(customer: str, subject: str) -> dict[str, str]:
    return {"customer_ref": customer, "subject": subject}
