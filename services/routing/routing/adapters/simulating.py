"""``python -m routing simulate``: a day on paper from files or a distribution, on the production engine."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import msgspec
from rich.console import Console
from rich.table import Table

from ..app.paper.chance import BadChance
from ..app.paper.figures import Json
from ..app.paper.simulation import Found, simulate
from ..app.paper.world import Arrival
from .paper_files import BadFile, Written, write_figures
from .paper_script import Script, Wanted, Wrong, prepared
from .progress import told_progress
from .telling import in_words

TOLD_EVERY = 500

How = Literal["bar", "json", "none"]


def command(
    *,
    roster: Path,
    out: Path,
    arrivals: Path | None = None,
    poisson: str = "",
    service: str = "",
    patience: str = "",
    wrap_up: str = "",
    hours: float = 0.0,
    queue: str = "",
    channel: str = "voice",
    config: Path | None = None,
    pool: str = "",
    policy: str = "",
    until: str = "",
    seed: int = 0,
    answer: str = "",
    connect: str = "",
    decline: float = 0.0,
    missed: float = 0.0,
    offer_timeout: float = 0.0,
    step: str = "30m",
    tz: str = "UTC",
    threshold: int = 20,
    json: bool = False,
    progress: How = "bar",
) -> int:
    """Route contacts on paper: the engine of production on a virtual clock. Equal inputs and seed give equal bytes.

    Parameters
    ----------
    roster
        CSV: agent_id,from,to,queues,skills,voice,chat (capacities; any channel may be a column).
    out
        A folder; gets contacts.csv, figures.json and decisions.jsonl.
    arrivals
        CSV: contact_id,at,queue,channel,priority,skills,service_s,patience_s,wrap_up_s,preferred_agent.
        Times are RFC 3339 or seconds from 0.
    poisson
        In place of arrivals: a rate such as 360/h.
    service
        Talk with --poisson: exp:MEAN, fixed:S, uniform:A:B or lognormal:MEAN:SD in seconds.
    patience
        How long customers wait; for ever when not given.
    wrap_up
        After each talk; none when not given.
    hours
        How long contacts come.
    queue
        Where they come; the roster's only queue when not given.
    config
        YAML as of config apply. Without it: one pool, the files' queues, no offer timeout, T=20 s, S=0.
    pool
        Which pool of the configuration, when it has several.
    policy
        Such as longest-idle@1; that of the configuration when not given.
    until
        Stop then, as times in the files; else when nothing can happen any more.
    answer
        How long agents take to accept; at once when not given.
    connect
        From accepting to talking; at once when not given.
    decline
        Share of offers that agents decline, 0..1.
    missed
        Share of offers that agents let ring.
    offer_timeout
        Seconds, for queues without a configuration; none when 0.
    step
        Interval of the figures: 15m, 30m, 1h or 1d.
    tz
        Zone of the intervals.
    threshold
        T of the figures, seconds.
    json
        Figures over all to standard output instead of a table.
    progress
        On stderr: a bar on a terminal, JSON lines, or none.
    """
    asked = {name: value for name, value in locals().items() if name not in ("json", "progress")}
    return run(Wanted(**asked), json=json, progress=progress)


def run(wanted: Wanted, *, json: bool = False, progress: How = "bar") -> int:
    """Simulate and write; 0 done, 2 bad input. What is found goes to stdout, all else to stderr."""
    try:
        script = prepared(wanted)
    except (Wrong, BadFile, BadChance, OSError) as error:
        for line in in_words(error).splitlines():
            sys.stderr.write(f"routing simulate: {line}\n")
        return 2
    began = time.monotonic()
    found, stays = written(script, wanted.out, progress)
    where = {} if progress == "json" else {"out": str(wanted.out)}  # whoever reads lines has thrown the folder away
    summary = {**where, "contacts": stays, "turns": found.turns, **found.total}
    if json:
        sys.stdout.write(msgspec.json.encode(summary).decode() + "\n")
    else:
        sys.stdout.write(f"{stays} contacts on paper: {wanted.out}/contacts.csv figures.json decisions.jsonl\n")
        Console().print(table(found.total))
    seconds = time.monotonic() - began
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    per_s = stays / seconds if seconds else 0.0
    sys.stderr.write(f"{stays} contacts in {seconds:.1f} s ({per_s:,.0f}/s), {peak:,.0f} MB at most\n")
    return 0


def written(script: Script, out: Path, progress: How = "bar") -> tuple[Found, int]:
    """The day run, its three files in ``out``; and how many rows ``contacts.csv`` has."""
    out.mkdir(parents=True, exist_ok=True)
    with (
        (out / "contacts.csv").open("w", newline="", encoding="utf-8") as contacts,
        (out / "decisions.jsonl").open("wb") as decisions,
    ):
        listener = Written(contacts, decisions, script.times)
        day = replace(script.day, arrivals=watched(script.day.arrivals, script.expected, progress))
        found = simulate(day, script.asked, listener)
    write_figures(out / "figures.json", found.answer)
    return found, listener.stays


def watched(arrivals: Iterable[Arrival], expected: int, how: How) -> Iterator[Arrival]:
    """``arrivals``; how far they are is told as they are taken, by a bar only where somebody looks."""
    with told_progress("none" if how == "bar" and not sys.stderr.isatty() else how, "simulating") as tell:
        n = 0
        for n, arrival in enumerate(arrivals, 1):
            yield arrival
            if n % TOLD_EVERY == 0:
                tell(n, max(n, expected))
        tell(n, n)


# -- what is shown -----------------------------------------------------------------------------------------------------

SHOWN: dict[str, Callable[[float], str]] = {
    "sl_strict": lambda value: f"{value:.2%}",
    "asa": lambda value: f"{value:.2f} s",
    "abandon_rate_queued": lambda value: f"{value:.2%}",
    "avg_abandon_time": lambda value: f"{value:.2f} s",
    "occupancy": lambda value: f"{value:.2%}",
    "aht": lambda value: f"{value:.1f} s",
}


def table(total: Json) -> Table:
    """The whole day in a dozen lines."""
    made = Table()
    made.add_column("over all")
    made.add_column("", justify="right")
    for name, count in total["counts"].items():
        if count or name in ("offered", "answered", "abandoned", "waiting"):
            made.add_row(name, str(count))
    for id, text in SHOWN.items():
        value = total["figures"][id]
        made.add_row(id, "–" if value is None else text(value))
    for name, value in total["percentiles"].items():
        made.add_row(name, "–" if value is None else f"{value:.2f} s")
    return made
