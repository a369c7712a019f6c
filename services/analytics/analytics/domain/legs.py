"""A contact as its own stream tells it: each fact changes its state and contributes to counters.

Every function takes the contact, the list that contributions go to and when it happened (epoch milliseconds). A
contact's facts in order of time, applied to a new ``Contact``, give all that it contributes; it is taken back by
subtracting the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from analytics.domain.counters import DAY, Contribution
from analytics.domain.levels import COHORT, EVENT, group, pieces, quarter

Out = list[Contribution]

NOT_CONNECTED = frozenset({"blocked", "failed", "not_reached"})
"""Reasons of an end that say that no system had answered."""
NOT_CONTAINED = frozenset({"blocked", "failed"})
SCALE = 5
"""The greatest rating where a survey does not say."""


@dataclass(slots=True)
class Leg:
    """``begun`` is t_enq (t_br of a leg never queued), ``since`` the begin of the running talk or hold, -1: none."""

    queue: str
    channel: str
    begun: int
    agent: str = ""
    team: str = ""
    connected: bool = False
    since: int = -1
    held: bool = False
    closed: bool = False

    @property
    def group(self) -> str:
        return group(self.channel, self.agent, self.team)


@dataclass(slots=True)
class Contact:
    """``queue`` and ``first_at`` are those of its first leg (-1: none yet); ``early`` what was counted before it.

    ``early`` holds (name, at, amount). ``asked_at`` is the customer's earliest word without a human reply, -1: none.
    ``seen`` is the last version of its stream; ``version`` the offset after the last record that it reflects.
    """

    contact: str
    channel: str = "unspecified"
    started_at: int = -1
    queue: str = ""
    first_at: int = -1
    system: bool = False
    ivr: bool = False
    early: list[tuple[str, int, int]] = field(default_factory=list)
    legs: dict[int, Leg] = field(default_factory=dict)
    trunks: dict[str, int] = field(default_factory=dict)
    replied: bool = False
    asked_at: int = -1
    ended_at: int = -1
    done: bool = False
    seen: int = 0
    version: int = 0


def started(contact: Contact, out: Out, at: int, channel: str) -> None:
    contact.channel, contact.started_at = channel, at
    _count(contact, out, "started", at)


def system_connected(contact: Contact, out: Out, at: int) -> None:
    if not contact.ivr:
        contact.ivr = True
        _count(contact, out, "ivr_entered", at)
    if not contact.system:
        contact.system = True
        _count(contact, out, "system_connected", at)


def queued(contact: Contact, out: Out, at: int, leg: int, queue: str, channel: str) -> None:
    if leg in contact.legs:
        return
    _asked_for_an_agent(contact, out, at, queue)
    found = contact.legs[leg] = Leg(queue, channel or contact.channel, at)
    _both(out, found, at, "queued", 1, group(found.channel))
    _opened(contact, out, found)


def connected(contact: Contact, out: Out, at: int, leg: int, queue: str, agent: str, team: str, channel: str) -> None:
    _asked_for_an_agent(contact, out, at, queue)
    found = contact.legs.get(leg)
    if found is None:
        found = contact.legs[leg] = Leg(queue, channel or contact.channel, at)
        _opened(contact, out, found)
    if found.since >= 0:
        return
    if not found.connected:
        found.agent, found.team, found.connected = agent, team, True
        _both(out, found, at, "connected", 1, found.group)
        _of_agent(out, found, at, "connected", 1)
    found.since, found.held = at, False


def held(contact: Contact, out: Out, at: int, leg: int, on_hold: bool) -> None:
    """The customer is put on hold, or back."""
    found = contact.legs.get(leg)
    if found is not None and found.since >= 0 and found.held != on_hold:
        _span(out, found, at)
        found.since, found.held = max(at, found.since), on_hold


def transferred(contact: Contact, out: Out, at: int, leg: int) -> None:
    if found := contact.legs.get(leg):
        _both(out, found, at, "transferred", 1, found.group)
        _of_agent(out, found, at, "transferred", 1)


def agent_left(contact: Contact, out: Out, at: int, leg: int) -> None:
    """Talk stops, whether or not the customer stays."""
    found = contact.legs.get(leg)
    if found is not None and found.connected and not found.closed:
        _close(out, found, at)
    _settle(contact, out)


def surveyed(contact: Contact, out: Out, at: int, leg: int, score: int, most: int) -> None:
    found = contact.legs.get(leg) or _last(contact)
    name = f"score_{most or SCALE}"
    if found is None:
        _count(contact, out, f"{name}_n", at)
        _count(contact, out, f"{name}_sum", at, score)
        return
    for what, amount in ((f"{name}_n", 1), (f"{name}_sum", score)):
        _both(out, found, at, what, amount, found.group)
        _of_agent(out, found, at, what, amount)


def seized(contact: Contact, out: Out, at: int, line: str) -> None:
    """``line`` names trunk and line."""
    if line not in contact.trunks:
        contact.trunks[line] = at
        _count(contact, out, "trunk_seizures", at)


def released(contact: Contact, out: Out, at: int, line: str) -> None:
    began = contact.trunks.pop(line, None)
    if began is not None:
        for start, milliseconds in pieces(began, at):
            _count(contact, out, "trunk_ms", start, milliseconds)
    _settle(contact, out)


def asked(contact: Contact, at: int) -> None:
    """The customer has written."""
    if contact.asked_at < 0:
        contact.asked_at = at


def replied(contact: Contact, out: Out, at: int, leg: int, agent: str, team: str) -> None:
    """A human reply."""
    found = contact.legs.get(leg) or _last(contact)
    asked_at, contact.asked_at = contact.asked_at, -1
    if not contact.replied and contact.first_at >= 0:
        contact.replied = True
        _reply(contact, out, at, found, agent, team, "first_response", contact.first_at)
    elif contact.replied and asked_at >= 0:
        _reply(contact, out, at, found, agent, team, "next_response", asked_at)


def ended(contact: Contact, out: Out, at: int, reason: str) -> None:
    if contact.ended_at >= 0:
        return
    contact.ended_at = at
    if not contact.system and reason not in NOT_CONNECTED:
        contact.system = True
        _count(contact, out, "system_connected", contact.started_at if contact.started_at >= 0 else at)
    if contact.ivr and not contact.legs and reason not in NOT_CONTAINED:
        _count(contact, out, "ivr_contained", at)
    if reason == "self_served":
        _count(contact, out, "answered_by_system", at)
    if reason == "blocked" and not contact.legs:
        _count(contact, out, "blocked_unqueued", at)
    _count(contact, out, "ended", at)
    for leg in contact.legs.values():
        if leg.connected and not leg.closed:
            _close(out, leg, at)
    _settle(contact, out)


# --- how it is counted -----------------------------------------------------------------------------------------------


def _asked_for_an_agent(contact: Contact, out: Out, at: int, queue: str) -> None:
    """What was counted to no queue is the first queue's from now on."""
    if contact.first_at < 0:
        for name, when, amount in contact.early:
            _put(contact, out, name, when, -amount)
        contact.queue, contact.first_at = queue, at
        for name, when, amount in contact.early:
            _put(contact, out, name, when, amount)
        contact.early = []
    if not contact.system:
        contact.system = True
        _count(contact, out, "system_connected", contact.started_at if contact.started_at >= 0 else at)


def _count(contact: Contact, out: Out, name: str, at: int, amount: int = 1) -> None:
    if contact.first_at < 0:
        contact.early.append((name, at, amount))
    _put(contact, out, name, at, amount)


def _put(contact: Contact, out: Out, name: str, at: int, amount: int) -> None:
    cohort = contact.first_at if contact.first_at >= 0 else contact.started_at if contact.started_at >= 0 else at
    key = group(contact.channel)
    out.append((COHORT, contact.queue, quarter(cohort), key, name, amount))
    out.append((EVENT, contact.queue, quarter(at), key, name, amount))


def _both(out: Out, leg: Leg, at: int, name: str, amount: int, key: str) -> None:
    out.append((COHORT, leg.queue, quarter(leg.begun), key, name, amount))
    out.append((EVENT, leg.queue, quarter(at), key, name, amount))


def _of_agent(out: Out, leg: Leg, at: int, name: str, amount: int) -> None:
    out.append((DAY, leg.agent, quarter(at), leg.team, name, amount))


def _span(out: Out, leg: Leg, at: int) -> None:
    """The talk or hold that ran until now."""
    name, key = "hold_ms" if leg.held else "talk_ms", leg.group
    for start, milliseconds in pieces(leg.since, at):
        out.append((COHORT, leg.queue, quarter(leg.begun), key, name, milliseconds))
        out.append((EVENT, leg.queue, start, key, name, milliseconds))
        out.append((DAY, leg.agent, start, leg.team, name, milliseconds))


def _close(out: Out, leg: Leg, at: int) -> None:
    if leg.since >= 0:
        _span(out, leg, at)
    leg.since, leg.closed = -1, True
    _both(out, leg, at, "disconnected", 1, leg.group)


def _reply(contact: Contact, out: Out, at: int, leg: Leg | None, agent: str, team: str, name: str, since: int) -> None:
    waited = max(0, at - since)
    queue, channel = (leg.queue, leg.channel) if leg else (contact.queue, contact.channel)
    begun, key = leg.begun if leg else contact.first_at, group(channel, agent, team)
    out.append((COHORT, queue, quarter(begun), key, name, waited))
    out.append((EVENT, queue, quarter(at), key, name, waited))
    if agent:
        out.append((DAY, agent, quarter(at), team, name, waited))


def _last(contact: Contact) -> Leg | None:
    return contact.legs[max(contact.legs)] if contact.legs else None


def _opened(contact: Contact, out: Out, leg: Leg) -> None:
    """Its contact may still change what is counted of this leg's cohort."""
    if not contact.done:
        out.append((COHORT, leg.queue, quarter(leg.begun), group(leg.channel), "open", 1))


def _settle(contact: Contact, out: Out) -> None:
    """A contact that has ended, with all its trunks and agents released, changes nothing any more."""
    if contact.done or contact.ended_at < 0 or contact.trunks:
        return
    contact.done = True
    for leg in contact.legs.values():
        out.append((COHORT, leg.queue, quarter(leg.begun), group(leg.channel), "open", -1))
