"""A figure as it is written to build/bench/<name>.json and shown in the table."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from switchlog_local.__main__ import COORDINATES

PACKAGES = ("aiokafka", "cassandra-driver", "protobuf", "uvloop", "grpcio", "fastapi")


@dataclass(frozen=True)
class Ceiling:
    """What the same work costs with less around it, measured in the same run, turn by turn."""

    what: str
    samples: Sequence[float]

    @property
    def value(self) -> float:
        return median(self.samples)


@dataclass(frozen=True)
class Figure:
    """The median of ``samples`` in ``unit``; ``note`` is for the table alone: a goal, or what it is measured on."""

    name: str
    unit: str
    samples: Sequence[float]
    ceiling: Ceiling | None = None
    lower_is_better: bool = False
    note: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def value(self) -> float:
        return median(self.samples)

    @property
    def ratio(self) -> float | None:
        return self.value / self.ceiling.value if self.ceiling and self.ceiling.value else None

    def document(self) -> dict[str, Any]:
        """The fields that people script against."""
        ceiling = self.ceiling and {"what": self.ceiling.what, "value": _rounded(self.ceiling.value)}
        return {
            "name": self.name,
            "value": _rounded(self.value),
            "unit": self.unit,
            "ceiling": ceiling,
            "ratio": None if self.ratio is None else _rounded(self.ratio),
            "lower_is_better": self.lower_is_better,
            "samples": [_rounded(sample) for sample in self.samples],
            "machine": machine(),
            "versions": {**versions(), **self.versions},
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
        }


def write(folder: Path, benchmark: str, figures: Sequence[Figure]) -> Path:
    """One file a benchmark: a list of figures."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{benchmark}.json"
    path.write_text(json.dumps([figure.document() for figure in figures], indent=2, ensure_ascii=False) + "\n")
    return path


def show(figures: Iterable[Figure]) -> None:
    """The table at the end, one line a figure, with the machine and the versions under it."""
    table = Table("figure", "value", "unit", "ceiling", "ratio", "ceiling is / goal", show_lines=False)
    for figure in figures:
        limit = _short(figure.ceiling.value) if figure.ceiling else "-"
        ratio = "-" if figure.ratio is None else f"{figure.ratio:.2f}"
        text = "; ".join(filter(None, (figure.ceiling.what if figure.ceiling else "", figure.note)))
        table.add_row(figure.name, _short(figure.value), figure.unit, limit, ratio, text)
    console = Console(width=None if os.isatty(1) else 200)
    console.print(table)
    console.print(", ".join(f"{name} {value}" for name, value in {**machine(), **versions()}.items()), style="dim")


@cache
def machine() -> dict[str, Any]:
    """CPU model, cores this process may use, memory."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {"cpu": _cpu(), "cores": cores, "memory_gb": round(psutil.virtual_memory().total / 2**30, 1)}


@cache
def versions() -> dict[str, str]:
    """Of everything that carries the figures."""
    servers = {name: lines[0].rsplit(":", 1)[1] for name, lines in COORDINATES.items()}
    packages = {name: _version(name) for name in PACKAGES}
    return {
        "switchlog": _commit(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        **servers,
        **packages,
    }


def _cpu() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "absent"


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    return found.stdout.strip() or "unknown"


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
