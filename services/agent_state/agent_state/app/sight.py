"""Whom one may see and steer: supervisors their own teams, admins and services everybody (trust, Who may do what)."""

from __future__ import annotations

from switchlog.auth.principal import Principal
from switchlog.errors import NotFound


def sees(caller: Principal, team: str) -> bool:
    """Whether agents of ``team`` are there for ``caller``."""
    return caller.has("admin", "service") or team in caller.teams


def check_team(caller: Principal, team: str) -> None:
    """An agent of somebody else's team is answered like one that does not exist: raises ``NotFound``."""
    if not sees(caller, team):
        raise NotFound
