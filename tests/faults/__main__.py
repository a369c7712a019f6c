"""``make faults``: the long version, on servers of its own."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from switchlog_local import LocalError

from . import kernel, report
from .report import Figures
from .servers import Servers, servers

ROOT = Path(__file__).resolve().parents[2]
OUTAGE_S = 30.0
AGENTS, VISITORS = 5, 6

Part = Callable[[Servers, int], Awaitable[list[Figures]]]


def main() -> int:
    """0 when every promise was kept and every planted mistake was caught."""
    store, kills = os.environ.get("STORE") or "sqlite", int(os.environ.get("KILLS") or 10)
    only, parts = os.environ.get("ONLY", ""), parts_on(store)
    if store not in ("sqlite", "cassandra"):
        return _wrong(f"STORE={store}: sqlite or cassandra")
    if only and only not in parts:
        return _wrong(f"ONLY={only}: one of {' '.join(parts)}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("faults: stopped"))  # and stop what was started
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # it has much to say about brokers that are away
    began, rounds = time.monotonic(), list[Figures]()
    with servers(store, ROOT / "build" / "faults" / str(os.getpid())) as running:
        os.environ |= running.environment()
        for name in [only] if only else parts:
            _say(f"faults: {name}, over {store}")
            rounds += asyncio.run(parts[name](running, kills))
    return _reported("-".join(filter(None, (store, only))), rounds, time.monotonic() - began)


def parts_on(store: str) -> Mapping[str, Part]:
    """What ``ONLY`` may name."""
    parts: dict[str, Part] = {
        "kernel": _kernel,
        "services": _services,
        "owner": _owner,
        "broker": _broker,
        "figures": _figures,
    }
    return parts | ({"database": _database} if store == "cassandra" else {})


def _reported(name: str, rounds: list[Figures], seconds: float) -> int:
    path = ROOT / "build" / "faults" / f"{name}.json"
    report.write(path, name, rounds)
    _say(f"\n{report.table(rounds)}")
    _say(f"faults: {name}: {seconds:.0f} s, written to {path.relative_to(ROOT)}")
    broken = [one for one in rounds if one.wrong]
    for one in broken:
        _say("\n  ".join([f"faults: {one.name}:", *one.wrong]))
    return 1 if broken else 0


async def _kernel(running: Servers, kills: int) -> list[Figures]:
    """Kills of a small service at each crash point; and the same with mistakes in it, which must show."""
    async with kernel.bench(running.bootstrap, running.store()) as one:
        rounds = await kernel.every_round(one, kills, _say)
    return rounds + [await _planted(running, planted) for planted in kernel.PLANTED]


async def _planted(running: Servers, planted: str) -> Figures:
    async with kernel.bench(running.bootstrap, running.store()) as one:
        found = await kernel.planted_round(one, planted)
    _, shows_as = kernel.PLANTED[planted]
    caught = getattr(found, shows_as) > 0
    _say(f"faults: {found.name}: {'caught' if caught else 'NOT CAUGHT'}, such as {found.wrong[:1]}")
    return Figures(found.name, note="caught" if caught else "", wrong=[] if caught else ["not caught"])


# the centre is imported late: it takes the addresses of its servers from the environment


async def _services(running: Servers, kills: int) -> list[Figures]:
    """Each service killed in turn, and all at the same moment."""
    from . import system

    async with system.shift(AGENTS, VISITORS) as one:
        await system.kills(one, system.KILLED, max(1, kills // 5))
        each = await system.finished("each service", one)
    async with system.shift(AGENTS, VISITORS) as one:
        for _ in range(max(1, kills // 5)):
            await system.all_at_once(one, system.KILLED)
        return [_said(each), _said(await system.finished("all at once", one))]


async def _owner(running: Servers, kills: int) -> list[Figures]:
    """The pool's owner killed while another process stands by."""
    from . import system

    async with system.shift(AGENTS, VISITORS) as one:
        await system.owner_kills(one, max(2, kills // 2))
        return [_said(await system.finished("pool's owner", one))]


async def _broker(running: Servers, kills: int) -> list[Figures]:
    """Stopped, and once more cut off: alive and silent."""
    from . import outages, system

    found = []
    for outage in (outages.stopped(running.kafka, OUTAGE_S), outages.frozen(running.kafka, OUTAGE_S)):
        async with system.shift(AGENTS, VISITORS) as one:
            await asyncio.sleep(5)
            found.append(_said(await outages.broker_away(one, outage)))
    return found


async def _figures(running: Servers, kills: int) -> list[Figures]:
    """Workers of analytics killed under load, others come and go; then live against batch."""
    from . import figures

    folder = running.root / "figures"
    return [_said(await figures.killed_workers(running.bootstrap, folder, max(2, kills // 2), _say))]


async def _database(running: Servers, kills: int) -> list[Figures]:
    """Killed, and once more cut off."""
    from . import outages, system

    assert running.cassandra is not None
    found = []
    for outage in (outages.killed(running.cassandra, OUTAGE_S), outages.frozen(running.cassandra, OUTAGE_S)):
        async with system.shift(AGENTS, VISITORS) as one:
            await asyncio.sleep(5)
            found.append(_said(await outages.database_away(one, outage)))
    return found


def _said(figures: Figures) -> Figures:
    _say(f"faults: {figures.name}: {figures.kills} kills, wrong: {figures.wrong or 'nothing'}; {figures.note}")
    return figures


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
