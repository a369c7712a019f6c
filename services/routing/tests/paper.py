"""Days on paper for tests: agents, contacts, and what became of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from routing.app.paper.simulation import Asked, Day, Found, simulate
from routing.app.paper.stays import Stay
from routing.app.paper.world import Arrival, People, Shift, presence
from routing.domain.commands import DefineQueue, Order
from routing.domain.events import Event, Queue
from routing.domain.observed import Capacity
from routing.domain.state import Board

CALLS = Capacity((("voice", 1),))
HOUR = 3_600_000


@dataclass
class Heard:
    """Everything a day told."""

    stays: dict[str, Stay] = field(default_factory=dict)
    legs: list[Stay] = field(default_factory=list)
    decisions: list[tuple[int, Event]] = field(default_factory=list)
    found: Found | None = None

    def decided(self, at: int, decision: Event) -> None:
        self.decisions.append((at, decision))

    def over(self, stay: Stay, now: int) -> None:
        self.stays[stay.contact] = stay
        self.legs.append(stay)


def agents(count: int, **options: Any) -> list[Shift]:
    given: dict[str, Any] = {"begin": 0, "end": None, "capacity": CALLS, "queues": ("q1",)} | options
    return [Shift(f"a{n:03d}", **given) for n in range(count)]


def call(contact: str, at: int, talk_ms: int = 60_000, **options: Any) -> Arrival:
    return Arrival(contact, at, options.pop("queue", "q1"), options.pop("channel", "voice"), talk_ms, **options)


def run(
    arrivals: Iterable[Arrival],
    shifts: Sequence[Shift],
    *,
    orders: Sequence[Order] = (DefineQueue(Queue("q1"), "q1"),),
    people: People | None = None,
    until: int | None = None,
    asked: Asked | None = None,
) -> Heard:
    heard = Heard()
    board = Board("t1", "p1")
    day = Day(board, arrivals, presence(shifts, "p1"), orders, people, until=until)
    heard.found = simulate(day, asked or Asked(), heard)
    return heard
