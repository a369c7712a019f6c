"""A day as it was beside the same day under other rules: figures of every queue, and how far they differ by chance."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from switchlog.envelope import StreamId

from ...domain.evolve import evolve
from ...domain.replay import input_of
from ...domain.state import Board
from ..again import twin
from ..deadlines import Deadlines
from ..history import Day, History, Turn
from ..paper.engine import Told
from ..paper.figures import Figures, shown
from ..paper.floor import Floor
from ..paper.stays import Stays
from .enacted import SAME, Enacted, Rules
from .people import People, Statistics
from .recorded import Recorded, Taking, timer_key

ALL = "*"
COUNTS = (
    *("offered", "answered", "answered_in_threshold", "abandoned", "short_abandoned", "flowed_out", "callback"),
    *("timed_out", "blocked", "failed", "waiting"),
)
FIGURES = ("sl_strict", "sl_answered", "abandon_rate_queued", "asa", "avg_abandon_time", "occupancy", "aht")
PERCENTILES = ("wait_p50", "wait_p90", "wait_p99")

TOLD_EVERY = 500

Value = float | int | None
LegKey = tuple[str, int]
End = tuple[str, str, str, int]
"""Queue, outcome, agent, wait in milliseconds."""

Progress = Callable[[int, int], None]


@dataclass
class Outcome:
    """A day run once: the values of every queue (``*``: all) by figure, and how each leg ended."""

    values: dict[str, dict[str, Value]]
    ends: dict[LegKey, End] = field(default_factory=dict)


@dataclass(frozen=True)
class Compared:
    """One outcome a seed beside the one that was."""

    pool: StreamId
    date: str
    was: Outcome
    seeds: Sequence[Outcome]

    @property
    def identical(self) -> bool:
        """Every leg ended as it was: in the same queue, the same way, with the same agent, after the same wait."""
        return all(one.ends == self.was.ends for one in self.seeds)

    @property
    def changed(self) -> float:
        """How many legs ended otherwise, on average over the seeds."""
        return fmean(_differing(self.was.ends, one.ends) for one in self.seeds)


class Tally:
    """Follows a day's turns on ``board`` until ``end`` and tells what came of it."""

    def __init__(self, board: Board, end: int, threshold_s: int) -> None:
        self._end, self._stays = end, Stays()
        self._figures = Figures(lambda at: (0, end), threshold_s)
        self._floor = Floor(board, lambda at: (0, end))

    def take(self, told: Told) -> None:
        self._stays.take(told)
        self._floor.take(told)

    def over(self) -> Outcome:
        ends: dict[LegKey, End] = {}
        for stay in self._stays.rest():
            self._figures.take(stay, self._end)
            ends[stay.contact, stay.leg] = stay.queue, stay.outcome, stay.agent, stay.wait_ms(self._end)
        self._floor.close(self._end)
        self._figures.take_floor(self._floor)
        cells = {queue: cell for (_, queue), cell in sorted(self._figures.cells.items())}
        return Outcome(
            {name: _values(shown(cell)) for name, cell in {ALL: self._figures.total(), **cells}.items()}, ends
        )


class Apart:
    """A recorded day from ``start`` to ``end``, taken apart and told of as it was; ``board`` is used up."""

    def __init__(self, board: Board, start: int, end: int, threshold_s: int = 20) -> None:
        self._board, self._end = board, end
        self._taking, self._tally = Taking(twin(board), start), Tally(board, end, threshold_s)
        self._deadlines = Deadlines()
        self._deadlines.start(board, start, _bus_time(start), lambda at: 0)

    def take(self, turn: Turn) -> None:
        due = self._deadlines.due(_bus_time(turn.at))
        self._taking.take(turn)
        for event in turn.events:
            evolve(self._board, event, turn.at)
        self._deadlines.follow(turn.events, self._board, turn.at, _bus_time(turn.at))
        self._tally.take(Told(turn.at, input_of(turn.events[0]), list(turn.events)))
        if due:
            still = frozenset(self._deadlines.due(_bus_time(turn.at)))
            self._taking.overtaken([timer for timer in due if timer not in still], turn.at)

    def done(self) -> tuple[Recorded, Outcome]:
        waits_for = frozenset(timer_key(timer) for timer in self._deadlines.due(_bus_time(self._end)))
        return self._taking.done(self._end, waits_for), self._tally.over()


async def taken_apart(history: History, pool: StreamId, day: Day, threshold_s: int = 20) -> tuple[Recorded, Outcome]:
    """The recorded day, and what came of it. Raises ``ValueError`` when its beginning is not sound."""
    opened = await history.opened(pool, day)
    if opened is None:
        raise ValueError(f"{pool.name} {day.date}: the state at its beginning does not match its digest")
    last = day.last or await history.events.head(pool)
    (end,) = [row.recorded_at for row in await history.events.read(pool, last - 1, 1)]
    apart = Apart(opened.board, opened.recorded_at, end, threshold_s)
    async for turn in history.turns(pool, opened.head, last):
        apart.take(turn)
    return apart.done()


def enacted(
    day: Recorded,
    known: Statistics,
    seed: int,
    rules: Rules = SAME,
    threshold_s: int = 20,
    reached: Callable[[int], None] = lambda at: None,
) -> Outcome:
    """The day once more, with the people of ``seed``; ``reached`` hears how far the clock is, now and then."""
    run = Enacted(day, twin(day.board), People(known, seed), rules)
    tally = Tally(run.board, day.end, threshold_s)
    for n, told in enumerate(run.run()):
        tally.take(told)
        if n % TOLD_EVERY == 0:
            reached(told.at)
    return tally.over()


@dataclass(frozen=True)
class Trial:
    """What is tried on a day."""

    rules: Rules = SAME
    seeds: int = 10
    threshold_s: int = 20


async def compared(
    history: History, pool: StreamId, day: Day, trial: Trial, progress: Progress = lambda done, of: None
) -> Compared:
    """The day as it was and once for each seed; the same rules need one only. Raises ``ValueError``, ``Unserved``."""
    recorded, was = await taken_apart(history, pool, day, trial.threshold_s)
    known, seeds = Statistics(recorded), 1 if trial.rules is SAME else trial.seeds
    length, outcomes = max(1, recorded.end - recorded.start), list[Outcome]()
    for seed in range(seeds):
        before = seed * length

        def reached(at: int, before: int = before) -> None:
            progress(before + at - recorded.start, seeds * length)

        outcomes.append(enacted(recorded, known, seed, trial.rules, trial.threshold_s, reached))
    progress(seeds * length, seeds * length)
    return Compared(pool, day.date, was, outcomes)


def interval(values: Sequence[Value]) -> tuple[Value, Value, Value]:
    """Mean, and the bounds within which 95 % of the seeds lie; nothing where a figure is undefined for every seed."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return None, None, None
    return fmean(known), _quantile(known, 0.025), _quantile(known, 0.975)


def _quantile(rising: Sequence[float], share: float) -> float:
    """Linear between the two neighbours (type 7 of Hyndman and Fan)."""
    place = share * (len(rising) - 1)
    low = int(place)
    high = min(low + 1, len(rising) - 1)
    return rising[low] + (place - low) * (rising[high] - rising[low])


def _bus_time(now: int) -> float:
    """Seconds of a bus that is always there; half a millisecond in, so that cutting off decimals gives ``now``."""
    return (now + 0.5) / 1000


def _values(told: dict[str, dict[str, Value]]) -> dict[str, Value]:
    return {
        **{name: told["counts"][name] for name in COUNTS},
        **{name: told["figures"][name] for name in FIGURES},
        **{name: told["percentiles"][name] for name in PERCENTILES},
    }


def _differing(was: dict[LegKey, End], now: dict[LegKey, End]) -> int:
    return sum(was.get(leg) != now.get(leg) for leg in was.keys() | now.keys())
