"""Work in hand: it starts when routing assigns a leg and gives its slot back exactly once (CH-2, kernel rule 24)."""

from __future__ import annotations

from collections.abc import Sequence

from switchlog.decider import Rejected

from .events import AgentEvent, AgentNotReady, EndedBy, Leg, Stamp, WorkEnded, WorkStarted, WrapUpEnded, WrapUpStarted
from .state import Agent, Ready

READY_AGAIN = "wrap_up"


def start_work(leg: Leg, agent: Agent, stamp: Stamp, offer_id: str = "", limit_ms: int = 0) -> Sequence[AgentEvent]:
    """Whatever the agent's presence or capacity: the pool has decided, and hidden work would never free its slot."""
    if agent.work(leg.contact, leg.leg) or (leg.contact, leg.leg) in agent.over:
        return []
    return [WorkStarted(stamp, leg, offer_id, limit_ms)]


def end_work(leg: Leg, agent: Agent, stamp: Stamp, connected: bool = True) -> Sequence[AgentEvent]:
    """Into wrap-up, or over at once. A leg that ends before news of its start arrived is recorded whole: the two come
    from different topics, in any order (promise P4)."""
    work = agent.work(leg.contact, leg.leg)
    if work is not None:
        return [] if work.wrap_up_ends_at is not None else _ended(work.leg, agent, stamp, connected, work.wrap_up_ms)
    if (leg.contact, leg.leg) in agent.over:
        return []
    return [*start_work(leg, agent, stamp), *_ended(leg, agent, stamp, connected)]


def end_wrap_up(contact: str, leg: int, by: EndedBy, agent: Agent, stamp: Stamp) -> Sequence[AgentEvent]:
    """Of one leg, or of all without ``contact``; ``[]`` when it is over already."""
    named = [work for work in agent.works if contact in ("", work.leg.contact) and leg in (0, work.leg.leg)]
    wrapping = [work.leg for work in named if work.wrap_up_ends_at is not None]
    if contact and named and not wrapping:
        raise Rejected("NOT_IN_WRAP_UP")
    if not wrapping:
        return []
    return [*_stay_away(agent, stamp), *(WrapUpEnded(stamp, one, by) for one in wrapping)]


def _ended(leg: Leg, agent: Agent, stamp: Stamp, connected: bool, limit_ms: int = 0) -> Sequence[AgentEvent]:
    """The queue's limit of a wrap-up counts before the agent's own (AG-2)."""
    wrap_up_ms = limit_ms or agent.profile.card.wrap_up_ms
    if connected and wrap_up_ms > 0:
        return [WorkEnded(stamp, leg, wrap_up_follows=True), WrapUpStarted(stamp, leg, stamp.at + wrap_up_ms)]
    return [*_stay_away(agent, stamp), WorkEnded(stamp, leg)]


def _stay_away(agent: Agent, stamp: Stamp) -> Sequence[AgentEvent]:
    """Without auto-ready the agent is not ready before the slot is free, or an offer would slip in between (AG-2)."""
    if agent.profile.card.auto_ready or not isinstance(agent.presence, Ready):
        return []
    return [AgentNotReady(stamp, READY_AGAIN)]
