"""RT-12 as a table: ``python -m tests.theory [HOURS]`` in services/routing holds the engine against Erlang C and A.

Twenty seeds a load; without HOURS four hours each (some loads more), as the tests do. A queue starts with as many
contacts as its steady state draws: exponential talk and patience have no memory, so nothing needs to warm up.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from random import Random

from routing.app.paper.chance import Stream, drawn
from routing.app.paper.world import Arrival

from .erlang import Theory, erlang_a, erlang_c
from .paper import agents, call, run

SEEDS = range(1, 21)
T_19 = 2.093  # Student's 97.5 % point at 19 degrees of freedom
HOURS = 4.0
TALK, T_MS = 240.0, 20_000


@dataclass(frozen=True)
class Load:
    per_hour: float
    agents: int
    patience: float = math.inf
    longer: float = 1.0

    @property
    def theory(self) -> Theory:
        if self.patience == math.inf:
            return erlang_c(self.per_hour, TALK, self.agents)
        return erlang_a(self.per_hour, TALK, self.patience, self.agents)


# the ground truth's six, then a nearly empty queue, one overloaded by a third, and a large one
LOADS = {
    # where everybody waits, waits hang together for hours: few short runs would show chance alone
    **{f"C, 360/h, {n} agents": Load(360, n, longer=2.5) for n in (26, 28, 30)},
    **{f"A, 360/h, {n} agents": Load(360, n, 120) for n in (22, 24, 26)},
    "C, 30/h, 5 agents": Load(30, 5, longer=10),
    "A, 360/h, 18 agents": Load(360, 18, 120),
    "A, 1500/h, 100 agents": Load(1500, 100, 60, longer=1 / 4),
}


@dataclass(frozen=True)
class Compared:
    """A figure of theory, and of paper with its 95 % interval."""

    load: str
    figure: str
    theory: float
    paper: float
    either_way: float

    @property
    def inside(self) -> bool:
        return abs(self.paper - self.theory) <= self.either_way

    def __str__(self) -> str:
        mark = "" if self.inside else "  outside"
        return f"{self.load:24} {self.figure:14} {self.theory:9.4f}  {self.paper:9.4f} ± {self.either_way:.4f}{mark}"


@dataclass(frozen=True)
class Measured:
    """What one run counts of those who came while it ran; waits in seconds."""

    contacts: int
    answered: int
    in_time: int
    abandoned: int
    waited: float


def compared(name: str, hours: float) -> list[Compared]:
    """Every figure of one load over all seeds: counts of all runs added, the interval from how runs differ."""
    load = LOADS[name]
    runs = [measured(load, hours * load.longer, seed) for seed in SEEDS]
    contacts, answered = [run.contacts for run in runs], [run.answered for run in runs]
    theory = load.theory
    return [
        _ratio(name, "service_level", theory.service_level, [run.in_time for run in runs], contacts),
        _ratio(name, "asa", theory.asa, [run.waited for run in runs], answered),
        _ratio(name, "abandoned", theory.abandoned, [run.abandoned for run in runs], contacts),
    ]


def _ratio(load: str, figure: str, theory: float, parts: Sequence[float], wholes: Sequence[float]) -> Compared:
    """The textbook's estimator of a ratio over independent runs (Cochran 1977, 6.3)."""
    n, ratio = len(parts), sum(parts) / sum(wholes)
    spread = sum((part - ratio * whole) ** 2 for part, whole in zip(parts, wholes, strict=True))
    error = math.sqrt(n / (n - 1) * spread) / sum(wholes)
    return Compared(load, figure, theory, ratio, T_19 * error)


def measured(load: Load, hours: float, seed: int) -> Measured:
    """One run; those who were there at the beginning count for nobody."""
    stream = Stream(
        per_ms=load.per_hour / 3_600_000,
        talk=drawn(f"exp:{TALK}"),
        hours=hours,
        queue="q1",
        patience=None if load.patience == math.inf else drawn(f"exp:{load.patience}"),
    )
    heard = run(chain(there_already(load, seed), stream.arrivals(seed)), agents(load.agents))
    stays = [stay for contact, stay in heard.stays.items() if contact.startswith("c")]
    waits = [stay.wait_ms(0) for stay in stays if stay.outcome == "answered"]
    in_time = sum(wait <= T_MS for wait in waits)
    return Measured(len(stays), len(waits), in_time, len(stays) - len(waits), sum(waits) / 1000)


def there_already(load: Load, seed: int) -> Iterator[Arrival]:
    chance = Random(f"{seed}/there already")
    weights = _weights(load)
    (count,) = chance.choices(range(len(weights)), weights)
    for n in range(count):
        patience = None if load.patience == math.inf else round(chance.expovariate(1 / load.patience) * 1000)
        talk = round(chance.expovariate(1 / TALK) * 1000)
        yield call(f"a{n:06d}", 0, talk, patience_ms=patience if n >= load.agents else None)


def _weights(load: Load) -> list[float]:
    """Of n contacts in the system."""
    weights, offered = [1.0], load.per_hour / 3600 * TALK
    for n in range(1, 20 * load.agents):
        rate = min(n, load.agents) + max(0, n - load.agents) * TALK / load.patience
        weights.append(weights[-1] * offered / rate)
    return weights


def main() -> None:
    hours = float(sys.argv[1]) if len(sys.argv) > 1 else HOURS
    print(f"{'load':24} {'figure':14} {'theory':>9}  {'paper':>9}   95 % of {len(SEEDS)} seeds, {hours:g} h each")
    rows = []
    for name in LOADS:
        for row in compared(name, hours):
            print(row, flush=True)
            rows.append(row)
    print(f"{sum(row.inside for row in rows)} of {len(rows)} inside")


if __name__ == "__main__":
    main()
