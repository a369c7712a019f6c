"""One telephone call, played by the scripted switch."""

from __future__ import annotations

import json
from pathlib import Path

from .centre import STORY
from .centre.centre import Centre
from .centre.tenant import QUEUE, Tenant

pytestmark = STORY

CALLER = "+8613912345678"


async def test_a_call_is_routed_talked_held_and_ended_like_any_contact(
    centre: Centre, tenant: Tenant, tmp_path: Path
) -> None:
    """VO-1 VO-3 CH-8: the caller's number stays with the owner of identities."""
    await tenant.queue()
    ann = await tenant.agent("ann")
    number = f"4{tenant.id}"
    door = await tenant.admin.put("ingress_voice", "/v1/entry-points/hotline", {"called": number, "queue": QUEUE})
    assert door.status_code == 200, door.text
    script = tmp_path / "calls.jsonl"
    call = {"at_s": 0.5, "do": "arrive", "call": tenant.id, "called": number, "caller": CALLER, "trunk": "t1"}
    script.write_text(json.dumps(call) + "\n")
    await centre.restart("ingress_voice", INGRESS_VOICE_SCRIPT=str(script))
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
