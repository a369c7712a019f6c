"""Decisions a second and core by the size of the pool: who becomes free gets whom of 1 000 who wait, and why."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks.figures import Figure
from benchmarks.place import ROOT, Place

AGENTS, QUEUES = (100, 1000, 10_000, 15_000), (50, 500, 5000)
DECISIONS, ROUNDS = 20_000, 3
GOALS = {(10_000, 500): "goal ≥ 20,000/s"}


async def run(place: Place) -> list[Figure]:
    found: dict[tuple[int, int], list[dict[str, Any]]] = {size: [] for size in product(AGENTS, QUEUES)}
    for _ in range(place.rounds(ROUNDS)):
        for agents, queues in found:
            found[agents, queues].append(await _measured(agents, queues, place.scaled(DECISIONS)))
    return [_figure(*size, samples) for size, samples in found.items()] + [_growth(found)]


def _figure(agents: int, queues: int, samples: list[dict[str, Any]]) -> Figure:
    last = samples[-1]
    told = f"p50 {last['p50_us']:.0f} µs, p99 {last['p99_us']:.0f} µs, board {last['memory_mb']:.0f} MB"
    goal = GOALS.get((agents, queues))
    return Figure(
        f"decisions_{agents}_agents_{queues}_queues",
        "decisions/s per core",
        [sample["per_s"] for sample in samples],
        note="; ".join(filter(None, (goal, told))),
        versions={
            "memory_mb": f"{last['memory_mb']:.1f}",
            "p50_us": f"{last['p50_us']:.1f}",
            "p99_us": f"{last['p99_us']:.1f}",
            "whole_contacts_per_s": f"{last['contacts_per_s']:.0f}",
            "waiting": str(last["waiting"]),
            "skills": "50",
        },
    )


def _growth(found: dict[tuple[int, int], list[dict[str, Any]]]) -> Figure:
    """The worst over the numbers of queues, round by round."""
    rounds = range(len(found[AGENTS[0], QUEUES[0]]))
    worst = [max(found[AGENTS[0], q][n]["per_s"] / found[AGENTS[-1], q][n]["per_s"] for q in QUEUES) for n in rounds]
    name = f"decision_cost_{AGENTS[-1]}_agents_to_{AGENTS[0]}_agents"
    return Figure(
        name, "times the cost", worst, lower_is_better=True, note="goal ≤ 2; the worst of 50, 500, 5,000 queues"
    )


async def _measured(agents: int, queues: int, decisions: int) -> dict[str, Any]:
    """In a process of its own: its memory is then the board's alone."""
    return await told_by("benchmarks.routing.board", str(agents), str(queues), str(decisions))


async def told_by(what: str, *words: str, python: Path = Path(sys.executable)) -> dict[str, Any]:
    """The last line that a module of ours, or a script by its path, prints when run with ``words``: as JSON."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    command = (str(python), *((what,) if what.endswith(".py") else ("-m", what)), *words)
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=asyncio.subprocess.PIPE)
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}; its error stands above")
    found: dict[str, Any] = json.loads(out.splitlines()[-1])
    return found
