"""Telephone calls, played by the scripted switch."""

from __future__ import annotations

import json
from pathlib import Path

from .centre import STORY
from .centre.centre import Centre
from .centre.tenant import QUEUE, Tenant

pytestmark = STORY

CALLER = "+8613912345678"


async def calls(centre: Centre, tenant: Tenant, folder: Path, number: str, *at_s: float) -> None:
    """The same caller rings ``number`` at each of these seconds from now."""
    steps = [
        {"at_s": at, "do": "arrive", "call": f"{tenant.id}-{n}", "called": number, "caller": CALLER, "trunk": "t1"}
        for n, at in enumerate(at_s)
    ]
    script = folder / "calls.jsonl"
    script.write_text("".join(json.dumps(step) + "\n" for step in steps))
    await centre.restart("ingress_voice", INGRESS_VOICE_SCRIPT=str(script))


async def test_a_call_is_routed_talked_held_and_ended_like_any_contact(
    centre: Centre, tenant: Tenant, tmp_path: Path
) -> None:
    """VO-1 VO-3 CH-8: the caller's number stays with the owner of identities."""
    await tenant.queue()
    ann = await tenant.agent("ann")
    number = f"4{tenant.id}"
    door = await tenant.admin.put("ingress_voice", "/v1/entry-points/hotline", {"called": number, "queue": QUEUE})
    assert door.status_code == 200, door.text
    await calls(centre, tenant, tmp_path, number, 0.5)
    queued = await tenant.fact("contact-", "ContactQueued", within_s=15)
    contact = queued.stream.removeprefix("contact-")
    offer = await ann.takes(contact)
    assert offer["channel"] == "voice"
    await tenant.fact(queued.stream, "AgentConnected")
    for step in ("hold", "resume", "end"):
        await ann.api.done("ingress_voice", f"/v1/contacts/{contact}:{step}")
    await ann.wraps_up(contact)
    await ann.is_in("ready")
    await tenant.fact(queued.stream, "ContactEnded")
    told = [fact.name for fact in tenant.facts(queued.stream)]
    assert told == [
        *("ContactStarted", "TrunkSeized", "SystemConnected", "ContactQueued", "AgentConnected"),
        *("ContactHeld", "ContactResumed", "AgentDisconnected", "CustomerDisconnected", "TrunkReleased"),
        "ContactEnded",
    ]
    assert not any(CALLER[1:].encode() in record.value for record in centre.log.records if record.value)
    assert CALLER[1:] not in centre.logs()


async def test_who_calls_again_reaches_the_agent_of_the_last_time(
    centre: Centre, tenant: Tenant, tmp_path: Path
) -> None:
    """RT-1 RT-10: though another agent has been idle for longer; the decision says why."""
    await tenant.queue()
    ann = await tenant.agent("ann")
    number = f"5{tenant.id}"
    told = {"called": number, "queue": QUEUE, "last_agent_days": 30, "last_agent_wait_s": 20}
    assert (await tenant.admin.put("ingress_voice", "/v1/entry-points/hotline", told)).is_success
    await calls(centre, tenant, tmp_path, number, 0.5, 10)
    first = (await tenant.fact("contact-", "ContactQueued", within_s=15)).stream.removeprefix("contact-")
    await ann.takes(first)
    await tenant.fact(f"contact-{first}", "AgentConnected")
    await tenant.agent("bob")
    await ann.api.done("ingress_voice", f"/v1/contacts/{first}:end")
    await ann.wraps_up(first)
    await ann.is_in("ready")

    second = (await tenant.fact("contact-", "ContactQueued", 2, within_s=20)).stream.removeprefix("contact-")
    assert second != first
    offered = await tenant.fact("pool-", "ContactOffered", 2)
    assert (offered.data.contact, offered.data.agent) == (second, "ann")
    assert offered.data.explanation.tie_break == "preferred_agent"
    queued = tenant.facts(f"contact-{second}", "ContactQueued")[0].data
    assert (queued.preferred_agent, queued.preferred_agent_ms) == ("ann", 20_000)
