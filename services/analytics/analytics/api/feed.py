"""Somebody else's calls, as JSON lines in a body of any size."""

from __future__ import annotations

from collections.abc import AsyncIterator, Set
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.requests import ClientDisconnect

from switchlog.auth.principal import Principal
from switchlog.errors import Poison
from switchlog.web import require

from ..app.feeding import Feeding, Giving, Tally
from ..app.feedlines import Accepted, Refused, read_line
from ..app.lines import Numbered, Pace, batches
from ..app.shown import Json
from ..domain.feed import LATENESS_MS, Terms

PATH = "/v1/feed"
ROLES = ("admin", "service")
"""Whoever feeds writes what figures are made of: an analyst reads figures and is not among them."""

MOST_LATENESS_S = 366 * 24 * 3600
Feeder = Annotated[Principal, Depends(require(*ROLES))]
Seconds = Annotated[float, Query(ge=0, le=MOST_LATENESS_S, description="lines come at most so late, seconds")]
Words = Annotated[str, Query(max_length=6_000, description="sources of a file whose last request this is, by commas")]


def routes(feeding: Feeding, pace: Pace, declared: Set[str]) -> APIRouter:
    router = APIRouter(tags=["feed"])

    @router.post(PATH)
    async def feed(
        request: Request,
        caller: Feeder,
        lateness: Seconds = LATENESS_MS / 1000,
        any_order: bool = False,
        more: Annotated[bool, Query(description="the file goes on in another request")] = False,
        ends: Words = "",
    ) -> Json:
        """One line is one fact. Good lines are kept, whatever the others are; a line is counted once by its id."""
        giving = feeding.one(caller.tenant, caller.subject, Terms(round(lateness * 1000), any_order))

        async def spend(size: int) -> None:
            await pace.spend(caller.tenant, size)

        async for batch in batches(_body(request), spend):
            await giving.give(read(giving, batch, feeding.clock.now(), declared))
        return shown(await giving.end(more, [word for word in ends.split(",") if word]))

    return router


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
