"""Figures and alerts on the command line: asked of the service over HTTP, printed under the same names."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import httpx2
import orjson
from rich.console import Console
from rich.table import Table

from ..app.flat import PERIOD, PREVIOUS
from ..app.shown import flattened
from ..domain.labels import LABELS

Query = Mapping[str, str]
COLUMNS = ("offered", "answered", "answered_in_threshold", "abandoned", "flowed_out", "waiting")
LANGUAGES = ("zh", "en")


def printed(url: str, token: str, asked: Query, form: str, lang: str) -> int:
    """Print figures as a table or as JSON; 0 done, 1 the service is away, 2 it refused the question."""
    return _printed(f"{url}/v1/figures", token, asked, lang, table, as_json=form == "json")


def alerts(url: str, token: str, asked: Query, lang: str, *, as_json: bool) -> int:
    """Print alerts, as ``printed`` does."""
    return _printed(f"{url}/v1/alerts", token, asked, lang, alerts_table, as_json=as_json)


def _printed(
    url: str, token: str, asked: Query, lang: str, shown: Callable[[Any, str], Table], *, as_json: bool
) -> int:
    if lang and lang not in LANGUAGES:
        return wrong(f"--lang is one of {', '.join(LANGUAGES)}", 2)
    headers = {"authorization": f"Bearer {token}"}
    try:
        answer = httpx2.get(url, params=asked, headers=headers, trust_env=False, timeout=60)
    except httpx2.TransportError as error:
        return away(url, error)
    if answer.status_code != 200:
        return refused(answer.status_code, answer.content)
    if as_json:
        sys.stdout.write(answer.text + "\n")
        return 0
    made = shown(answer.json(), lang)
    Console(width=max(Console().width, 14 * len(made.columns) + 16)).print(made)
    return 0


def alerts_table(shown: Mapping[str, Any], lang: str = "") -> Table:
    """Newest first; a dash where an alert still stands."""
    made = Table("raised_at", "rule", "about", "figure", "value", "side", "limit", "cleared_at")
    for alert in shown["alerts"]:
        about = " ".join(alert[name] for name in ("queue", "agent", "team") if alert[name])
        told = [alert[name] for name in ("value", "side", "limit", "cleared_at")]
        made.add_row(alert["raised_at"], alert["rule"], about, heading(alert["figure"], lang), *map(_text, told))
    return made


def table(shown: Mapping[str, Any], lang: str = "") -> Table:
    """Counts as they are, ratios and durations with three decimals, a dash for what is undefined.

    Formulas are headed by their ids, and by their labels in ``lang`` where given.
    """
    rows = [*_flat(shown["rows"], ""), *_flat(shown.get("previous", ()), PREVIOUS)]
    figures = [*shown["rows"], *shown.get("previous", ())]
    left = [PERIOD] * ("previous" in shown) + ["start", *shown["group_by"]]
    wanted = [*left, *COLUMNS, *(figures[0]["figures"] if figures else ()), "final"]
    made = Table(title=f"{shown['step']} {shown['tz']} {shown['attribution']} {_threshold(shown)}")
    for name in wanted:
        made.add_column(heading(name, lang), justify="left" if name in left else "right")
    for row in rows:
        made.add_row(*(_text(row[name]) for name in wanted))
    return made


def heading(name: str, lang: str) -> str:
    """A formula's id alone, or under its label."""
    if lang and name in LABELS:
        return f"{getattr(LABELS[name], lang)}\n{name}"
    return name


def _flat(rows: Iterable[Mapping[str, Any]], period: str) -> list[dict[str, Any]]:
    return [{PERIOD: period, **flattened(row)} for row in rows]


def _threshold(shown: Mapping[str, Any]) -> str:
    return f"T={shown['threshold_s']} s as of {shown['as_of']}"


def _text(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def away(url: str, error: Exception) -> int:
    return wrong(f"{url} does not answer ({type(error).__name__})", 1)


def refused(status: int, body: bytes) -> int:
    """A question is wrong (2), or it cannot be answered now (1)."""
    try:
        problem = orjson.loads(body)
    except orjson.JSONDecodeError:
        problem = {}
    return wrong(f"{problem.get('reason', status)}: {problem.get('detail', '')}", 1 if status >= 500 else 2)


def wrong(text: str, code: int) -> int:
    sys.stderr.write(f"analytics figures: {text}\n")
    return code
