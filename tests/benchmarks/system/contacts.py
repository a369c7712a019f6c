"""Contacts of two messages through the whole centre: how soon they are offered, what each costs, how many a second."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.figures import Figure
from benchmarks.place import Place
from benchmarks.sampling import Stopwatch, percentile
from benchmarks.system.centre import GRACE_S, Centre, Usage, open_centre, spent
from benchmarks.system.facts import produced
from switchlog.store.settings import Kind

ROUNDS, ROUND_S = 3, 30.0
RATE: Mapping[Kind, float] = {"sqlite": 10, "cassandra": 3}
GOALS: Mapping[Kind, Mapping[float, str]] = {
    "sqlite": {0.5: "goal ≤ 20 ms", 0.99: "goal ≤ 60 ms"},
    "cassandra": {0.5: "goal ≤ 40 ms", 0.99: ""},
}
STEPS: Mapping[Kind, Sequence[float]] = {
    "sqlite": (4, 7, 10, 13, 16, 20, 24, 28, 32, 36, 40, 50, 60),
    "cassandra": (2, 3, 4, 6, 8, 10, 12, 14, 17, 20, 24, 28, 32),
}
STEP_S, HOLD_S = 8.0, 60.0
SETTLE_S = GRACE_S + 5.0  # after too much: those who left have been given up, the agents are free
MOST_HOLDS = 3
# held: nearly all came to their end, and the queue did not grow
MOST_LOST, SLOWEST_P99_MS = 0.01, 1000.0


@dataclass(frozen=True)
class Load:
    """One round: what came of it, and what it took of every process."""

    rate: float
    contacts: int
    ended: int
    waits: Sequence[float]
    seen: Sequence[float]
    cpu_s: Mapping[str, float]
    wall_s: float
    appends: float
    produces: float
    errors: Mapping[str, int]

    @property
    def held(self) -> bool:
        everybody = min(self.ended, len(self.waits)) >= (1 - MOST_LOST) * self.contacts
        return everybody and percentile(self.waits, 0.99) <= SLOWEST_P99_MS


async def run(place: Place) -> list[Figure]:
    return [figure for kind in place.stores for figure in await _measure(place, kind)]


async def _measure(place: Place, kind: Kind) -> list[Figure]:
    async with open_centre(place, kind) as centre:
        await centre.round(RATE[kind] / 2, 5)  # caches, connections, compiled paths
        idle = await _idle(centre, place.scaled(10))
        rounds = [await _load(centre, RATE[kind], place.scaled(ROUND_S)) for _ in range(place.rounds(ROUNDS))]
        figures = [*_waits(kind, rounds), *_costs(kind, rounds), *_idle_figures(kind, idle)]
        held = await _highest(centre, STEPS[kind], place.scaled(STEP_S), place.scaled(HOLD_S))
        return [*figures, *_rates(kind, held), *_memory(kind, centre.usage())]


async def _load(centre: Centre, rate: float, seconds: float) -> Load:
    centre.waits.begin()
    before, appends, records = centre.usage(), await centre.appends(), await produced(centre.place.kafka.address)
    watch = Stopwatch()
    told = await centre.round(rate, seconds)
    wall_s, cpu_s = watch(), spent(before, centre.usage())
    await asyncio.sleep(1)  # the last facts are on their way
    load = Load(
        rate,
        told["did"].get("started", 0),
        told["did"].get("ended", 0),
        centre.waits.queued_to_offered,
        centre.waits.seen_after(told["seen"]),
        cpu_s,
        wall_s,
        await centre.appends() - appends,
        await produced(centre.place.kafka.address) - records,
        told["errors"],
    )
    print(f"bench: {_sentence(load)}", file=sys.stderr, flush=True)
    return load


def _sentence(load: Load) -> str:
    waits = load.waits or [float("nan")]
    cores = sum(load.cpu_s.values()) / load.wall_s
    text = f"{load.rate:g} contacts/s: {load.ended} of {load.contacts} ended, queued to offered p50 "
    text += f"{percentile(waits, 0.5):.0f} p99 {percentile(waits, 0.99):.0f} ms, {cores:.2f} cores"
    return f"{text}, {dict(load.errors)}" if load.errors else text


async def _idle(centre: Centre, seconds: float) -> Mapping[str, float]:
    """Percent of a core that each process takes for nothing."""
    before = centre.usage()
    await asyncio.sleep(seconds)
    return {name: 100 * cpu_s / seconds for name, cpu_s in spent(before, centre.usage()).items()}


async def _highest(centre: Centre, steps: Sequence[float], step_s: float, hold_s: float) -> Load | None:
    """The highest step that holds for ``hold_s``; short looks first, then down until one does."""
    passed: list[float] = []
    for rate in steps:
        if not (await _load(centre, rate, step_s)).held:
            break
        passed.append(rate)
    for rate in passed[::-1][:MOST_HOLDS]:
        await asyncio.sleep(SETTLE_S)
        load = await _load(centre, rate, hold_s)
        if load.held:
            return load
    return None


def _waits(kind: Kind, rounds: Sequence[Load]) -> list[Figure]:
    at = f"{kind}, at {RATE[kind]:g} contacts/s"
    return [
        Figure(
            f"{what}, p{int(share * 100)}, {at}",
            "ms",
            [percentile(getattr(load, field), share) for load in rounds],
            lower_is_better=True,
            note=GOALS[kind][share] if field == "waits" else "to arrival at the agent's socket",
        )
        for what, field in (("queued → offered", "waits"), ("queued → seen by the agent", "seen"))
        for share in (0.5, 0.99)
    ]


def _costs(kind: Kind, rounds: Sequence[Load]) -> list[Figure]:
    at = f"{kind}, at {RATE[kind]:g} contacts/s"
    total = [1000 * sum(load.cpu_s.values()) / load.contacts for load in rounds]
    return [
        Figure(
            f"appends a contact, {at}", "1", [load.appends / load.contacts for load in rounds], lower_is_better=True
        ),
        Figure(
            f"records a contact, {at}", "1", [load.produces / load.contacts for load in rounds], lower_is_better=True
        ),
        Figure(f"CPU a contact, all processes, {at}", "ms", total, lower_is_better=True, note="people included"),
        *(
            Figure(
                f"CPU a contact, {name}, {at}",
                "ms",
                [1000 * load.cpu_s[name] / load.contacts for load in rounds],
                lower_is_better=True,
            )
            for name in _dearest(rounds[-1].cpu_s)
        ),
    ]


def _idle_figures(kind: Kind, idle: Mapping[str, float]) -> list[Figure]:
    return [
        Figure(f"idle CPU, all processes, {kind}", "% of a core", [sum(idle.values())], lower_is_better=True),
        *(
            Figure(f"idle CPU, {name}, {kind}", "% of a core", [idle[name]], lower_is_better=True)
            for name in _dearest(idle)
        ),
    ]


def _rates(kind: Kind, held: Load | None) -> list[Figure]:
    name = f"contacts a second held for {HOLD_S:.0f} s, {kind}"
    if held is None:
        return [Figure(name, "1/s", [0.0], note="no step held")]
    return [
        Figure(name, "1/s", [held.rate], note=f"two messages each, {sum(held.cpu_s.values()) / held.wall_s:.2f} cores"),
        *(
            Figure(f"CPU at that rate, {one}, {kind}", "% of a core", [100 * held.cpu_s[one] / held.wall_s])
            for one in _dearest(held.cpu_s)
        ),
    ]


def _memory(kind: Kind, usage: Mapping[str, Usage]) -> list[Figure]:
    resident = {name: one.rss_mb for name, one in usage.items()}
    return [
        Figure(f"resident after all that, {name}, {kind}", "MB", [resident[name]], lower_is_better=True)
        for name in _dearest(resident)
    ]


def _dearest(values: Mapping[str, Any]) -> list[str]:
    return sorted(values, key=lambda name: (-values[name], name))
