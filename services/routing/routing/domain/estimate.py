"""How long a contact will wait: from those ahead of it and the agents who work, corrected by how such waits came out.

With ``n`` contacts ahead and ``s`` agents whose work lasts ``m`` on average, a place is free after ``n + 1`` ends of
work, one every ``m / s``: a gamma distribution, whose quantiles Wilson and Hilferty approximate (1931). What it leaves
out (who overtakes, who gives up, who overflows, work that is not exponential) is learned: each answered wait moves a
factor of its queue and priority so that half of the waits stay below the first estimate and nine in ten below the
second, whatever the load (quantile tracking as in adaptive conformal inference, Gibbs and Candes 2021).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

PPM = 1_000_000
# the standard normal's quantiles
Z50, Z90 = 0.0, 1.2815515655446004
LEAST_PPM, MOST_PPM = 10_000, 100 * PPM
# how far one wait moves its factors, and one piece of work the mean
STEP_PPM = 60_000
SMOOTH = 32
FIRST_SERVICE_MS = 240_000


class Wait(NamedTuple):
    """Milliseconds that half of the contacts, and nine in ten, wait less than. Zeros mean: no estimate."""

    p50: int = 0
    p90: int = 0


NONE = Wait()


@dataclass(slots=True)
class Learned:
    """What one queue and priority taught: mean work of an agent, factors of both quantiles, and how they scored.

    ``told`` counts the answered waits that had an estimate, ``within_p50`` and ``within_p90`` those that kept it.
    """

    service_ms: int = FIRST_SERVICE_MS
    served: int = 0
    p50_ppm: int = PPM
    p90_ppm: int = PPM
    told: int = 0
    within_p50: int = 0
    within_p90: int = 0


def estimate(learned: Learned, ahead: int, agents: int) -> Wait:
    """For a contact with ``ahead`` before it and ``agents`` who work or are free; none without agents."""
    if agents <= 0:
        return NONE
    mean = learned.service_ms / agents
    p50 = _gamma(ahead + 1, Z50) * mean * learned.p50_ppm / PPM
    p90 = _gamma(ahead + 1, Z90) * mean * learned.p90_ppm / PPM
    return Wait(max(1, int(p50)), max(1, int(p50), int(p90)))


def waited(learned: Learned, told: Wait, wait_ms: int) -> None:
    """An agent answered after ``wait_ms`` whom was told ``told``."""
    if told == NONE:
        return
    learned.told += 1
    learned.within_p50 += wait_ms <= told.p50
    learned.within_p90 += wait_ms <= told.p90
    learned.p50_ppm = _moved(learned.p50_ppm, over=wait_ms > told.p50, quantile_percent=50)
    learned.p90_ppm = _moved(learned.p90_ppm, over=wait_ms > told.p90, quantile_percent=90)


def worked(learned: Learned, work_ms: int) -> None:
    """A place was held for ``work_ms``: the plain mean at first, an exponentially weighted one later."""
    learned.served += 1
    weight = min(learned.served, SMOOTH)
    learned.service_ms = max(1, learned.service_ms + (work_ms - learned.service_ms) // weight)


def _moved(factor_ppm: int, *, over: bool, quantile_percent: int) -> int:
    share = quantile_percent if over else quantile_percent - 100
    moved = factor_ppm + factor_ppm * STEP_PPM * share // (100 * PPM)
    return min(max(moved, LEAST_PPM), MOST_PPM)


def _gamma(shape: int, z: float) -> float:
    """A quantile of the gamma distribution of mean ``shape`` and scale 1, by operations that round alike everywhere."""
    root = 1 - 1 / (9 * shape) + z / (3 * math.sqrt(shape))
    return shape * root * root * root
