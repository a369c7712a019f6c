"""How samples are taken: subject and ceiling in turns, so that a slow minute of the machine hits both."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence

Sample = Callable[[], Awaitable[float]]


async def in_turns(rounds: int, samples: Mapping[str, Sample], pause_s: float = 0.1) -> dict[str, list[float]]:
    """``rounds`` values of each; every second round goes backwards."""
    found: dict[str, list[float]] = {name: [] for name in samples}
    for n in range(rounds):
        for name in list(samples)[:: -1 if n % 2 else 1]:
            found[name].append(await samples[name]())
            await asyncio.sleep(pause_s)  # what the last one left behind gets done on nobody's account
    return found


def percentile(values: Sequence[float], share: float) -> float:
    """By nearest rank; ``values`` must not be empty."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


class Stopwatch:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.perf_counter()

    def __call__(self) -> float:
        return time.perf_counter() - self._began
