"""Questions to the service's own API, for a command line that is told ``--url``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import httpx2

from switchlog.errors import NotFound, NotNow, Rejected

from .progress import Tell

Shown = dict[str, Any]
POLL_S = 0.5
TIMEOUT_S = 60.0


async def get(url: str, given: Mapping[str, str], token: str) -> Shown:
    """The JSON there. Raises ``NotFound``, ``NotNow`` when nobody answers, ``Rejected`` for any other refusal."""
    async with _client(token) as client:
        return await _answered(client.get(url, params=dict(given)))


async def job(url: str, body: Shown, token: str, tell: Tell) -> tuple[Shown, int]:
    """Start the job at ``url`` and follow it to its end: its result and exit code."""
    async with _client(token) as client:
        started = await _answered(client.post(url, json=body))
        where = f"{url.rpartition('/v1/')[0]}/v1/jobs/{started['job']}"
        while True:
            found = await _answered(client.get(where))
            tell(found["done"], found["of"])
            if found["state"] == "done":
                return found["result"], int(found["exit_code"])
            if found["state"] != "running":
                raise Rejected("JOB_FAILED", found["error"] or found["state"])
            await asyncio.sleep(POLL_S)


def _client(token: str) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(headers={"authorization": f"Bearer {token}"}, trust_env=False, timeout=TIMEOUT_S)


async def _answered(request: Any) -> Shown:
    try:
        answer = await request
    except httpx2.TransportError as error:
        raise NotNow("AWAY", f"the service does not answer ({type(error).__name__})") from error
    if answer.status_code == 404:
        raise NotFound(detail=str(answer.url.path))
    if answer.status_code >= 400:
        problem = answer.json()
        raise Rejected(str(problem.get("reason", answer.status_code)), str(problem.get("detail", "")))
    shown: Shown = answer.json()
    return shown
