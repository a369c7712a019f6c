"""Who comes again: over the same channel and over another, to an agent who takes it and to one who does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from switchlog.testing import eventually

from .centre import STORY
from .centre.centre import Centre
from .centre.people import Agent, Visitor
from .centre.tenant import QUEUE, Tenant
from .test_voice_story import CALLER, calls

pytestmark = STORY

BROWSER = "a-secret-that-the-page-made-up"
RETURNING = {"last_agent_days": 30, "last_agent_wait_s": 2}


async def served_by_ann(tenant: Tenant) -> tuple[Visitor, Agent, Agent]:
    """A visitor whom ann has served; bob has been idle for longer than she since."""
    await tenant.queue(offer_timeout_s=3)
    await tenant.door(**RETURNING)
    ann = await tenant.agent("ann")
    visitor = await tenant.visitor(browser=BROWSER)
    await visitor.say("Hello")
    await ann.takes(visitor.contact)
    bob = await tenant.agent("bob")
    await ann.ends(visitor.contact)
    await ann.wraps_up(visitor.contact)
    await ann.is_in("ready")
    await eventually(lambda: told_of(tenant, visitor), within_s=15)
    return visitor, ann, bob


async def told_of(tenant: Tenant, visitor: Visitor) -> bool:
    """The customer's owner has heard who served the visitor."""
    ref = customer_of(tenant, visitor)
    return (await tenant.admin.seen("customers", f"/v1/customers/{ref}"))["last_agent"] is not None


def customer_of(tenant: Tenant, visitor: Visitor) -> str:
    return str(tenant.facts(f"contact-{visitor.contact}", "ContactStarted")[0].data.customer_ref)


def preferred(tenant: Tenant, contact: str) -> tuple[str, int]:
    queued = tenant.facts(f"contact-{contact}", "ContactQueued")[0].data
    return queued.preferred_agent, queued.preferred_agent_ms


def offered(why: dict[str, Any]) -> list[tuple[str, str]]:
    """Who was offered the contact, and what decided between those who might have been."""
    return [(one["agent"], one["tie_break"]) for one in why["decisions"] if one["fact"] == "ContactOffered"]


async def test_who_writes_again_reaches_the_agent_of_the_last_time_and_else_the_next(tenant: Tenant) -> None:
    """RT-1 RT-10: the agent of the last time does not answer; the customer does not wait for ever."""
    first, _, bob = await served_by_ann(tenant)
    again = await tenant.visitor(browser=BROWSER)
    await again.say("Me again")
    await bob.takes(again.contact)
    assert customer_of(tenant, again) == customer_of(tenant, first)
    assert preferred(tenant, again.contact) == ("ann", 2_000)
    why = await tenant.supervisor.seen("routing", f"/v1/contacts/{again.contact}/why")
    (ann, because), (other, _) = offered(why)
    assert (ann, because, other, why["identical"]) == ("ann", "preferred_agent", "bob", True)


async def test_who_has_written_and_calls_then_reaches_the_same_agent(
    centre: Centre, tenant: Tenant, tmp_path: Path
) -> None:
    """RT-1 CH-1: once an agent has noted whose number it is, the preference holds over all channels."""
    visitor, ann, _ = await served_by_ann(tenant)
    link = {"kind": "phone", "address": CALLER}
    await tenant.supervisor.done("customers", f"/v1/customers/{customer_of(tenant, visitor)}:link", link)
    number = f"6{tenant.id}"
    door = {"called": number, "queue": QUEUE, **RETURNING}
    assert (await tenant.admin.put("ingress_voice", "/v1/entry-points/hotline", door)).is_success
    await calls(centre, tenant, tmp_path, number, 0.5)
    queued = await tenant.fact("contact-", "ContactQueued", 2, within_s=15)
    call = queued.stream.removeprefix("contact-")
    await ann.takes(call)
    assert preferred(tenant, call) == ("ann", 2_000)
    for secret in (BROWSER, CALLER[1:]):
        assert not any(secret.encode() in record.value for record in centre.log.records if record.value)
        assert secret not in centre.logs()
