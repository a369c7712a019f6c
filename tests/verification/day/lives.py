"""A contact's life: it comes, waits, talks, is held, passed on, rates, complains and ends, or loses its patience."""

from __future__ import annotations

from contactcenter.contact.v1 import events_pb2 as pb
from contactcenter.routing.v1 import events_pb2 as routing_pb
from contactcenter.ticket.v1 import events_pb2 as ticket_pb

from . import queues, shifts
from .world import CHANNELS, MINUTE, QUEUES, Agent, Contact, Queue, S, World, contact_observed, stamp

REASONS = {
    "blocked": pb.END_REASON_BLOCKED,
    "callback": pb.END_REASON_CALLBACK,
    "timed_out": pb.END_REASON_TIMED_OUT,
    "failed": pb.END_REASON_FAILED,
    "abandoned": pb.END_REASON_ABANDONED,
    "served": pb.END_REASON_SELF_SERVED,
    "customer": pb.END_REASON_CUSTOMER_ENDED,
    "agent": pb.END_REASON_AGENT_ENDED,
}
CUSTOMERS = 25
"""So few that some have two tickets about the same."""


def patience(world: World) -> int:
    """Some hang up within seconds, most wait; few for ever."""
    return world.about(3 * S, 300) if world.happens(0.1) else world.about(120 * S, 2 * S)


def begin(world: World, contact: Contact) -> None:
    """A call rings through a trunk and a menu; a chat begins with a word of the customer's, some with a robot's."""
    channel, voice = CHANNELS[contact.channel], contact.channel == "voice"
    started = pb.ContactStarted(channel=channel, entry_point=f"{contact.channel}-1", direction=pb.DIRECTION_INBOUND)
    started.customer_ref = f"p{world.chance.randrange(100_000)}"
    world.contact(contact, started)
    if voice:
        world.contact(contact, pb.TrunkSeized(trunk="trunk-1", line=f"l-{contact.id}"))
        if world.happens(0.02):
            return world.after(50, end, world, contact, "blocked")
    else:
        _write(world, contact, pb.SENDER_KIND_CUSTOMER)
    menu = voice or world.happens(0.3)
    if menu:
        ringing = world.about(800, 100)
        world.after(ringing, _answered_by_system, world, contact)
        ms = ringing + world.about(8 * S, 2 * S)
        if world.happens(0.06):
            return world.after(ms, end, world, contact, "served")
        return world.after(ms, queue_up, world, contact, contact.queue, None)
    world.after(world.chance.randrange(20, 2000), queue_up, world, contact, contact.queue, None)


def walk_in(world: World, contact: Contact) -> None:
    """Begins and asks for an agent at once."""
    world.contact(contact, pb.ContactStarted(channel=CHANNELS[contact.channel], direction=pb.DIRECTION_INBOUND))
    queue_up(world, contact, contact.queue, None)


def _answered_by_system(world: World, contact: Contact) -> None:
    world.contact(contact, pb.SystemConnected(system="menu-1"))
    if contact.channel == "chat":
        _write(world, contact, pb.SENDER_KIND_ROBOT)


def _write(world: World, contact: Contact, sender: pb.SenderKind, agent: Agent | None = None) -> None:
    if contact.ended:
        return
    fact = (pb.MessageReceived if sender == pb.SENDER_KIND_CUSTOMER else pb.MessageSent)(
        leg=contact.leg,
        message_id=f"m-{world.chance.randrange(1 << 40):x}",
        kind=pb.MESSAGE_KIND_TEXT,
        sender=sender,
    )
    if contact.leg:
        fact.queue, fact.pool = contact.queue.name, contact.queue.pool
    if agent is not None:
        fact.agent, fact.team = agent.id, agent.team
    world.contact(contact, fact)


def queue_up(world: World, contact: Contact, queue: Queue, origin: Queue | None) -> None:
    """Asks for an agent, on the next leg."""
    contact.leg, contact.queue, contact.queued_at = contact.leg + 1, queue, world.now
    contact.offer, contact.accepted = None, False
    fact = pb.ContactQueued(leg=contact.leg, queue=queue.name, pool=queue.pool, channel=CHANNELS[contact.channel])
    if origin is not None:
        fact.from_queue, fact.from_pool = origin.name, origin.pool if origin.pool != queue.pool else ""
    fact.arrived_at.CopyFrom(stamp(contact.arrived_at or world.now))
    event = world.streams.say(f"contact-{contact.id}", fact, world.now, world.now)
    world.after(world.chance.randrange(2, 30), queues.arrive, world, contact, contact_observed(event))


def lose_patience(world: World, contact: Contact, leg: int) -> None:
    """Also in the moment between an agent's yes and the connection."""
    if not contact.waits or contact.leg != leg:
        return
    waited, short = world.now - contact.queued_at, contact.queue.short_ms
    event = world.streams.say(f"contact-{contact.id}", pb.ContactAbandoned(**_place(contact)), world.now, world.now)
    world.pool(contact.queue.pool, contact_observed(event))
    queues.withdraw(world, contact, routing_pb.WITHDRAW_REASON_CUSTOMER_LEFT)
    queues.dequeue(world, contact, "short_abandoned" if short and waited <= short else "abandoned", world.now)
    if contact.accepted and contact.offer is not None:
        world.after(30, shifts.end_work, world, contact.offer[0], shifts.leg_of(contact), False)
    world.after(4, end, world, contact, "abandoned")


def _place(contact: Contact) -> dict[str, object]:
    return {"leg": contact.leg, "queue": contact.queue.name, "pool": contact.queue.pool}


# --- with an agent ---------------------------------------------------------------------------------------------------


def connect(world: World, contact: Contact, agent: Agent, leg: int) -> None:
    """Media flow: this instant is `answered`."""
    if not contact.waits or contact.leg != leg:
        return
    with_agent = {**_place(contact), "agent": agent.id, "team": agent.team}
    fact = pb.AgentConnected(
        **with_agent, offer_id=contact.offer[1] if contact.offer else "", channel=CHANNELS[contact.channel]
    )
    event = world.streams.say(f"contact-{contact.id}", fact, world.now, world.now)
    contact.waits = False
    world.after(world.chance.randrange(2, 60), _seen_connected, world, contact, event, world.now)
    length = world.about(110 * S, 8 * S)
    _plan_holds(world, contact, agent, length)
    if contact.channel == "chat":
        world.after(min(world.about(6 * S, S), length - 1), _write, world, contact, pb.SENDER_KIND_AGENT, agent)
        world.after(length // 2, _write, world, contact, pb.SENDER_KIND_CUSTOMER)
        world.after(length // 2 + length // 5, _write, world, contact, pb.SENDER_KIND_AGENT, agent)
    passed_on = contact.leg < 3 and world.happens(0.09)
    world.after(length, transfer if passed_on else part, world, contact, agent)


def _seen_connected(world: World, contact: Contact, event: object, at: int) -> None:
    world.pool(contact.queue.pool, contact_observed(event))
    queues.dequeue(world, contact, "answered", left_at=at)


def _plan_holds(world: World, contact: Contact, agent: Agent, length: int) -> None:
    """Some are held, some twice; of a few the hold lasts until the agent's leg ends."""
    if contact.channel != "voice" or not world.happens(0.25):
        return
    edges = sorted(world.chance.randrange(1000, length) for _ in range(world.chance.choice((2, 2, 4, 3))))
    for n, edge in enumerate(edges):
        fact = pb.ContactHeld if n % 2 == 0 else pb.ContactResumed
        world.after(edge, world.contact, contact, fact(**_place(contact), agent=agent.id, team=agent.team))


def transfer(world: World, contact: Contact, agent: Agent) -> None:
    """To another queue of the channel where there is one, else to the back of the same."""
    origin, leg = contact.queue, shifts.leg_of(contact)
    others = [one for one in QUEUES.values() if one.channel == contact.channel and one != origin]
    to = world.chance.choice(others or [origin])
    with_agent = {**_place(contact), "agent": agent.id, "team": agent.team}
    kind = pb.TRANSFER_KIND_BLIND if world.happens(0.7) else pb.TRANSFER_KIND_CONSULT
    world.contact(contact, pb.ContactTransferred(**with_agent, kind=kind, to_queue=to.name, to_pool=to.pool))
    world.contact(contact, pb.AgentDisconnected(**with_agent, reason="transferred", channel=CHANNELS[contact.channel]))
    world.after(world.chance.randrange(2, 30), shifts.end_work, world, agent, leg, world.happens(0.7))
    queue_up(world, contact, to, origin)


def part(world: World, contact: Contact, agent: Agent) -> None:
    """The agent's leg ends; a caller may stay to rate."""
    with_agent = {**_place(contact), "agent": agent.id, "team": agent.team}
    world.contact(contact, pb.AgentDisconnected(**with_agent, reason="agent_ended", channel=CHANNELS[contact.channel]))
    leg = shifts.leg_of(contact)
    world.after(world.chance.randrange(2, 30), shifts.end_work, world, agent, leg, world.happens(0.8))
    if world.happens(0.4):
        world.contact(contact, pb.SurveyOffered(**with_agent, survey="after-call"))
        score = world.chance.choice((1, 3, 4, 4, 5, 5, 5))
        rated = pb.SurveyAnswered(**with_agent, survey="after-call", score=score, max_score=5)
        world.after(world.about(9 * S, S), _rate, world, contact, rated, agent)
    else:
        world.after(world.about(900, 50), end, world, contact, "agent", agent)


def _rate(world: World, contact: Contact, rated: object, agent: Agent) -> None:
    world.contact(contact, rated)
    world.after(200, end, world, contact, "customer", agent)


def end(world: World, contact: Contact, why: str, agent: Agent | None = None) -> None:
    """The customer's side is over."""
    if contact.ended:
        return
    place = _place(contact) if contact.leg else {}
    with_agent = {"agent": agent.id, "team": agent.team} if agent else {}
    world.contact(contact, pb.CustomerDisconnected(**place, **with_agent, reason="customer_ended"))
    if contact.channel == "voice":
        world.contact(contact, pb.TrunkReleased(**place, trunk="trunk-1", line=f"l-{contact.id}"))
    ended = pb.ContactEnded(**place, **with_agent, reason=REASONS[why], channel=CHANNELS[contact.channel])
    world.contact(contact, ended)
    contact.ended = True
    if agent is not None and world.happens(0.08):
        world.after(world.about(20 * S), open_ticket, world, contact, agent)


# --- tickets ---------------------------------------------------------------------------------------------------------


def open_ticket(world: World, contact: Contact, agent: Agent) -> None:
    ticket = f"t-{contact.id}"
    kind = ticket_pb.TICKET_KIND_COMPLAINT if world.happens(0.25) else ticket_pb.TICKET_KIND_QUESTION
    opened = ticket_pb.TicketOpened(
        ticket=ticket,
        contact=contact.id,
        customer_ref=f"p{world.chance.randrange(CUSTOMERS)}" if world.happens(0.9) else "",
        kind=kind,
        opened_by=agent.id,
        source=ticket_pb.TICKET_SOURCE_CONTACT,
        channel=CHANNELS[contact.channel],
        queue=contact.queue.name,
        topic=world.chance.choice(("bill", "delivery", "other")),
    )
    _say(world, ticket, opened)
    if kind == ticket_pb.TICKET_KIND_COMPLAINT:
        _say(
            world,
            ticket,
            ticket_pb.ComplaintMarked(ticket=ticket, category="service", severity=2, about_agent=agent.id),
        )
    reply = ticket_pb.TicketCommented(
        ticket=ticket, comment_id="c1", visibility=ticket_pb.COMMENT_VISIBILITY_PUBLIC, author=agent.id
    )
    first = world.about(6 * MINUTE)
    world.after(first, _say, world, ticket, reply)
    world.after(first + world.about(30 * MINUTE), _resolve, world, ticket, agent)


def _resolve(world: World, ticket: str, agent: Agent) -> None:
    """For good, or until the customer asks once more: soon, or after more than a week."""
    _say(world, ticket, ticket_pb.TicketResolved(ticket=ticket, resolution="done", resolved_by=agent.id))
    if not world.happens(0.2):
        return
    after = world.about(60 * MINUTE) if world.happens(0.7) else 8 * 24 * 60 * MINUTE
    world.after(after, _say, world, ticket, ticket_pb.TicketReopened(ticket=ticket, reason="again"))
    world.after(after + world.about(20 * MINUTE), _resolve, world, ticket, agent)


def _say(world: World, ticket: str, fact: object) -> None:
    world.streams.say(f"ticket-{ticket}", fact, world.now, world.now)
