"""Figures on the command line: asked of the service over HTTP, printed under the same names."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Literal

import httpx2
from rich.console import Console
from rich.table import Table

from ..app.shown import flattened

Form = Literal["table", "json", "csv"]
COLUMNS = ("start", "queue", "offered", "answered", "answered_in_threshold", "abandoned", "flowed_out", "waiting")


def figures(url: str, token: str, asked: Mapping[str, str], form: str) -> int:
    """Print the answer; 0 done, 1 the service is away, 2 it refused the question."""
    headers = {"authorization": f"Bearer {token}", "accept": "text/csv" if form == "csv" else "application/json"}
    given = {name: value for name, value in asked.items() if value}
    try:
        answer = httpx2.get(f"{url}/v1/figures", params=given, headers=headers, trust_env=False, timeout=30)
    except httpx2.TransportError as error:
        return _wrong(f"{url} does not answer ({type(error).__name__})", 1)
    if answer.status_code != 200:
        problem = answer.json()
        return _wrong(f"{problem.get('reason', answer.status_code)}: {problem.get('detail', '')}", 2)
    if form == "table":
        made = table(answer.json())
        Console(width=max(Console().width, 14 * len(made.columns) + 16)).print(made)
    else:
        sys.stdout.write(answer.text if form == "csv" else answer.text + "\n")
    return 0


def table(shown: Mapping[str, Any]) -> Table:
    """Counts as they are, ratios and durations with three decimals, a dash for what is undefined."""
    rows = [flattened(row) for row in shown["rows"]]
    wanted = [*COLUMNS, *(shown["rows"][0]["figures"] if rows else ()), "final"]
    made = Table(title=f"{shown['step']} {shown['tz']} T={shown['threshold_s']} s as of {shown['as_of']}")
    for name in wanted:
        made.add_column(name, justify="left" if name in ("start", "queue") else "right")
    for row in rows:
        made.add_row(*(_text(row[name]) for name in wanted))
    return made


def _text(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _wrong(text: str, code: int) -> int:
    sys.stderr.write(f"analytics figures: {text}\n")
    return code
