"""Who may see which explanations (trust, Who may do what): ids and reasons only, there is no content in them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from switchlog.auth.principal import Principal
from switchlog.errors import NotFound

from .again import Decision
from .candidates import NOT_QUALIFIED

SEES_ALL = ("admin", "analyst", "service")


def seen_by(caller: Principal, found: Sequence[Decision]) -> list[Decision]:
    """What ``caller`` may see of it; what it may not see does not exist: raises ``NotFound``.

    Supervisors: what their teams could have served. Agents: what they could have, no other candidates named.
    """
    if caller.has(*SEES_ALL):
        return list(found)
    if caller.has("supervisor"):
        if any(team in caller.teams for one in found for team in _teams(one)):
            return list(found)
    elif any(caller.subject in _agents(one) for one in found):
        return [replace(one, candidates=tuple(c for c in one.candidates if c.agent == caller.subject)) for one in found]
    raise NotFound(detail="decisions")


def check_agent(caller: Principal, agent: str, found: Sequence[Decision]) -> None:
    """An agent's decisions: of oneself, of one's teams, or as one who sees all. Raises ``NotFound``."""
    if caller.has(*SEES_ALL) or (caller.subject == agent and caller.has("agent", "supervisor")):
        return
    teams = {getattr(one.event, "team", "") for one in found}
    if not (caller.has("supervisor") and not caller.teams.isdisjoint(teams)):
        raise NotFound(detail="decisions")


def _teams(one: Decision) -> Iterator[str]:
    yield getattr(one.event, "team", "")
    yield from (candidate.team for candidate in one.candidates if candidate.reason != NOT_QUALIFIED)


def _agents(one: Decision) -> Iterator[str]:
    yield getattr(one.event, "agent", "")
    yield from (candidate.agent for candidate in one.candidates if candidate.reason != NOT_QUALIFIED)
