"""The whole way of one chat contact, through every service."""

from __future__ import annotations

from switchlog.testing import eventually

from .centre import STORY
from .centre.api import Api
from .centre.tenant import QUEUE, Tenant

pytestmark = STORY


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
    await tenant.fact(f"contact-{first.contact}", "ContactEnded")
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


async def test_only_its_agent_opens_a_ticket_from_a_contact_and_reads_it(tenant: Tenant) -> None:
    """TK-1"""
    await tenant.queue()
    ann, bob = await tenant.agent("ann"), await tenant.hire("bob")
    visitor = await tenant.visitor()
    await visitor.say("It is broken.")
    await ann.takes(visitor.contact)
    wanted = {"contact": visitor.contact, "subject": "Broken", "body": "Send a new one."}
    opened = await eventually(lambda: _opened(ann.api, wanted))
    ticket = opened["stream"].removeprefix("ticket-")
    shown = await ann.api.seen("ticketing", f"/v1/tickets/{ticket}")
    assert (shown["subject"], shown["body"], shown["contact"]) == ("Broken", "Send a new one.", visitor.contact)
    assert (await bob.get("ticketing", f"/v1/tickets/{ticket}")).json()["reason"] == "NOT_YOUR_TICKET"
    assert (await bob.post("ticketing", "/v1/tickets", wanted)).json()["reason"] == "NOT_YOUR_CONTACT"
    fact = await tenant.fact(f"ticket-{ticket}", "TicketOpened")
    assert (fact.data.contact, fact.data.queue) == (visitor.contact, QUEUE)
    assert len(tenant.facts("ticket-", "TicketOpened")) == 1


async def test_the_transcript_of_a_leg_is_kept_and_read_by_its_agent_alone(tenant: Tenant) -> None:
    """VO-6: one leg, one recording; who reads it is a fact."""
    await tenant.queue()
    ann, bob = await tenant.agent("ann"), await tenant.hire("bob")
    visitor = await tenant.visitor()
    await visitor.say("Hello?")
    await ann.takes(visitor.contact)
    await ann.says(visitor.contact, "Hello!")
    await ann.ends(visitor.contact)
    stored = await tenant.fact("recording-", "RecordingStored")
    found = await eventually(lambda: _recordings(ann.api, visitor.contact))
    assert found == [stored.stream.removeprefix("recording-")]
    play = f"/v1/recordings/{found[0]}:play"
    told = (await ann.api.done("recording", play, {}))["messages"]
    assert [(one["from"], one["text"]) for one in told] == [("customer", "Hello?"), ("agent", "Hello!")]
    for other, status in ((bob, 403), (tenant.admin, 403), (visitor.api, 401)):
        answer = await other.post("recording", play, {})
        assert (answer.status_code, "Hello" in answer.text) == (status, False)
    played = await tenant.fact("recording-", "RecordingPlayed")
    assert played.data.by == "ann"
    assert len(tenant.facts("recording-", "RecordingPlayed")) == 1


async def test_the_service_level_of_the_queue_is_shown_as_it_changes(tenant: Tenant) -> None:
    """AN-1: one answered in time, one who left"""
    await tenant.queue()
    ann = await tenant.agent("ann", wrap_up_s=0)
    first = await tenant.visitor()
    await first.say("Hello")
    await ann.takes(first.contact)
    await _now(tenant, {"offered": 1, "answered": 1, "answered_in_threshold": 1, "abandoned": 0}, 1.0)
    second = await tenant.visitor()
    await second.say("Hello")
    await tenant.fact("pool-", "ContactWaiting", 2)
    await second.send("end", {})
    row = await _now(tenant, {"offered": 2, "answered": 1, "answered_in_threshold": 1, "abandoned": 1}, 0.5)
    assert (row["queue"], row["waiting"]) == (QUEUE, 0)
    assert (row["agents"]["checked_in"], row["agents"]["busy"]) == (1, 1)


async def _now(tenant: Tenant, counts: dict[str, int], level: float) -> dict:
    """Wait for the wallboard's row to say so."""

    async def shown() -> dict:
        row = await tenant.analyst.seen("analytics", f"/v1/queues/{QUEUE}/now")
        today = row["today"]
        assert {name: today["counts"][name] for name in counts} == counts, row
        assert today["figures"]["sl_strict"] == level, row
        return row

    return await eventually(shown, within_s=15, every_s=0.2)


async def _opened(api: Api, wanted: dict) -> dict | None:
    """The service hears of the contact's agent by topic: a moment later than the agent's own screen."""
    answer = await api.post("ticketing", "/v1/tickets", wanted)
    assert answer.status_code in (200, 403, 404), answer.text
    return answer.json() if answer.status_code == 200 else None


async def _recordings(api: Api, contact: str) -> list[str]:
    found = await api.seen("recording", "/v1/recordings", contact=contact)
    return list(found["recordings"])
