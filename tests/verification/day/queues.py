"""A pool: contacts wait, are offered, accepted, declined, forgotten and given away; what became of each is a fact."""

from __future__ import annotations

from contactcenter.routing.v1 import config_pb2, events_pb2
from contactcenter.routing.v1.events_pb2 import DequeueOutcome, WithdrawReason

from . import lives, shifts
from .world import CHANNELS, QUARTER, QUEUES, Agent, Contact, Queue, S, World, stamp

OFFER_MS = 20 * S
NO_ANSWER_MS = 40 * S


def define(world: World, queue: Queue) -> None:
    definition = config_pb2.QueueDefinition(
        queue=queue.name,
        name=queue.name,
        open=True,
        offer_timeout_ms=OFFER_MS,
        service_level_threshold_ms=queue.threshold_ms,
        short_abandon_ms=queue.short_ms,
        max_length=queue.max_length,
        max_wait_ms=queue.max_wait_ms,
        channels=[CHANNELS[queue.channel]],
    )
    world.pool(queue.pool, events_pb2.QueueDefined(definition=definition))


# --- in --------------------------------------------------------------------------------------------------------------


def arrive(world: World, contact: Contact, event: object) -> None:
    """The pool sees ContactQueued: the contact waits, or is refused because the queue is full."""
    queue = contact.queue
    world.pool(queue.pool, event)
    contact.waits, contact.attempts = True, 0
    contact.arrived_at = contact.arrived_at or contact.queued_at
    line = world.waiting[queue.name]
    waiting = events_pb2.ContactWaiting(
        leg=contact.leg,
        queue=queue.name,
        contact=contact.id,
        channel=CHANNELS[contact.channel],
        queued_at=stamp(contact.queued_at),
        arrived_at=stamp(contact.arrived_at),
        position=len(line) + 1,
        origin_queue=queue.name,
    )
    if world.happens(0.7):  # of the others nothing is known yet
        waiting.estimated_wait_p50_ms = 4 * S + 9 * S * len(line)
        waiting.estimated_wait_p90_ms = 3 * waiting.estimated_wait_p50_ms
    world.pool(queue.pool, waiting)
    _watch_quarter(world, contact)
    if queue.max_length and len(line) >= queue.max_length:
        return dequeue(world, contact, "blocked")
    line.append(contact)
    if not contact.patient:
        _plan_ends(world, contact)
    world.after(3, match, world, queue.pool)


def _plan_ends(world: World, contact: Contact) -> None:
    """Everything that may end the wait before an agent does."""
    queue, leg = contact.queue, contact.leg
    if queue.overflow_ms:
        world.at(contact.queued_at + queue.overflow_ms, overflow, world, contact, leg)
    if queue.max_wait_ms:
        world.at(contact.queued_at + queue.max_wait_ms, give_up, world, contact, leg, "timed_out")
    if world.happens(0.04):
        world.after(world.about(30 * S), give_up, world, contact, leg, "callback")
    if world.happens(0.005):
        world.after(world.about(15 * S), give_up, world, contact, leg, "failed")
    world.after(lives.patience(world), lives.lose_patience, world, contact, leg)


def _watch_quarter(world: World, contact: Contact) -> None:
    """Kernel rule 26: the log says when a quarter hour's verdicts are final."""
    end = contact.queued_at - contact.queued_at % QUARTER + QUARTER
    if (contact.queue.name, end) not in world.quarters:
        world.quarters.add((contact.queue.name, end))
        world.at(end + contact.queue.threshold_ms, _verdicts, world, contact.queue, end)


def _verdicts(world: World, queue: Queue, end: int) -> None:
    fact = events_pb2.TimerElapsed(
        kind=events_pb2.TIMER_KIND_FINALITY,
        due_at=stamp(end + queue.threshold_ms),
        queue=queue.name,
        interval_end=stamp(end),
        threshold_ms=queue.threshold_ms,
    )
    world.pool(queue.pool, fact)


# --- offers ----------------------------------------------------------------------------------------------------------


def match(world: World, pool: str) -> None:
    """Who has waited longest goes to a free agent, ties by id."""
    for name in sorted(name for name, queue in QUEUES.items() if queue.pool == pool):
        for contact in list(world.waiting[name]):
            agent = next((one for one in world.agents if _fits(one, contact, pool)), None)
            if agent is not None and contact.offer is None:
                offer(world, contact, agent)


def _fits(agent: Agent, contact: Contact, pool: str) -> bool:
    return agent.pool == pool and agent.channel == contact.channel and agent.free


def offer(world: World, contact: Contact, agent: Agent) -> None:
    contact.attempts += 1
    offer_id = f"o-{contact.id}-{contact.leg}-{contact.attempts}"
    contact.offer, agent.ringing = (agent, offer_id), True
    fact = events_pb2.ContactOffered(
        **_terms(contact),
        expires_at=stamp(world.now + OFFER_MS),
        policy="longest-idle@1",
        channel=CHANNELS[contact.channel],
        queued_at=stamp(contact.queued_at),
        attempt=contact.attempts,
    )
    world.pool(contact.queue.pool, fact)
    fate = world.chance.random()
    if fate < 0.84:
        world.after(world.about(2 * S, 400), accept, world, contact, offer_id, world.now)
    elif fate < 0.92:
        world.after(world.about(4 * S, 800), refuse, world, contact, offer_id)
    else:
        world.after(OFFER_MS, expire, world, contact, offer_id)


def _terms(contact: Contact) -> dict[str, object]:
    assert contact.offer is not None
    agent, offer_id = contact.offer
    leg = {"leg": contact.leg, "queue": contact.queue.name, "contact": contact.id}
    return {**leg, "agent": agent.id, "team": agent.team, "offer_id": offer_id}


def _stands(contact: Contact, offer_id: str) -> bool:
    return contact.waits and not contact.accepted and contact.offer is not None and contact.offer[1] == offer_id


def accept(world: World, contact: Contact, offer_id: str, offered_at: int) -> None:
    if not _stands(contact, offer_id) or world.now - offered_at >= OFFER_MS:
        return
    assert contact.offer is not None
    agent, pool = contact.offer[0], contact.queue.pool
    contact.accepted, contact.accepted_at, agent.ringing = True, world.now, False
    terms = _terms(contact)
    world.pool(pool, events_pb2.OfferAccepted(**terms, offered_at=stamp(offered_at)))
    assigned = events_pb2.ContactAssigned(
        **terms,
        channel=CHANNELS[contact.channel],
        queued_at=stamp(contact.queued_at),
        accepted_at=stamp(world.now),
        policy="longest-idle@1",
    )
    world.pool(pool, assigned)
    world.waiting[contact.queue.name].remove(contact)
    agent.works.add(f"{contact.id}/{contact.leg}")
    world.after(world.chance.randrange(3, 25), shifts.start_work, world, agent, contact)
    world.after(world.chance.randrange(60, 900), lives.connect, world, contact, agent, contact.leg)


def refuse(world: World, contact: Contact, offer_id: str) -> None:
    if _stands(contact, offer_id):
        world.pool(contact.queue.pool, events_pb2.OfferDeclined(**_terms(contact), reason="busy_elsewhere"))
        _back(world, contact)


def expire(world: World, contact: Contact, offer_id: str) -> None:
    if _stands(contact, offer_id):
        world.pool(contact.queue.pool, events_pb2.OfferExpired(**_terms(contact), not_ready=True))
        _back(world, contact)


def _back(world: World, contact: Contact) -> None:
    """The contact is at its old place again; the agent is away for a while, or would be asked at once."""
    assert contact.offer is not None
    agent = contact.offer[0]
    contact.offer, agent.ringing = None, False
    shifts.not_ready(world, agent, "no_answer", False, NO_ANSWER_MS)
    world.after(5, match, world, contact.queue.pool)


# --- out -------------------------------------------------------------------------------------------------------------


def overflow(world: World, contact: Contact, leg: int) -> None:
    """To another queue, of another pool here."""
    if not contact.waits or contact.leg != leg or contact.accepted:
        return
    queue = contact.queue
    to = QUEUES[queue.overflow_to]
    fact = events_pb2.ContactOverflowed(
        leg=leg,
        queue=queue.name,
        contact=contact.id,
        from_pool=queue.pool,
        action=config_pb2.OVERFLOW_ACTION_QUEUE,
        to_queue=to.name,
        to_pool=to.pool,
        rule="long-wait",
        channel=CHANNELS[contact.channel],
    )
    withdraw(world, contact, events_pb2.WITHDRAW_REASON_MOVED)
    world.pool(queue.pool, fact)
    dequeue(world, contact, "flowed_out", to_queue=to.name)
    world.after(world.chance.randrange(4, 40), lives.queue_up, world, contact, to, queue)


def give_up(world: World, contact: Contact, leg: int, outcome: str) -> None:
    if contact.waits and contact.leg == leg and not contact.accepted:
        withdraw(world, contact, events_pb2.WITHDRAW_REASON_MOVED)
        dequeue(world, contact, outcome)


def withdraw(world: World, contact: Contact, reason: WithdrawReason) -> None:
    """Take back an offer that is out."""
    if contact.offer is None or contact.accepted:
        return
    agent = contact.offer[0]
    world.pool(contact.queue.pool, events_pb2.OfferWithdrawn(**_terms(contact), reason=reason))
    contact.offer, agent.ringing = None, False
    world.after(8, match, world, agent.pool)


def dequeue(world: World, contact: Contact, outcome: str, left_at: int = 0, to_queue: str = "") -> None:
    """The wait is over; what is not answered or moved on ends the contact as well."""
    line = world.waiting[contact.queue.name]
    if contact in line:
        line.remove(contact)
    contact.waits = False
    left = left_at or world.now
    fact = events_pb2.ContactDequeued(
        leg=contact.leg,
        queue=contact.queue.name,
        contact=contact.id,
        outcome=DequeueOutcome.Value(f"DEQUEUE_OUTCOME_{outcome.upper()}"),
        channel=CHANNELS[contact.channel],
        queued_at=stamp(contact.queued_at),
        left_at=stamp(left),
        waited_ms=max(0, left - contact.queued_at),
        offers=contact.attempts,
        to_queue=to_queue,
    )
    if outcome == "answered" and contact.offer is not None:
        agent, offer_id = contact.offer
        fact.agent, fact.team, fact.offer_id = agent.id, agent.team, offer_id
        fact.accepted_at.FromMilliseconds(contact.accepted_at)
    world.pool(contact.queue.pool, fact)
    if outcome in ("blocked", "callback", "timed_out", "failed"):
        world.after(world.chance.randrange(5, 60), lives.end, world, contact, outcome)
