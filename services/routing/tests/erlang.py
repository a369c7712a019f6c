"""Erlang's formulas from the textbooks, written without the service: what a simulated queue is held against.

C: M/M/n, everybody waits (Erlang 1917). A: M/M/n+M, patience is exponential (Palm 1957; Mandelbaum & Zeltyn 2007).
Times in seconds, rates per second.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Theory:
    """Shares 0..1 and seconds; ``service_level`` is A_T / (A + B)."""

    service_level: float
    asa: float
    occupancy: float
    abandoned: float = 0.0


def erlang_b(load: float, agents: int) -> float:
    blocked = 1.0
    for n in range(1, agents + 1):
        blocked = load * blocked / (n + load * blocked)
    return blocked


def erlang_c(per_hour: float, talk: float, agents: int, threshold: float = 20.0) -> Theory:
    arrivals, load = per_hour / 3600, per_hour / 3600 * talk
    assert load < agents, "else nobody is ever served"
    blocked = erlang_b(load, agents)
    waits = blocked / (1 - load / agents * (1 - blocked))
    drain = agents / talk - arrivals
    return Theory(1 - waits * math.exp(-drain * threshold), waits / drain, load / agents)


def erlang_a(per_hour: float, talk: float, patience: float, agents: int, threshold: float = 20.0) -> Theory:
    """By the density of the offered wait; ``asa`` is the mean wait of those answered."""
    arrivals, serving, leaving = per_hour / 3600, 1 / talk, 1 / patience

    def weight(wait: float) -> float:
        """Of an offered wait: so many arrive, so few of those before are still there."""
        return arrivals * math.exp(arrivals * (1 - math.exp(-leaving * wait)) / leaving - agents * serving * wait)

    def stays(wait: float) -> float:
        return math.exp(-leaving * wait)

    empty = _idle_weight(arrivals / serving, agents)
    longest = 40 * max(patience, talk / agents)
    total = empty + _integral(weight, 0, longest)
    answered = (empty + _integral(lambda w: weight(w) * stays(w), 0, longest)) / total
    in_time = (empty + _integral(lambda w: weight(w) * stays(w), 0, threshold)) / total
    waited = _integral(lambda w: weight(w) * stays(w) * w, 0, longest) / total
    return Theory(in_time, waited / answered, arrivals * answered * talk / agents, 1 - answered)


def _idle_weight(load: float, agents: int) -> float:
    """Sum over j < n of load^j / j!, divided by the last of its terms."""
    term = total = 1.0
    for j in range(agents - 1, 0, -1):
        term *= j / load
        total += term
    return total


def _integral(f: Callable[[float], float], low: float, high: float, pieces: int = 20_000) -> float:
    """Simpson's rule."""
    step = (high - low) / pieces
    odd = sum(f(low + step * n) for n in range(1, pieces, 2))
    even = sum(f(low + step * n) for n in range(2, pieces, 2))
    return (f(low) + f(high) + 4 * odd + 2 * even) * step / 3


def birth_and_death(per_hour: float, talk: float, patience: float, agents: int) -> tuple[float, float]:
    """(abandoned, occupancy) by another way: the balance of the chain's states."""
    arrivals, serving, leaving = per_hour / 3600, 1 / talk, 1 / patience
    weights = [1.0]
    while len(weights) < agents or weights[-1] > 1e-18 * sum(weights[-50:]):
        n = len(weights)
        weights.append(weights[-1] * arrivals / (min(n, agents) * serving + max(0, n - agents) * leaving))
    total = math.fsum(weights)
    queue = math.fsum((n - agents) * w for n, w in enumerate(weights) if n > agents) / total
    busy = math.fsum(min(n, agents) * w for n, w in enumerate(weights)) / total
    return queue * leaving / arrivals, busy / agents


def waits_by_recursion(
    arrivals: Sequence[int], services: Sequence[int], agents: int, patiences: Sequence[int] = ()
) -> list[int]:
    """First come, first served by ``agents`` alike (Kiefer & Wolfowitz 1955; with one agent Lindley 1952).

    Who would wait longer than its patience leaves when that ends, and takes nobody's time (Baccelli & Hebuterne 1981).
    """
    free = [0] * agents
    waits = []
    for n, (at, service) in enumerate(zip(arrivals, services, strict=True)):
        free.sort()
        wait = max(0, free[0] - at)
        if patiences and wait > patiences[n]:
            waits.append(patiences[n])
            continue
        waits.append(wait)
        free[0] = at + wait + service
    return waits
