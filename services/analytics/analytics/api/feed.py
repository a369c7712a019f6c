"""Somebody else's calls, as JSON lines in a body of any size."""

from __future__ import annotations

from collections.abc import AsyncIterator, Set
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.requests import ClientDisconnect

from switchlog.auth.principal import Principal
from switchlog.errors import Poison, Rejected
from switchlog.web import require

from ..app.feeding import Feeding, Giving, Tally
from ..app.feedlines import Accepted, Refused, milliseconds, read_line, seconds_of
from ..app.lines import Numbered, Pace, batches
from ..app.shown import Json
from ..app.sources import Sources
from ..domain.feed import Terms
from .figures import ID, Reader

PATH = "/v1/feed"
ROLES = ("admin", "service")
"""Whoever feeds writes what figures are made of: an analyst reads figures and is not among them."""

BODY = {
    "required": True,
    "content": {"application/x-ndjson": {"schema": {"type": "string", "description": "JSON lines, docs/feeding.md"}}},
}
MOST_LATENESS_S = 366 * 24 * 3600
Feeder = Annotated[Principal, Depends(require(*ROLES))]
Duration = Annotated[str, Query(max_length=20, description="lines come at most so late: seconds, or 90s, 10m, 2h, 1d")]
SourceId = Annotated[str, Path(pattern=ID)]
From = Annotated[datetime | None, Query(alias="from", description="RFC 3339 with offset")]
To = Annotated[datetime | None, Query(alias="to", description="RFC 3339 with offset")]
Words = Annotated[str, Query(max_length=6_000, description="sources of a file whose last request this is, by commas")]


def routes(feeding: Feeding, sources: Sources, pace: Pace, declared: Set[str]) -> APIRouter:
    router = APIRouter(tags=["feed"])

    @router.post(PATH, openapi_extra={"requestBody": BODY})
    async def feed(
        request: Request,
        caller: Feeder,
        lateness: Duration = "10m",
        any_order: bool = False,
        more: Annotated[bool, Query(description="the file goes on in another request")] = False,
        ends: Words = "",
    ) -> Json:
        """One line is one fact. Good lines are kept, whatever the others are; a line is counted once by its id."""
        giving = feeding.one(caller.tenant, caller.subject, Terms(lateness_ms(lateness), any_order))

        async def spend(size: int) -> None:
            await pace.spend(caller.tenant, size)

        async for batch in batches(_body(request), spend):
            await giving.give(read(giving, batch, feeding.clock.now(), declared))
        return shown(await giving.end(more, [word for word in ends.split(",") if word]))

    @router.get(PATH + "/{source}")
    async def standing(
        source: Annotated[str, Path(pattern=ID)], caller: Reader, begin: From = None, end: To = None
    ) -> Json:
        """How a fed source stands, and what in its lines of the span made no sense (its last day; at most 31)."""
        return await sources.standing(caller.tenant, source, instant("from", begin), instant("to", end))

    return router


def lateness_ms(text: str) -> int:
    """Raises ``Rejected`` (bad input)."""
    try:
        seconds = seconds_of(text)
    except ValueError as error:
        raise Rejected("BAD_LATENESS", str(error), invalid=True) from None
    if seconds > MOST_LATENESS_S:
        raise Rejected("BAD_LATENESS", "at most 366 days", invalid=True)
    return round(seconds * 1000)


def instant(name: str, at: datetime | None) -> int | None:
    """Epoch milliseconds; raises ``Rejected`` (bad input)."""
    if at is None:
        return None
    if at.tzinfo is None:
        raise Rejected("BAD_TIME", f"{name} needs an offset, such as 2026-01-01T00:00:00Z", invalid=True)
    return milliseconds(at)


def read(giving: Giving, batch: Numbered, now: int, declared: Set[str]) -> list[tuple[int, Accepted]]:
    """The good lines; the others are counted."""
    found = []
    for number, text in batch:
        try:
            found.append((number, read_line(text, now, declared)))
        except Refused as why:
            giving.tally.refuse(number, why)
    return found


def shown(tally: Tally) -> Json:
    return {
        "accepted": tally.accepted,
        "duplicates": tally.duplicates,
        "rejected": tally.rejected,
        "reasons": dict(sorted(tally.reasons.items())),
        "attributes_left_out": tally.left_out,
        "rejections": [{"line": one.line, "reason": one.reason, "detail": one.detail} for one in tally.rejections],
    }


async def _body(request: Request) -> AsyncIterator[bytes]:
    try:
        async for chunk in request.stream():
            yield chunk
    except ClientDisconnect:
        raise Poison("DISCONNECTED") from None
