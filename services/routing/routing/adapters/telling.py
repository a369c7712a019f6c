"""Explanations, replays and trials printed for people."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.table import Table

Shown = dict[str, Any]
CANDIDATES = 20
VALUES = ("was", "mean", "low", "high", "difference")


def why(shown: Shown) -> None:
    """Each decision in words, and under it everybody who was looked at."""
    console = _console()
    if "text" in shown:
        console.print(shown["text"], markup=False, highlight=False)
        for one in shown["waiting"]:
            console.print(_candidates(one["candidates"], one["contact"]))
    for one in shown["decisions"]:
        console.print(one["text"], markup=False, highlight=False)
        if not one["identical"]:
            console.print(f"  recorded: {one['recorded']}\n  decided:  {one['decided']}", markup=False)
        if one["candidates"]:
            console.print(_candidates(one["candidates"]))


def replayed(shown: Shown) -> None:
    console = _console()
    speed = f"{shown['seconds']} s, {shown['events_per_s']} events/s" if "seconds" in shown else ""
    head = f"{shown['pool']} {shown['date']}: {shown['events']} events in {shown['turns']} turns, {speed}"
    console.print(head, markup=False, highlight=False)
    if shown["unknown_facts"]:
        console.print(f"{shown['unknown_facts']} facts of a later version were passed over", markup=False)
    if shown["identical"]:
        proved = ", and so is the state at the end of the day" if shown["end_of_day_proved"] else ""
        console.print(f"identical{proved}", markup=False)
    else:
        _difference(console, shown["difference"])


def result(shown: Shown) -> None:
    """Whatever a job found."""
    if "turns" in shown:
        replayed(shown)
    else:
        what_if(shown)


def what_if(shown: Shown) -> None:
    """Side by side: as it was, and as it would have been, with the interval over the seeds."""
    console = _console()
    console.print(shown["text"], markup=False, highlight=False)
    for queue in shown["queues"]:
        console.print(_compared(queue))


def _difference(console: Console, found: Shown) -> None:
    console.print(f"DIVERGED at version {found['version']} ({found['at']}): {found['reason']}", markup=False)
    console.print(f"  input: {found['input']}", markup=False)
    for name in ("recorded", "decided"):
        for n, fact in enumerate(found[name]):
            mark = ">" if n == found["place"] else " "
            console.print(f"{mark} {name:>8}: {fact['fact']} {fact['data']}", markup=False)


def _candidates(found: list[Shown], title: str = "") -> Table:
    table = Table(title=title or None, title_justify="left")
    for name in ("agent", "team", "", "passed over", "score", "detail"):
        table.add_column(name)
    for one in found[:CANDIDATES]:
        mark = "*" if one["chosen"] else ""
        table.add_row(one["agent"], one["team"], mark, one["reason"], one["score"], one["detail"])
    if len(found) > CANDIDATES:
        table.add_row(f"and {len(found) - CANDIDATES} more")
    return table


def _compared(queue: Shown) -> Table:
    """Without what is zero or undefined on both sides."""
    table = Table(title=queue["queue"], title_justify="left")
    table.add_column("figure")
    for name in ("as was", "what if", "95 % over seeds", "difference"):
        table.add_column(name, justify="right")
    for row in queue["figures"]:
        if not any(row[name] for name in ("was", "mean", "low", "high")):
            continue
        decimals = 1 if isinstance(row["was"], int) else 3
        was, mean, low, high, more = (_number(row[name], decimals) for name in VALUES)
        span = f"{low} – {high}" if row["low"] is not None else low
        table.add_row(row["figure"], was, mean, span, more)
    return table


def _number(value: float | int | None, decimals: int) -> str:
    if value is None:
        return "–"
    return str(value) if isinstance(value, int) else f"{value:.{decimals}f}"


def in_words(error: Exception) -> str:
    """What is wrong, and with which file."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror[0].lower()}{error.strerror[1:]}"
    return str(error)


def _console() -> Console:
    """As wide as the terminal; into a file or pipe lines are not cut."""
    return Console() if sys.stdout.isatty() else Console(width=160)
