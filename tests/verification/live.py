"""The live side, as anybody may ask for it: the HTTP read API of analytics, and the rows on its output topics."""

from __future__ import annotations

from collections.abc import AsyncIterator, Container
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2 as httpx

from .oracle.recompute import Asked, Key

WORDS = ("counts", "seconds", "figures", "percentiles")
REFUSED_THEN = (404, 422, 503)
"""Also where folding anew takes too long."""
FLAGS = ("verdicts_final", "final", "durations_final")


@dataclass(frozen=True)
class Answer:
    """Rows by key; a name is one of counts, ``<sum>_ms`` (whole milliseconds), figures, percentiles or flags."""

    rows: dict[Key, dict[str, Any]]
    as_of: int


class NotAnswered(Exception):
    """The API says that it does not answer this yet."""


@dataclass(frozen=True)
class Live:
    """Analytics at ``url``; ``token(tenant)`` is an analyst's."""

    http: httpx.AsyncClient
    url: str
    token: Any

    async def figures(self, asked: Asked, tz: str, span: tuple[int, int]) -> Answer:
        """Every row of ``span``; raises ``NotAnswered`` for what is refused by name."""
        query: dict[str, str | int] = {
            "step": asked.step,
            "attribution": asked.attribution,
            "threshold": asked.threshold_s,
            "group_by": ",".join(asked.group_by),
            "tz": tz,
            "from": _rfc(span[0]),
            "to": _rfc(span[1]),
            "formulas": "all",
            **_then(asked.as_of),
        }
        headers = {"authorization": f"Bearer {self.token(asked.tenant)}"}
        answer = await self.http.get(f"{self.url}/v1/figures", params=query, headers=headers)
        told = _told(answer, (404, 422) if asked.as_of is None else REFUSED_THEN)
        rows = {_key(row, asked): _flat(row) for row in told["rows"]}
        if len(rows) != len(told["rows"]):
            raise AssertionError(f"{asked}: several rows of one key")
        return Answer(rows, milliseconds(told["as_of"]))

    async def now(self, tenant: str, queue: str, as_of: int | None = None) -> dict[str, Any]:
        """The wallboard's row; raises ``NotAnswered``."""
        headers = {"authorization": f"Bearer {self.token(tenant)}"}
        answer = await self.http.get(f"{self.url}/v1/queues/{queue}/now", params=_then(as_of), headers=headers)
        return _told(answer, () if as_of is None else REFUSED_THEN)


@asynccontextmanager
async def live(url: str, token: Any) -> AsyncIterator[Live]:
    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
        yield Live(http, url, token)


def _key(row: dict[str, Any], asked: Asked) -> Key:
    return (milliseconds(row["start"]), *(row[name] for name in asked.group_by))


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    found = {name: row[name] for name in FLAGS if name in row}
    for word in ("counts", "figures", "percentiles"):
        found |= row.get(word, {})
    sums = row.get("seconds", {}).items()
    return found | {f"{name}_ms": None if value is None else round(value * 1000) for name, value in sums}


def milliseconds(text: str) -> int:
    """RFC 3339 -> epoch milliseconds."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def _told(answer: httpx.Response, refused: Container[int]) -> dict[str, Any]:
    if answer.status_code in refused:
        raise NotAnswered(answer.json().get("reason", "") + ": " + answer.json().get("detail", ""))
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def _then(as_of: int | None) -> dict[str, str]:
    return {} if as_of is None else {"as_of": _rfc(as_of)}


def _rfc(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
