"""The whole way of one chat contact, through every service."""

from __future__ import annotations

import pytest

from .centre.tenant import QUEUE, Tenant

pytestmark = [pytest.mark.kafka, pytest.mark.asyncio(loop_scope="session")]


async def test_a_contact_goes_from_hello_to_wrap_up_and_the_next_one_follows(tenant: Tenant) -> None:
    """CH-1 CH-2 RT-1 AG-2"""
    await tenant.queue()
    ann = await tenant.agent("ann")
    first = await tenant.visitor()
    await first.say("Where is my parcel?")
    await ann.takes(first.contact)
    await first.status("connected")
    await ann.hears(first.contact, "Where is my parcel?")
    await ann.says(first.contact, "On its way.")
    await first.hears("On its way.")
    await first.say("Thank you.")
    await ann.hears(first.contact, "Thank you.")
    second = await tenant.visitor()
    await second.say("Me too.")
    await ann.ends(first.contact)
    await first.status("ended")
    assert not ann.desk.of("offer", contact=second.contact), "offered while wrapping up"
    await ann.wraps_up(first.contact)
    await ann.takes(second.contact)
    assert [fact.name for fact in tenant.facts(f"contact-{first.contact}")] == [
        "ContactStarted",
        "MessageReceived",
        "ContactQueued",
        "AgentConnected",
        "MessageSent",
        "MessageReceived",
        "AgentDisconnected",
        "ContactEnded",
    ]
    assert {fact.data.queue for fact in tenant.facts("contact-", "ContactQueued")} == {QUEUE}
