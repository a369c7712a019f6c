"""What a contact of another switch contributes: its facts in order of time, told to the same functions as our own.

A contact's contribution is made anew from all its facts whenever one more is known, the old one is subtracted and the
new one added: so neither the order in which facts come nor how often matters (kernel rule 29). Facts of one instant are
taken in that order of ids in which they make sense: whoever is answered in the second of arrival was queued before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import groupby

from analytics.domain import legs, levels
from analytics.domain.amounts import Amounts, Left, Offered, OfferWas
from analytics.domain.counters import DAY
from analytics.domain.fedstory import Fact, Story
from analytics.domain.levels import COHORT, EVENT, Waiting, group, pieces, quarter

# --- a contact's whole story -----------------------------------------------------------------------------------------


def contribution(contact: str, facts: Sequence[Fact]) -> Amounts:
    """All that a contact's ``facts``, sorted, contribute. ``contact`` is unique in its tenant."""
    told = Story(contact, facts)
    for fact in _in_order(told, facts):
        _HANDLERS[fact.fact](told, fact)
    told.close()
    found: Amounts = {}
    for *key, amount in told.out:
        levels.add(found, tuple(key), amount)
    return found


def _in_order(told: Story, facts: Sequence[Fact]) -> Iterator[Fact]:
    """Facts of one instant: each time one that fits, by id; into the next queue only after what concerns the last."""
    for _, together in groupby(facts, lambda fact: fact.at):
        left = list(together)
        while left:
            fact = left[0] if len(left) == 1 else min(left, key=lambda one: _rank(told, one))
            left.remove(fact)
            yield fact


def _rank(told: Story, fact: Fact) -> int:
    if fact.fact in ("contact_ended", "customer_disconnected"):
        return 3
    if fact.fact == "contact_queued":
        return 1 if told.waiting is None else 2
    return 0 if _fits(told, fact) else 2


def _fits(told: Story, fact: Fact) -> bool:
    match fact.fact:
        case "contact_answered" | "contact_abandoned" | "contact_flowed_out" | "contact_dequeued" | "contact_offered":
            return told.waiting is not None
        case "offer_expired" | "offer_declined":
            return fact.agent in told.offers
        case "contact_held" | "contact_resumed" | "agent_disconnected":
            return told.open_leg(fact.agent) > 0
        case "contact_transferred":
            return told.leg_of(fact.agent) > 0
        case "wrap_up_started":
            return told.leg_of(fact.agent) > 0 and told.open_leg(fact.agent) == 0
        case "wrap_up_ended":
            return told.wrapping(fact.agent) > 0
        case "trunk_released":
            return bool(told.contact.trunks)
        case _:
            return True


# --- the facts -------------------------------------------------------------------------------------------------------


def _started(told: Story, fact: Fact) -> None:
    if told.contact.started_at < 0:
        legs.started(told.contact, told.out, fact.at, told.channel)
    else:
        told.dirt(fact, "started_twice")


def _queued(told: Story, fact: Fact) -> None:
    if told.waiting is not None:
        if fact.queue == told.queue:
            told.dirt(fact, "queued_twice")
            return
        told.dirt(fact, "left_without_outcome")
        _left(told, fact, "flowed_out")
    told.leg += 1
    started = told.contact.started_at
    told.waiting = Waiting(told.channel, fact.at, started if started >= 0 else fact.at)
    told.queue = fact.queue
    told.of_queue(fact.at, group(told.channel), Offered())
    legs.queued(told.contact, told.out, fact.at, told.leg, fact.queue, told.channel)


def _left(told: Story, fact: Fact, outcome: str, key: str = "") -> None:
    assert told.waiting is not None
    for agent in list(told.offers):
        _offer_ended(told, agent, "accepted" if outcome == "answered" and agent == fact.agent else "withdrawn")
    said = Left(outcome, max(0, fact.at - told.waiting.queued_at))
    told.of_queue(fact.at, key or group(told.channel), said)
    told.waiting = None


def _answered(told: Story, fact: Fact) -> None:
    if told.waiting is not None:
        _left(told, fact, "answered", group(told.channel, fact.agent, fact.team))
    elif told.talking:
        told.dirt(fact, "answered_twice")
        return
    else:
        told.dirt(fact, "answered_unqueued")
        told.leg, told.queue = told.leg + 1, fact.queue
    if not fact.agent:
        told.dirt(fact, "answered_without_agent")
    told.answered_at[told.leg] = fact.at
    legs.connected(told.contact, told.out, fact.at, told.leg, told.queue, fact.agent, fact.team, told.channel)


def _gone(outcome: str) -> Handler:
    def gone(told: Story, fact: Fact) -> None:
        if told.waiting is not None:
            _left(told, fact, outcome)
        else:
            told.dirt(fact, f"{outcome}_unqueued")

    return gone


def _dequeued(told: Story, fact: Fact) -> None:
    """Says again what an answer or the like has said; alone it says it."""
    if told.waiting is None:
        if fact.outcome == "answered" and told.talking and told.served and fact.at > told.served.since >= 0:
            told.dirt(fact, "service_before_queue_exit")
        return
    if fact.outcome != "answered":
        _left(told, fact, fact.outcome)
    elif not _answer_follows(told, fact):
        _answered(told, fact)


def _answer_follows(told: Story, fact: Fact) -> bool:
    """Whether the leg's own answer is told too, at that time or later: then that one counts."""
    for later in told.facts:
        if later.at >= fact.at and later.fact == "contact_answered":
            return True
        if later.at > fact.at and later.fact == "contact_queued":
            return False
    return False


def _offered(told: Story, fact: Fact) -> None:
    if told.waiting is None:
        told.dirt(fact, "offered_unqueued")
        return
    if fact.agent in told.offers:
        _offer_ended(told, fact.agent, "withdrawn")
    key = group(told.channel, fact.agent, fact.team)
    told.offers[fact.agent] = (key, fact.at)
    _offer(told, fact.agent, "made")


def _offer_over(how: str) -> Handler:
    def over(told: Story, fact: Fact) -> None:
        if fact.agent in told.offers:
            _offer_ended(told, fact.agent, how)
        else:
            told.dirt(fact, "offer_unknown")

    return over


def _offer_ended(told: Story, agent: str, how: str) -> None:
    _offer(told, agent, how)
    del told.offers[agent]


def _offer(told: Story, agent: str, how: str) -> None:
    """Both attributions count an offer, and how it ended, when it was made."""
    key, made_at = told.offers[agent]
    told.of_queue(made_at, key, OfferWas(how))
    if agent:
        name = "offers" if how == "made" else f"offers_{how}"
        told.out.append((DAY, agent, quarter(made_at), levels.parted(key)[2], name, 1))


def _on_hold(on_hold: bool) -> Handler:
    def held(told: Story, fact: Fact) -> None:
        if leg := told.open_leg(fact.agent):
            legs.held(told.contact, told.out, fact.at, leg, on_hold)
        else:
            told.dirt(fact, "held_unanswered")

    return held


def _transferred(told: Story, fact: Fact) -> None:
    if leg := told.leg_of(fact.agent):
        legs.transferred(told.contact, told.out, fact.at, leg)
    else:
        told.dirt(fact, "transferred_unanswered")


def _agent_left(told: Story, fact: Fact) -> None:
    if leg := told.open_leg(fact.agent):
        legs.agent_left(told.contact, told.out, fact.at, leg)
        _handled_unless_wrapped(told, leg, fact)
    elif not told.leg_of(fact.agent):
        told.dirt(fact, "disconnected_unanswered")


def _customer_left(told: Story, fact: Fact) -> None:
    if told.waiting is not None:
        told.dirt(fact, "disconnected_while_waiting")
        _left(told, fact, "abandoned")


def _ended(told: Story, fact: Fact) -> None:
    if told.contact.ended_at >= 0:
        told.dirt(fact, "ended_twice")
        return
    if told.waiting is not None:
        told.dirt(fact, "ended_while_waiting")
        _left(told, fact, "abandoned")
    talking = [number for number, leg in told.contact.legs.items() if leg.connected and not leg.closed]
    legs.ended(told.contact, told.out, fact.at, fact.reason)
    for leg in talking:
        _handled_unless_wrapped(told, leg, fact)


def _wrap_up_started(told: Story, fact: Fact) -> None:
    leg = told.leg_of(fact.agent)
    if leg and leg not in told.wrap_ups and leg not in told.handled:
        told.wrap_ups[leg] = fact.at
    else:
        told.dirt(fact, "wrap_up_unexpected")


def _wrap_up_ended(told: Story, fact: Fact) -> None:
    if leg := told.wrapping(fact.agent):
        _handled(told, leg, fact.at, told.wrap_ups[leg])
    else:
        told.dirt(fact, "wrap_up_unexpected")


def _handled_unless_wrapped(told: Story, leg: int, fact: Fact) -> None:
    """Without any word of a wrap-up there was none."""
    agent = told.contact.legs[leg].agent
    later = (one for one in told.facts if one.fact == "wrap_up_started" and one.at >= fact.at)
    if leg not in told.wrap_ups and not any(one.agent in ("", agent) for one in later):
        _handled(told, leg, fact.at, fact.at)


def _handled(told: Story, number: int, at: int, wrap_up_at: int) -> None:
    leg = told.contact.legs[number]
    told.handled.add(number)
    told.out.append((COHORT, leg.queue, quarter(leg.begun), leg.group, "handled", 1))
    told.out.append((EVENT, leg.queue, quarter(at), leg.group, "handled", 1))
    if leg.agent:
        told.out.append((DAY, leg.agent, quarter(at), leg.team, "handled", 1))
        _busy(told, leg, told.answered_at[number], at)
    for start, milliseconds in pieces(wrap_up_at, at):
        told.out.append((COHORT, leg.queue, quarter(leg.begun), leg.group, "wrap_up_ms", milliseconds))
        told.out.append((EVENT, leg.queue, start, leg.group, "wrap_up_ms", milliseconds))
        if leg.agent:
            told.out.append((DAY, leg.agent, start, leg.team, "wrap_up_ms", milliseconds))


def _busy(told: Story, leg: legs.Leg, begin: int, end: int) -> None:
    """An agent is told ready while it is at work: that time is busy, not ready."""
    for start, milliseconds in pieces(begin, end):
        told.out.append((EVENT, leg.queue, start, leg.group, "busy_ms", milliseconds))
        told.out.append((EVENT, leg.queue, start, leg.group, "slot_ms", milliseconds))
        told.out.append((DAY, leg.agent, start, leg.team, "busy_ms", milliseconds))
        told.out.append((DAY, leg.agent, start, leg.team, "ready_ms", -milliseconds))


def _seized(told: Story, fact: Fact) -> None:
    legs.seized(told.contact, told.out, fact.at, "")


def _released(told: Story, fact: Fact) -> None:
    legs.released(told.contact, told.out, fact.at, "")


def _surveyed(told: Story, fact: Fact) -> None:
    legs.surveyed(told.contact, told.out, fact.at, told.leg, fact.score, 0)


def _cost(told: Story, fact: Fact) -> None:
    """To the contact's first queue, as ``cost_<currency>_micros``."""
    name, key = f"cost_{fact.currency}_micros", group(told.channel)
    first = next((one for one in told.facts if one.fact == "contact_queued"), None)
    queue, cohort = (first.queue, first.at) if first else (fact.queue, fact.at)
    told.out.append((COHORT, queue, quarter(cohort), key, name, fact.amount_micros))
    told.out.append((EVENT, queue, quarter(fact.at), key, name, fact.amount_micros))


Handler = Callable[[Story, Fact], None]
_HANDLERS: Mapping[str, Handler] = {
    "contact_started": _started,
    "contact_queued": _queued,
    "contact_offered": _offered,
    "contact_answered": _answered,
    "contact_abandoned": _gone("abandoned"),
    "contact_flowed_out": _gone("flowed_out"),
    "contact_dequeued": _dequeued,
    "offer_expired": _offer_over("expired"),
    "offer_declined": _offer_over("declined"),
    "contact_held": _on_hold(True),
    "contact_resumed": _on_hold(False),
    "contact_transferred": _transferred,
    "agent_disconnected": _agent_left,
    "customer_disconnected": _customer_left,
    "contact_ended": _ended,
    "wrap_up_started": _wrap_up_started,
    "wrap_up_ended": _wrap_up_ended,
    "trunk_seized": _seized,
    "trunk_released": _released,
    "survey_answered": _surveyed,
    "cost_booked": _cost,
}
OF_CONTACTS = frozenset(_HANDLERS)
