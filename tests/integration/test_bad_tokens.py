"""Whoever comes with a wrong token, or another tenant's, learns nothing and changes nothing."""

from __future__ import annotations

import asyncio
from typing import Any
from uuid import uuid4

import httpx2 as httpx

from .centre import STORY
from .centre.api import Api
from .centre.centre import Centre
from .centre.forgery import forged
from .centre.people import Agent, Visitor
from .centre.plan import HOST
from .centre.tenant import QUEUE, Tenant

pytestmark = STORY

Call = tuple[str, str, str, Any]
TEXT = {"message_id": "m1", "text": "hello"}
# service, method, path, body: one of each kind that reads or changes somebody's thing
ROUTES: tuple[Call, ...] = (
    ("ingress_chat", "GET", "/v1/contacts/{contact}", None),
    ("ingress_chat", "GET", "/v1/contacts/{contact}/messages", None),
    ("ingress_chat", "POST", "/v1/contacts/{contact}/messages", TEXT),
    ("ingress_chat", "POST", "/v1/contacts/{contact}:end", None),
    ("ingress_chat", "POST", "/v1/contacts/{contact}:transfer", {"queue": QUEUE}),
    ("ingress_chat", "GET", "/v1/attachments/{contact}/file", None),
    ("ingress_chat", "GET", "/v1/entry-points/{queue}", None),
    ("ingress_voice", "GET", "/v1/contacts/{contact}", None),
    ("routing", "POST", "/v1/offers/{offer}:accept", None),
    ("routing", "POST", "/v1/offers/{offer}:decline", {}),
    ("routing", "GET", "/v1/queues/{queue}", None),
    ("agent_state", "GET", "/v1/agents/{agent}", None),
    ("agent_state", "POST", "/v1/agents/{agent}:force-state", {"state": "ready"}),
    ("agent_state", "POST", "/v1/agents/{agent}:change-pool", {"pool": "other"}),
    ("ticketing", "GET", "/v1/tickets/{ticket}", None),
    ("ticketing", "POST", "/v1/tickets/{ticket}/comments", {"comment_id": "c1", "text": "hello"}),
    ("ticketing", "POST", "/v1/tickets/{ticket}:assign", {"agent": "eve"}),
    ("ticketing", "POST", "/v1/tickets", {"contact": "{contact}", "subject": "hello"}),
    ("recording", "GET", "/v1/recordings/{recording}", None),
    ("recording", "POST", "/v1/recordings/{recording}:play", {"reason": "curious"}),
    ("recording", "POST", "/v1/recordings/{recording}:delete", None),
    ("customers", "GET", "/v1/customers/{customer}", None),
    ("customers", "POST", "/v1/customers/{customer}:request-erasure", None),
    ("customers", "POST", "/v1/customers/{customer}:approve-erasure", None),
    ("analytics", "GET", "/v1/queues/{queue}/now", None),
)
# role, and what it may not do
ROLES: tuple[tuple[str, str, str, str, Any], ...] = (
    ("agent", "routing", "PUT", "/v1/queues/q", {"pool": "front"}),
    ("supervisor", "routing", "PUT", "/v1/queues/q", {"pool": "front"}),
    ("admin", "routing", "POST", "/v1/offers/{id}:accept", None),
    ("agent", "agent_state", "PUT", "/v1/agents/eve", {"name": "Eve", "team": "t", "pool": "front"}),
    ("agent", "agent_state", "POST", "/v1/agents/ann:force-state", {"state": "ready"}),
    ("agent", "ingress_chat", "PUT", "/v1/entry-points/q", {"site_key": "site-of-eve", "queue": "q"}),
    ("supervisor", "ingress_voice", "PUT", "/v1/entry-points/q", {"called": "4001", "queue": "q"}),
    ("supervisor", "customers", "POST", "/v1/customers/{id}:request-erasure", None),
    ("agent", "customers", "POST", "/v1/customers/{id}:approve-erasure", None),
    ("agent", "analytics", "GET", "/v1/queues/help/now", None),
    ("analyst", "ticketing", "POST", "/v1/tickets", {"customer_ref": "c", "subject": "s"}),
    ("analyst", "recording", "POST", "/v1/recordings/{id}:play", {}),
)


async def lived(tenant: Tenant) -> tuple[Agent, Visitor, dict[str, str]]:
    """A tenant in whose centre everything has happened once; the ids of it all."""
    await tenant.queue()
    ann, visitor = await tenant.agent("ann", wrap_up_s=0), await tenant.visitor()
    await visitor.say("Hello")
    offer = await ann.takes(visitor.contact)
    await tenant.fact(f"contact-{visitor.contact}", "AgentConnected")
    started = tenant.facts(f"contact-{visitor.contact}", "ContactStarted")[0]
    customer = started.data.customer_ref
    ticket = await ann.api.done("ticketing", "/v1/tickets", {"customer_ref": customer, "subject": "Hello"})
    recording = await tenant.fact("recording-", "RecordingStarted")
    ids = {"contact": visitor.contact, "offer": offer["offer_id"], "customer": customer, "agent": "ann", "queue": QUEUE}
    ids |= {"ticket": ticket["stream"].removeprefix("ticket-"), "recording": recording.data.recording}
    return ann, visitor, ids


async def call(api: Api, route: Call, ids: dict[str, str]) -> httpx.Response:
    service, method, path, body = route
    if body is not None and "contact" in body:
        body = body | {"contact": ids["contact"]}
    headers = {"authorization": f"Bearer {api.token}"} if api.token else {}
    return await api.http.request(method, api.plan.url(service) + path.format(**ids), headers=headers, json=body)


async def test_a_wrong_token_opens_no_route_of_any_service(centre: Centre, tenant: Tenant) -> None:
    """trust, Attacks: 401, and nobody is asked for keys that a token points at."""
    asked: list[object] = []
    trap = await asyncio.start_server(lambda reader, writer: asked.append(writer.close()), HOST, 0)
    _, _, ids = await lived(tenant)
    before = await tenant.log.settled(tenant.id)
    tokens = forged(centre.issuer, tenant.id, "ann", f"http://{HOST}:{trap.sockets[0].getsockname()[1]}")
    for attack, token in tokens.items():
        api = Api(tenant.plan, tenant.http, token)
        for route in ROUTES:
            answer = await call(api, route, ids)
            assert answer.status_code == 401, f"{attack}: {route}: {answer.status_code} {answer.text}"
            assert answer.headers["content-type"] == "application/problem+json"
    trap.close()
    assert asked == []
    assert await tenant.log.settled(tenant.id) == before


async def test_another_tenants_things_are_answered_like_things_that_do_not_exist(
    centre: Centre, tenant: Tenant
) -> None:
    """PL-1; trust, Attacks: 404, the same body as for a random id"""
    _, _, ids = await lived(tenant)
    before = await tenant.log.settled(tenant.id)
    roles = ("agent", "supervisor", "admin", "analyst")
    eve = centre.tenant().api("ann", roles, ["team-1"])
    nowhere = {name: uuid4().hex for name in ids}
    for route in ROUTES:
        answer, random = await call(eve, route, ids), await call(eve, route, nowhere)
        assert answer.status_code == 404, f"{route}: {answer.status_code} {answer.text}"
        assert _without_correlation(answer) == _without_correlation(random), route
    assert await tenant.log.settled(tenant.id) == before


async def test_a_tenant_that_is_not_the_tokens_is_refused(tenant: Tenant) -> None:
    """trust, Attacks: 403; only services may name a tenant."""
    for service, path in (("agent_state", "/v1/agents"), ("ticketing", "/v1/tickets"), ("routing", "/v1/queues")):
        headers = {"authorization": f"Bearer {tenant.admin.token}", "x-tenant-id": "somebody-else"}
        answer = await tenant.http.get(tenant.plan.url(service) + path, headers=headers)
        assert (answer.status_code, answer.json()["status"]) == (403, 403), answer.text


async def test_a_wrong_role_is_refused(tenant: Tenant) -> None:
    """trust, Who may do what: 403"""
    for role, *route in ROLES:
        answer = await call(tenant.api("eve", [role]), (*route,), {"id": uuid4().hex})
        assert answer.status_code == 403, f"{role}: {route}: {answer.text}"
    assert await tenant.log.settled(tenant.id) == []


def _without_correlation(answer: httpx.Response) -> dict[str, Any]:
    return {key: value for key, value in answer.json().items() if key != "correlation_id"}
