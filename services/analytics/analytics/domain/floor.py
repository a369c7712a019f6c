"""The agents of a pool as its log shows them: where each stands now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

STATES = ("signed_in", "checked_in", "ready", "ringing", "busy", "wrap_up", "not_ready", "break")
BREAK = "break"
OUT, IN, CHECKED_IN = 0, 1, 2
"""Presence: signed out, signed in, checked in."""


@dataclass(slots=True)
class Agent:
    """``work`` is contact/leg -> it is in wrap-up; ``queues`` empty: all that its skills allow. ``here``: in the pool.

    ``version`` and ``guard`` as in ``Cell``.
    """

    agent: str
    team: str = ""
    here: bool = False
    presence: int = OUT
    ready: bool = False
    reason: str = ""
    skills: dict[str, int] = field(default_factory=dict)
    queues: list[str] = field(default_factory=list)
    offers: list[str] = field(default_factory=list)
    work: dict[str, bool] = field(default_factory=dict)
    version: int = 0
    guard: int = 0


def state(agent: Agent) -> str:
    """Presence decides who is away, work and offers what the others do, readiness the rest."""
    if agent.presence < CHECKED_IN:
        return "signed_in" if agent.presence else "signed_out"
    if agent.work:
        return "wrap_up" if all(agent.work.values()) else "busy"
    if agent.offers:
        return "ringing"
    if agent.ready:
        return "ready"
    return "break" if agent.reason == BREAK else "not_ready"


def serves(agent: Agent, queue: str, required: Mapping[str, int]) -> bool:
    """Whether contacts of ``queue``, which asks for ``required`` skill levels, may be offered to ``agent``."""
    if agent.queues and queue not in agent.queues:
        return False
    return all(agent.skills.get(skill, 0) >= max(1, level) for skill, level in required.items())


def census(agents: Iterable[Agent]) -> dict[str, int]:
    """How many are in each state. ``signed_in`` and ``checked_in`` count all who are, whatever else they do."""
    found = dict.fromkeys(STATES, 0)
    for agent in agents:
        found["signed_in"] += agent.presence >= IN
        found["checked_in"] += agent.presence >= CHECKED_IN
        if agent.presence >= CHECKED_IN:
            found[state(agent)] += 1
    return found


def join(agent: Agent, team: str, skills: dict[str, int], queues: list[str], activity: str, ready: bool) -> None:
    """The agent is the pool's from here on, without any work."""
    agent.here, agent.team, agent.skills, agent.queues = True, team, skills, queues
    agent.presence = {"unspecified": OUT, "signed_out": OUT, "signed_in": IN}.get(activity, CHECKED_IN)
    agent.ready, agent.reason = ready, BREAK if activity == "break" else ""
    agent.offers, agent.work = [], {}


def leave(agent: Agent) -> None:
    """The pool has let the agent go."""
    agent.here, agent.presence, agent.ready, agent.offers, agent.work = False, OUT, False, [], {}


def be_present(agent: Agent, presence: int) -> None:
    """Signed out, signed in or checked in; who is not checked in is not ready either."""
    agent.presence = presence
    if presence < CHECKED_IN:
        agent.ready, agent.reason = False, ""


def be_ready(agent: Agent, ready: bool, reason: str = "") -> None:
    agent.ready, agent.reason = ready, reason


def ring(agent: Agent, offer_id: str) -> None:
    if offer_id not in agent.offers:
        agent.offers.append(offer_id)


def stop_ringing(agent: Agent, offer_id: str) -> None:
    if offer_id in agent.offers:
        agent.offers.remove(offer_id)


def work_on(agent: Agent, leg: str, wrap_up: bool = False) -> None:
    agent.work[leg] = wrap_up


def done_with(agent: Agent, leg: str) -> None:
    agent.work.pop(leg, None)
