"""Work in hand: it starts when routing assigns a leg and gives its slot back exactly once (CH-2, kernel rule 24)."""

from __future__ import annotations

from collections.abc import Sequence

from switchlog.decider import Rejected

from .events import AgentEvent, AgentNotReady, EndedBy, Leg, Stamp, WorkEnded, WorkStarted, WrapUpEnded, WrapUpStarted
from .state import Agent, Ready

READY_AGAIN = "wrap_up"


def start_work(leg: Leg, agent: Agent, stamp: Stamp, offer_id: str = "") -> Sequence[AgentEvent]:
    """Whatever the agent's presence or capacity: the pool has decided, and hidden work would never free its slot."""
    if agent.work(leg.contact, leg.leg) or (leg.contact, leg.leg) in agent.over:
        return []
    return [WorkStarted(stamp, leg, offer_id)]


def end_work(leg: Leg, agent: Agent, stamp: Stamp) -> Sequence[AgentEvent]:
    """Into wrap-up, or over at once. A leg that ends before news of its start arrived is recorded whole: the two come
    from different topics, in any order (promise P4)."""
    work = agent.work(leg.contact, leg.leg)
    if work is not None:
        return [] if work.wrap_up_ends_at is not None else _ended(work.leg, agent, stamp)
    if (leg.contact, leg.leg) in agent.over:
        return []
    return [*start_work(leg, agent, stamp), *_ended(leg, agent, stamp)]


def end_wrap_up(contact: str, leg: int, by: EndedBy, agent: Agent, stamp: Stamp) -> Sequence[AgentEvent]:
    """Of one leg, or of all without ``contact``; ``[]`` when it is over already."""
    work = agent.work(contact, leg)
    if work is not None and work.wrap_up_ends_at is None:
        raise Rejected("NOT_IN_WRAP_UP")
    wanted = [work] if contact else agent.works
    wrapping = [one.leg for one in wanted if one is not None and one.wrap_up_ends_at is not None]
    if not wrapping:
        return []
    return [*_stay_away(agent, stamp), *(WrapUpEnded(stamp, one, by) for one in wrapping)]


def _ended(leg: Leg, agent: Agent, stamp: Stamp) -> Sequence[AgentEvent]:
    wrap_up_ms = agent.profile.card.wrap_up_ms
    if wrap_up_ms > 0:
        return [WorkEnded(stamp, leg, wrap_up_follows=True), WrapUpStarted(stamp, leg, stamp.at + wrap_up_ms)]
    return [*_stay_away(agent, stamp), WorkEnded(stamp, leg)]


def _stay_away(agent: Agent, stamp: Stamp) -> Sequence[AgentEvent]:
    """Without auto-ready the agent is not ready before the slot is free, or an offer would slip in between (AG-2)."""
    if agent.profile.card.auto_ready or not isinstance(agent.presence, Ready):
        return []
    return [AgentNotReady(stamp, READY_AGAIN)]
