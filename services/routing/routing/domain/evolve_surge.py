"""How surges change the board: what is in force, and who else will do for those who wait."""

from __future__ import annotations

from typing import assert_never

from routing.domain import surge
from routing.domain.definitions import SurgeAction, SurgeRule
from routing.domain.events import SurgeEnded, SurgeStarted, SurgeStepTaken, TimerElapsed
from routing.domain.members import Phase
from routing.domain.state import Board
from routing.domain.surge import Crowd


def evolve_surge(board: Board, event: SurgeStarted | SurgeStepTaken | SurgeEnded | TimerElapsed, at: int) -> None:
    crowd = board.crowds[event.queue]
    match event:
        case TimerElapsed(usual_milli=usual_milli):
            _look(board.queue(event.queue).surge, crowd, usual_milli, at)
        case SurgeStarted():
            crowd.started_at, crowd.calm_since, crowd.taken = at, 0, ()
        case SurgeStepTaken(step=step):
            kept = tuple(name for name in crowd.taken if name != step)
            crowd.taken = kept if event.reversed else (*kept, step)
            if event.action is SurgeAction.RESERVE:
                _let_reserve(board, event)
        case SurgeEnded():
            crowd.started_at, crowd.calm_since, crowd.taken = 0, 0, ()
            board.watch(event.queue)
        case _:
            assert_never(event)


def _look(rule: SurgeRule | None, crowd: Crowd, usual_milli: int, at: int) -> None:
    if rule and crowd.started_at:
        calm = surge.is_calm(rule, surge.arrivals(crowd, at, rule.window_ms), usual_milli)
        crowd.calm_since = (crowd.calm_since or at) if calm else 0


def _let_reserve(board: Board, event: SurgeStepTaken) -> None:
    """Agents of the reserve will do for those who wait, or no longer."""
    for contact in board.contacts.values():
        if contact.queue == event.queue and contact.phase is not Phase.ASSIGNED:
            others = tuple(team for team in contact.demand.groups if team != event.to_team)
            groups = others if event.reversed else (*others, event.to_team)
            board.wait_elsewhere(contact, contact.demand._replace(groups=groups))
