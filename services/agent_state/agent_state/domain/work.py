"""Work in hand: it starts when routing assigns a leg and gives its slot back exactly once (CH-2, kernel rule 24)."""

from __future__ import annotations

from collections.abc import Sequence

from switchlog.decider import Rejected

from .events import (
    AgentEvent,
    AgentNotReady,
    EndedBy,
    Leg,
    WorkEnded,
    WorkStarted,
    WrapUpEnded,
    WrapUpStarted,
)
from .state import Agent, Ready, Work

READY_AGAIN = "ready_again"


def start_work(leg: Leg, agent: Agent) -> Sequence[AgentEvent]:
    """Whatever the agent's presence or capacity: the pool has decided, and hidden work would never free its slot."""
    if agent.work(leg.contact, leg.leg) or (leg.contact, leg.leg) in agent.over:
        return []
    return [WorkStarted(leg, agent.pool, agent.profile.team)]


def end_work(leg: Leg, agent: Agent, now: int) -> Sequence[AgentEvent]:
    """Into wrap-up, or over at once. A leg that ends before news of its start arrived is recorded whole: the two come
    from different topics, in any order (promise P4)."""
    if (leg.contact, leg.leg) in agent.over:
        return []
    work = agent.work(leg.contact, leg.leg)
    if work is None:
        return [*start_work(leg, agent), *_ended(leg, agent, now)]
    return [] if work.wrap_up_ends_at is not None else _ended(work.leg, agent, now)


def end_wrap_up(contact: str, leg: int, by: EndedBy, agent: Agent) -> Sequence[AgentEvent]:
    """Of one leg, or of all without ``contact``; ``[]`` when it is over already."""
    wrapping = [work for work in agent.works if work.wrap_up_ends_at is not None]
    if contact:
        if agent.work(contact, leg) in agent.works and agent.work(contact, leg) not in wrapping:
            raise Rejected("NOT_IN_WRAP_UP")
        wrapping = [work for work in wrapping if work.id == (contact, leg)]
    return [*_stay_away(agent, wrapping), *(_wrapped(work, by, agent) for work in wrapping)]


def _ended(leg: Leg, agent: Agent, now: int) -> Sequence[AgentEvent]:
    place = agent.pool, agent.profile.team
    if agent.profile.wrap_up_ms > 0:
        return [WrapUpStarted(leg, now + agent.profile.wrap_up_ms, *place)]
    return [*_stay_away(agent, [Work(leg)]), WorkEnded(leg, *place)]


def _wrapped(work: Work, by: EndedBy, agent: Agent) -> WrapUpEnded:
    return WrapUpEnded(work.leg, by, agent.pool, agent.profile.team)


def _stay_away(agent: Agent, freed: Sequence[Work]) -> Sequence[AgentEvent]:
    """Without auto-ready the agent is not ready before the slot is free, or an offer would slip in between (AG-2)."""
    if not freed or agent.profile.auto_ready or not isinstance(agent.presence, Ready):
        return []
    return [AgentNotReady(READY_AGAIN, False, agent.pool, agent.profile.team)]
