"""``make faults``: the long version, on servers of its own."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from switchlog_local import LocalError

from . import kernel, report
from .report import Figures
from .servers import Servers, servers

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """0 when every promise was kept and every planted mistake was caught."""
    store, kills = os.environ.get("STORE") or "sqlite", int(os.environ.get("KILLS") or 10)
    if store not in ("sqlite", "cassandra"):
        return _wrong(f"STORE={store}: sqlite or cassandra")
    began = time.monotonic()
    with servers(store, ROOT / "build" / "faults" / str(os.getpid())) as running:
        _say(f"faults: servers for {store} run after {time.monotonic() - began:.1f} s; {kills} kills a crash point")
        rounds = asyncio.run(_everything(running, kills))
    path = ROOT / "build" / "faults" / f"{store}.json"
    report.write(path, store, rounds)
    _say(f"\n{report.table(rounds)}")
    _say(f"faults: {store}: {time.monotonic() - began:.0f} s, written to {path.relative_to(ROOT)}")
    broken = [one for one in rounds if one.wrong]
    for one in broken:
        _say(f"faults: {one.name}: " + "\n  ".join(one.wrong))
    return 1 if broken else 0


async def _everything(running: Servers, kills: int) -> list[Figures]:
    async with kernel.bench(running.bootstrap, running.store()) as one:
        rounds = await kernel.every_round(one, kills, _say)
    for planted, (_, shows_as) in kernel.PLANTED.items():
        async with kernel.bench(running.bootstrap, running.store()) as one:
            found = await kernel.planted_round(one, planted)
        caught = getattr(found, shows_as) > 0
        _say(f"faults: {found.name}: {'caught' if caught else 'NOT CAUGHT'}, such as {found.wrong[:1]}")
        rounds.append(
            Figures(
                found.name, kills=found.kills, note="caught" if caught else "", wrong=[] if caught else ["not caught"]
            )
        )
    return rounds


def _say(line: str) -> None:
    print(line, flush=True)


def _wrong(sentence: str) -> int:
    print(f"faults: {sentence}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LocalError as error:
        sys.exit(f"faults: {error}")
