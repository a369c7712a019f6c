"""A day on paper from its inputs to its figures, handing out what happened on the way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol
from zoneinfo import ZoneInfo

from ...domain.commands import Input, Order
from ...domain.events import Event, TimerElapsed, TimerKind
from ...domain.state import Board
from .engine import Engine, Told
from .figures import Figures, Json, answer, shown
from .floor import Floor
from .intervals import intervals
from .stays import Stay, Stays
from .world import Arrival, Cue, People, in_order

DECISIONS = frozenset(fact for fact in Event.__args__ if "explanation" in fact.__dataclass_fields__)
EVERY = 256


@dataclass(frozen=True)
class Day:
    """``orders`` (queues, policies ...) are told before anything else; ``arrivals`` and ``cues`` are sorted by time."""

    board: Board
    arrivals: Iterable[Arrival]
    cues: Iterable[Cue] = ()
    orders: Iterable[Order] = ()
    people: People | None = None
    start: int = 0
    until: int | None = None


@dataclass(frozen=True)
class Asked:
    """How figures are cut and judged."""

    step: str = "30m"
    tz: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    threshold_s: int = 20


class Listener(Protocol):
    """Hears every decision as it is taken, and of every contact once all is over, in the order of arrival."""

    def decided(self, at: int, decision: Event) -> None: ...

    def over(self, stay: Stay, now: int) -> None: ...


@dataclass(frozen=True)
class Found:
    """``answer`` are the figures as analytics answers them, ``total`` the same over everything; ``now`` the end."""

    answer: Json
    total: Json
    now: int
    turns: int


def simulate(day: Day, asked: Asked, listener: Listener) -> Found:
    """Run ``day`` to its end. Deterministic: equal inputs give equal calls of ``listener`` and equal figures."""
    engine = Engine(day.board, day.people, day.start, asked.tz)
    interval = intervals(asked.step, asked.tz)
    figures, floor, stays = Figures(interval, asked.threshold_s), Floor(day.board, interval), Stays()
    first: list[tuple[int, Input]] = [(day.start, order) for order in day.orders]
    turns, last = 0, day.start

    for told in engine.run(day.arrivals, in_order(first, day.cues), day.until):
        turns += 1
        last = last if _only_finality(told) else told.at
        stays.take(told)
        floor.take(told)
        for event in told.events:
            if type(event) in DECISIONS:
                listener.decided(told.at, event)
        if turns % EVERY == 0:
            _hand_out(stays.over(), figures, listener, told.at)
    now = last if day.until is None else day.until
    _hand_out(stays.rest(), figures, listener, now)
    floor.close(now)
    figures.take_floor(floor)
    # unless stopped, nothing can happen any more: every verdict is final
    as_of = max(now, figures.end()) if day.until is None else now
    told_figures = answer(figures.rows(as_of), asked.tz.key, asked.step, asked.threshold_s, as_of)
    return Found(told_figures, shown(figures.total()), now, turns)


def _hand_out(stays: Iterable[Stay], figures: Figures, listener: Listener, now: int) -> None:
    for stay in stays:
        figures.take(stay, now)
        listener.over(stay, now)


def _only_finality(told: Told) -> bool:
    """Such a timer says that nothing will change, long after the last agent went home."""
    return isinstance(told.item, TimerElapsed) and told.item.kind is TimerKind.FINALITY
