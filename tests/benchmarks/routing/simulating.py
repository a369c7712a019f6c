"""A million contacts on paper beside the same queue in bare simpy and ciw, in turns: M/M/50+M, 750 an hour."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from benchmarks.figures import Ceiling, Figure
from benchmarks.place import OPPONENTS, Place, bench_python
from benchmarks.routing.decisions import told_by

CONTACTS, ROUNDS = 1_000_000, 2
QUEUE = ("50", "750", "240", "120")  # agents, contacts an hour, talk and patience in seconds

Runs = Mapping[str, list[dict[str, Any]]]


async def run(place: Place) -> list[Figure]:
    contacts = place.scaled(CONTACTS) // 4 if place.quick else CONTACTS
    runs: dict[str, list[dict[str, Any]]] = {"simulate": [], "engine": [], "simpy": [], "ciw": []}
    for seed in range(1, place.rounds(ROUNDS) + 1):
        for name in list(runs)[:: -1 if seed % 2 else 1]:
            runs[name].append(await _once(place, name, contacts, seed))
    return [
        _rate("simulate_contacts", contacts, runs, "simulate", "simpy", "with its three files; goal ≥ 0.2"),
        _rate("simulate_contacts_beside_ciw", contacts, runs, "simulate", "ciw", "with its three files"),
        _rate(
            "simulate_engine_contacts", contacts, runs, "engine", "simpy", "decisions and deadlines, nothing written"
        ),
        _plain("simulate_seconds", "s of CPU", [one["cpu_s"] for one in runs["simulate"]], f"{contacts:,} contacts"),
        _plain("simulate_memory", "MB", [one["memory_mb"] for one in runs["simulate"]], f"{contacts:,} contacts"),
    ]


def _rate(name: str, contacts: int, runs: Runs, ours: str, theirs: str, note: str) -> Figure:
    version = runs[theirs][0]["version"]
    what = f"{theirs} {version}: the same M/M/50+M without rules, offers or record"
    return Figure(
        name,
        "contacts/s of CPU",
        [one["contacts"] / one["cpu_s"] for one in runs[ours]],
        Ceiling(what, [one["contacts"] / one["cpu_s"] for one in runs[theirs]]),
        note=note,
        versions={theirs: version, "contacts": str(contacts), **_abandoned(runs, ours, theirs)},
    )


def _abandoned(runs: Runs, *names: str) -> dict[str, str]:
    """That all simulate the same: the share of contacts that left."""
    told = {name: runs[name] for name in names if "abandoned" in runs[name][0]}
    return {
        f"abandoned_{name}": f"{_total(some, 'abandoned') / _total(some, 'contacts'):.4f}"
        for name, some in told.items()
    }


def _total(runs: list[dict[str, Any]], what: str) -> int:
    return sum(run[what] for run in runs)


def _plain(name: str, unit: str, samples: list[float], note: str) -> Figure:
    return Figure(name, unit, samples, lower_is_better=True, note=note)


async def _once(place: Place, name: str, contacts: int, seed: int) -> dict[str, Any]:
    words = (str(contacts), *QUEUE, str(seed))
    if name in ("simpy", "ciw"):
        return await told_by(str(OPPONENTS / f"{name}_queue.py"), *words, python=bench_python())
    out = place.root / place.fresh("paper")
    try:
        return await told_by("benchmarks.routing.paper", *words, "-" if name == "engine" else str(out))
    finally:
        shutil.rmtree(out, ignore_errors=True)
