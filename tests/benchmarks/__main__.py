"""`python -m benchmarks`: all benchmarks, or those that ONLY names (a part or one benchmark); the table at the end."""

from __future__ import annotations

import asyncio
import os
import sys
import time
import traceback

import uvloop

from benchmarks import analytics, feeding, kernel, routing, system
from benchmarks.figures import Figure, show, write
from benchmarks.place import BUILD, Benchmark, place
from switchlog_local import LocalError

PARTS: dict[str, dict[str, Benchmark]] = {
    "analytics": analytics.BENCHMARKS,
    "feeding": feeding.BENCHMARKS,
    "kernel": kernel.BENCHMARKS,
    "routing": routing.BENCHMARKS,
    "system": system.BENCHMARKS,
}
STORES = ("sqlite", "cassandra")
WITHOUT_SERVERS = frozenset(routing.IN_PROCESS)


def chosen(only: str) -> dict[str, Benchmark]:
    """What ONLY means; everything when empty; empty when it names nothing."""
    every = {name: run for part in PARTS.values() for name, run in part.items()}
    if not only:
        return every
    return PARTS.get(only) or {name: run for name, run in every.items() if name == only}


async def measure(benchmarks: dict[str, Benchmark], stores: tuple[str, ...], quick: bool) -> tuple[list[Figure], int]:
    """Every figure, and how many benchmarks broke; each one's file is written as soon as it is done."""
    found: list[Figure] = []
    broken = 0
    servers = not WITHOUT_SERVERS.issuperset(benchmarks)
    async with place(stores, quick, servers=servers) as here:  # type: ignore[arg-type]
        for name, run in benchmarks.items():
            began = time.monotonic()
            try:
                figures = await run(here)
            except Exception:  # hours of the others' work are not to be lost by one
                traceback.print_exc()
                broken += 1
                continue
            path = write(BUILD / "bench", name, figures)
            found += figures
            print(f"bench: {name}: {time.monotonic() - began:.0f} s, {path.relative_to(BUILD.parent)}", flush=True)
    return found, broken


def main() -> int:
    only, store = os.environ.get("ONLY", ""), os.environ.get("STORE", "")
    benchmarks = chosen(only)
    if not benchmarks or store not in ("", *STORES):
        names = [*PARTS, *(name for part in PARTS.values() for name in part)]
        print(f"bench: ONLY={only} STORE={store}: ONLY is one of {' '.join(names)}; STORE one of {' '.join(STORES)}")
        return 2
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        stores = (store,) if store else STORES
        figures, broken = runner.run(measure(benchmarks, stores, os.environ.get("QUICK") == "1"))
    show(figures)
    return 1 if broken else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LocalError as error:
        sys.exit(f"bench: {error}")
