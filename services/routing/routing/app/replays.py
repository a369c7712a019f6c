"""A local day decided again: identical, or where it first differs, with both decisions (RT-10, kernel rule 19)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from switchlog.envelope import StreamId

from ..domain.decide import decide_one
from ..domain.events import Event, PoolDayStarted, PoolTaken
from ..domain.replay import input_of
from ..domain.state import Board
from .history import Day, History, Turn

Progress = Callable[[int, int], None]
"""How many events are done, of how many."""

UNSOUND = "CARRY_NOT_SOUND"


@dataclass(frozen=True, slots=True)
class Difference:
    """The turn at ``version`` was recorded one way and is decided another; ``place`` is the first fact that differs.

    ``reason`` is ``CARRY_NOT_SOUND`` when the day's beginning does not add up to its digest; nothing is decided then.
    """

    version: int
    at: int
    place: int = 0
    item: object = None
    recorded: tuple[Event, ...] = ()
    decided: tuple[Event, ...] = ()
    reason: str = "DECIDED_DIFFERENTLY"


@dataclass(frozen=True, slots=True)
class Replayed:
    """``closed``: the next day's beginning was decided again too, so that the state at midnight is proved as well.

    ``unknown`` counts facts of a later version of the service, which were passed over.
    """

    pool: StreamId
    day: Day
    turns: int
    events: int
    difference: Difference | None = None
    closed: bool = False
    unknown: int = 0

    @property
    def identical(self) -> bool:
        return self.difference is None


def _quiet(done: int, of: int) -> None:
    """Nobody listens."""


async def replay_day(history: History, pool: StreamId, date: str, progress: Progress = _quiet) -> Replayed:
    """Decide the day ``date`` (YYYY-MM-DD) again, turn by turn; raises ``NotFound`` for a day that is not there."""
    day = await history.day(pool, date)
    opened = await history.opened(pool, day)
    if opened is None:
        return Replayed(pool, day, 0, 0, Difference(day.first, 0, reason=UNSOUND))
    end = day.last or await history.events.head(pool)
    run = _Run(opened.board)
    async for turn in history.turns(pool, opened.head):
        run.take(turn)
        if run.turns % 1000 == 0:
            progress(turn.versions[-1] - day.first + 1, end - day.first + 1)
        if run.difference or turn.versions[0] > end:
            break
    progress(end - day.first + 1, end - day.first + 1)
    return Replayed(pool, day, run.turns, run.events, run.difference, bool(day.last), run.unknown)


class _Run:
    """The board so far, and what was found."""

    def __init__(self, board: Board) -> None:
        self.board = board
        self.turns = self.events = self.unknown = 0
        self.difference: Difference | None = None
        self._cut_off: Turn | None = None

    def take(self, turn: Turn) -> None:
        if self._cut_off and not isinstance(turn.events[0], PoolTaken):
            self._differs(self._cut_off, ())
            return
        item = input_of(turn.events[0])
        decided = tuple(decide_one(item, self.board, turn.at))
        self.turns, self.events, self.unknown = (
            self.turns + 1,
            self.events + len(turn.events),
            self.unknown + turn.unknown,
        )
        self._cut_off = None
        if decided == turn.events:
            return
        if isinstance(turn.events[0], PoolDayStarted) and decided[: len(turn.events)] == turn.events:
            self._cut_off = turn  # its owner died on the way: the next one takes the pool and begins the day again
        else:
            self._differs(turn, decided)

    def _differs(self, turn: Turn, decided: tuple[Event, ...]) -> None:
        same = (mine == theirs for mine, theirs in zip(decided, turn.events, strict=False))
        place = next((n for n, equal in enumerate(same) if not equal), min(len(decided), len(turn.events)))
        item = input_of(turn.events[0])
        self.difference = Difference(turn.versions[0], turn.at, place, item, turn.events, decided)
