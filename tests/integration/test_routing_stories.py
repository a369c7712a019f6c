"""Who is offered what, and what becomes of it: transfers, refusals, silence, skills."""

from __future__ import annotations

from contactcenter.routing.v1 import events_pb2 as routing_pb
from contactcenter.ticket.v1 import events_pb2 as ticket_pb
from switchlog.testing import eventually

from .centre import STORY
from .centre.log import Fact
from .centre.people import Agent, Visitor
from .centre.tenant import QUEUE, Tenant

pytestmark = STORY


async def waiting(tenant: Tenant, text: str = "Hello", queue: str = QUEUE) -> Visitor:
    """A visitor who has said something; routing has seen it wait."""
    visitor = await tenant.visitor(queue)
    await visitor.say(text)
    await eventually(lambda: visitor.contact in [one.data.contact for one in tenant.facts("pool-", "ContactWaiting")])
    return visitor


def outcomes(tenant: Tenant, contact: str) -> list[str]:
    """How each of its legs left a queue."""
    dequeued = [fact.data for fact in tenant.facts("pool-", "ContactDequeued") if fact.data.contact == contact]
    return [routing_pb.DequeueOutcome.Name(one.outcome).removeprefix("DEQUEUE_OUTCOME_").lower() for one in dequeued]


def offers(tenant: Tenant, contact: str) -> list[tuple[str, int]]:
    """Agent and leg of each offer."""
    return [
        (fact.data.agent, fact.data.leg)
        for fact in tenant.facts("pool-", "ContactOffered")
        if fact.data.contact == contact
    ]


async def test_a_transferred_contact_reaches_another_agent_as_its_second_leg(tenant: Tenant) -> None:
    """CH-5 RT-5: the wait of the first leg is not forgotten, and what was said goes along."""
    await tenant.queue()
    await tenant.queue("billing")
    ann, bob = await tenant.agent("ann"), await tenant.agent("bob")
    visitor = await waiting(tenant, "My invoice is wrong")
    await ann.takes(visitor.contact)
    await ann.api.done("ingress_chat", f"/v1/contacts/{visitor.contact}:transfer", {"queue": "billing"})
    offer = await bob.takes(visitor.contact)
    assert (offer["leg"], offer["queue"]) == (2, "billing")
    await visitor.socket.until("status", lambda frame: frame["data"].get("agent") == "bob")
    await bob.hears(visitor.contact, "My invoice is wrong")
    await bob.says(visitor.contact, "I will look.")
    await visitor.hears("I will look.")
    refused = await ann.api.post(
        "ingress_chat", f"/v1/contacts/{visitor.contact}/messages", {"message_id": "m", "text": "And I?"}
    )
    assert (refused.status_code, refused.json()["reason"]) == (409, "NOT_YOUR_CONTACT")
    legs = tenant.facts(f"contact-{visitor.contact}", "ContactQueued")
    assert [(fact.data.leg, fact.data.queue) for fact in legs] == [(1, QUEUE), (2, "billing")]
    assert legs[0].data.arrived_at == legs[1].data.arrived_at
    await ann.wraps_up(visitor.contact)
    await bob.ends(visitor.contact)
    await tenant.fact("recording-", "RecordingStored", 2)


async def test_who_leaves_while_waiting_is_never_offered(tenant: Tenant) -> None:
    """RT-4"""
    await tenant.queue()
    visitor = await waiting(tenant)
    answer = await visitor.send("end", {})
    assert answer["type"] == "ack"
    await visitor.status("ended")
    await tenant.fact("pool-", "ContactDequeued")
    assert outcomes(tenant, visitor.contact) == ["abandoned"]
    ann = await tenant.agent("ann")
    later = await waiting(tenant)
    await ann.takes(later.contact)
    assert offers(tenant, visitor.contact) == []


async def test_who_does_not_answer_is_not_ready_and_the_contact_stays_at_the_head(tenant: Tenant) -> None:
    """RT-2"""
    await tenant.queue(offer_timeout_s=1)
    ann = await tenant.agent("ann")
    first, second = await waiting(tenant, "first"), await waiting(tenant, "second")
    offer = await ann.offer(first.contact)
    gone = await ann.desk.until("offer_gone", lambda frame: frame["data"]["offer_id"] == offer["offer_id"])
    assert gone["data"]["reason"] == "expired"
    await ann.desk.until("state", lambda frame: frame["data"]["reason"] == "no_answer")
    assert await ann.state() == "not_ready"
    late = await ann.api.post("routing", f"/v1/offers/{offer['offer_id']}:accept")
    assert (late.status_code, late.json()["reason"]) == (409, "OFFER_NOT_OPEN")
    bob = await tenant.agent("bob")
    await bob.takes(first.contact)
    assert offers(tenant, first.contact) == [("ann", 1), ("bob", 1)]
    assert offers(tenant, second.contact) == []
    await ann.does("ready")
    await ann.takes(second.contact)


async def test_a_declined_contact_goes_to_the_next_agent_at_once(tenant: Tenant) -> None:
    """RT-2"""
    await tenant.queue()
    ann, bob = await tenant.agent("ann"), await tenant.agent("bob")
    visitor = await waiting(tenant)
    offer = await ann.offer(visitor.contact)
    await ann.api.done("routing", f"/v1/offers/{offer['offer_id']}:decline", {"reason": "lunch"})
    await bob.takes(visitor.contact)
    await visitor.status("connected")
    assert offers(tenant, visitor.contact) == [("ann", 1), ("bob", 1)]
    assert await ann.state() == "ready"


async def test_the_longest_idle_of_those_who_have_the_skill_is_offered_first(tenant: Tenant) -> None:
    """RT-1: bob is idle longest and speaks too little French."""
    await tenant.queue("french", required_skills=[{"skill": "fr", "min_level": 2}])
    for agent, level in (("bob", 1), ("cas", 2), ("ann", 3)):
        await tenant.hire(agent, skills=[{"skill": "fr", "level": level}])
    people: dict[str, Agent] = {}
    for agent in ("bob", "cas", "ann"):
        people[agent] = await Agent.arrive(agent, tenant.api(agent, ["agent"]))
        await _known_ready(tenant, agent)
    first, second = await waiting(tenant, "Bonjour", "french"), await waiting(tenant, "Salut", "french")
    await people["cas"].takes(first.contact)
    await people["ann"].takes(second.contact)
    assert offers(tenant, first.contact) + offers(tenant, second.contact) == [("cas", 1), ("ann", 1)]
    offered: list[Fact] = tenant.facts("pool-", "ContactOffered")
    assert {fact.data.policy for fact in offered} == {"longest-idle@1"}


async def test_an_agent_who_opens_a_new_socket_finds_offers_and_contacts_as_they_are(tenant: Tenant) -> None:
    """trust, Faults: offers re-sent from state"""
    await tenant.queue()
    ann = await tenant.agent("ann", capacity=[{"channel": "chat", "slots": 2}])
    first, second = await waiting(tenant, "first"), await waiting(tenant, "second")
    await ann.takes(first.contact)
    offer = await ann.offer(second.contact)
    await ann.desk.cut()
    ann.desk = await ann.api.socket("agent_state", "/v1/agents/me/ws")
    snapshot = (await ann.desk.until("snapshot"))["data"]
    assert [one["offer_id"] for one in snapshot["offers"]] == [offer["offer_id"]]
    assert [(one["contact"], one["state"]) for one in snapshot["contacts"]] == [(first.contact, "assigned")]
    await ann.accepts(offer["offer_id"])
    await ann.contact_is(second.contact, "assigned")
    await ann.desk.until("offer_gone", lambda frame: frame["data"]["offer_id"] == offer["offer_id"])


async def test_one_agent_never_has_more_than_fits(tenant: Tenant) -> None:
    """RT-1, I3"""
    await tenant.queue()
    ann = await tenant.agent("ann", capacity=[{"channel": "chat", "slots": 2}])
    visitors = [await waiting(tenant, f"number {n}") for n in range(3)]
    for visitor in visitors[:2]:
        await ann.takes(visitor.contact)
    assert offers(tenant, visitors[2].contact) == []
    await ann.ends(visitors[0].contact)
    await ann.wraps_up(visitors[0].contact)
    await ann.takes(visitors[2].contact)


async def _known_ready(tenant: Tenant, agent: str) -> None:
    """The pool has seen the agent be ready: who came first is idle longest."""
    ready = await tenant.fact(f"agent-{agent}", "AgentReady")

    def observed() -> bool:
        seen = [fact.data for fact in tenant.facts("pool-", "AgentObserved")]
        return (ready.key, ready.version) in [(one.source_stream, one.source_version) for one in seen]

    await eventually(observed)


async def test_a_chat_is_not_passed_to_a_queue_of_calls(tenant: Tenant) -> None:
    """RT-5 blocked: whoever asks is told at once, and the conversation stays where it is."""
    await tenant.queue()
    await tenant.queue("calls", channels=["voice"])
    ann = await tenant.agent("ann")
    visitor = await waiting(tenant)
    await ann.takes(visitor.contact)

    async def refused() -> bool:
        answer = await ann.api.post("ingress_chat", f"/v1/contacts/{visitor.contact}:transfer", {"queue": "calls"})
        return (answer.status_code, answer.json()["reason"]) == (409, "CHANNEL_NOT_TAKEN")

    assert await eventually(refused)
    await ann.says(visitor.contact, "Then I help you myself.")
    await visitor.hears("Then I help you myself.")
    await ann.ends(visitor.contact)


async def test_who_comes_when_a_queue_is_closed_is_called_back_by_a_ticket(tenant: Tenant) -> None:
    """RT-5 RT-6 RT-9: the published row follows the hours, the rule promises, a ticket says whom to call and why."""
    never = {"pools": ["front"], "time_zone": "Asia/Shanghai", "weekly": {}}
    assert (await tenant.admin.put("routing", "/v1/hours/never", never)).is_success
    promise = {"rule": "promise", "trigger": "closed", "action": "callback"}
    await tenant.queue("night", hours="never", overflows=[promise])
    await tenant.queue("shut", hours="never")
    timers = await tenant.fact("pool-", "TimerElapsed", 2)
    assert not timers.data.open
    visitor = await waiting(tenant, queue="night")
    await visitor.status("ended")
    opened = (await tenant.fact("ticket-", "TicketOpened")).data
    assert (opened.contact, opened.queue, bool(opened.customer_ref)) == (visitor.contact, "night", True)
    assert opened.kind == ticket_pb.TICKET_KIND_CALLBACK
    assert outcomes(tenant, visitor.contact) == ["callback"]
    late = await tenant.visitor("shut")

    async def refused() -> bool:
        answer = await late.send("message", {"kind": "text", "text": "Hello?"})
        return bool(answer["data"].get("reason") == "QUEUE_CLOSED")

    assert await eventually(refused)
