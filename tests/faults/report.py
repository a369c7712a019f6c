"""What the bench says at its end: a table for people, the same as JSON for machines."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path


@dataclass
class Figures:
    """One round. ``unknown`` outcomes were settled by asking again: stored before, or done by the retry.

    ``later`` counts 503 and 409 that say nothing was done, ``repeats`` records that stand on a topic once more.
    """

    name: str
    kills: int = 0
    commands: int = 0
    refused: int = 0
    later: int = 0
    unknown: int = 0
    stored_before: int = 0
    done_by_retry: int = 0
    events: int = 0
    repeats: int = 0
    lost: int = 0
    duplicates: int = 0
    holes: int = 0
    contradictions: int = 0
    note: str = ""
    wrong: list[str] = field(default_factory=list)


COLUMNS = [one.name for one in fields(Figures) if one.name not in ("name", "wrong", "note")]
HEADS = {"stored_before": "stored", "done_by_retry": "retried", "duplicates": "double", "contradictions": "contra"}


def total(rounds: Sequence[Figures]) -> Figures:
    return Figures("all", **{name: sum(getattr(one, name) for one in rounds) for name in COLUMNS})


def table(rounds: Sequence[Figures]) -> str:
    """One line a round, and their sum."""
    lines = [["", *(HEADS.get(name, name) for name in COLUMNS), ""]]
    lines += [[one.name, *(str(getattr(one, name)) for name in COLUMNS), one.note] for one in [*rounds, total(rounds)]]
    widths = [max(len(line[n]) for line in lines) for n in range(len(lines[0]))]
    return "\n".join(_line(line, widths) for line in lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    name, *numbers, note = cells
    columns = (cell.rjust(width) for cell, width in zip(numbers, widths[1:-1], strict=True))
    return "  ".join([name.ljust(widths[0]), *columns, note]).rstrip()


def write(path: Path, store: str, rounds: Sequence[Figures]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {"store": store, "total": asdict(total(rounds)), "rounds": [asdict(one) for one in rounds]}
    path.write_text(json.dumps(whole, indent=2) + "\n")
