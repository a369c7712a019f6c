"""Figures by interval, and a queue at this moment."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query
from fastapi.responses import JSONResponse, Response

from switchlog.auth.principal import Principal
from switchlog.decider import Rejected
from switchlog.web import require

from ..app.questions import FiguresAsked, Questions
from ..app.shown import Json, as_csv, shown_figures, shown_now

ID = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
Reader = Annotated[Principal, Depends(require("analyst", "supervisor", "admin", "service"))]
Words = Annotated[str, Query(max_length=4000, description="one or more, with commas between")]


def routes(questions: Questions) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["figures"])

    @router.get("/queues/{queue}/now")
    async def now(queue: Annotated[str, Path(pattern=ID)], caller: Reader, as_of: str | None = None) -> Json:
        """A queue at this moment: the wallboard's row. Ratios are 0..1, durations seconds."""
        _not_yet("as_of", as_of)
        return shown_now(await questions.now(caller.tenant, queue))

    @router.get("/figures")
    async def figures(
        caller: Reader,
        queue: Words = "",
        channel: Words = "",
        agent: str | None = None,
        team: str | None = None,
        begin: Annotated[datetime | None, Query(alias="from", description="RFC 3339 with offset")] = None,
        end: Annotated[datetime | None, Query(alias="to", description="RFC 3339 with offset")] = None,
        step: Annotated[str, Query(max_length=8)] = "30m",
        tz: Annotated[str, Query(max_length=64)] = "",
        attribution: Annotated[str, Query(max_length=16)] = "cohort",
        threshold: Annotated[int, Query(ge=1, le=86_400)] = 20,
        formulas: Words = "",
        group_by: Words = "queue",
        as_of: str | None = None,
        compare: str | None = None,
        accept: Annotated[str, Header()] = "",
    ) -> Response:
        """Figures of the intervals in which contacts were queued; ``Accept: text/csv`` gives the same flat."""
        for name, value in (("agent", agent), ("team", team), ("as_of", as_of), ("compare", compare)):
            _not_yet(name, value)
        asked = FiguresAsked(
            queues=_words(queue),
            channels=_words(channel),
            begin=_instant("from", begin),
            end=_instant("to", end),
            step=step,
            tz=tz,
            attribution=attribution,
            threshold_s=threshold,
            formulas=() if formulas == "all" else _words(formulas),
            group_by=_words(group_by),
        )
        return _answer(shown_figures(await questions.figures(caller.tenant, asked)), accept)

    return router


def _answer(shown: Json, accept: str) -> Response:
    if "text/csv" in accept:
        return Response(as_csv(shown), media_type="text/csv; charset=utf-8")
    return JSONResponse(shown)


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _instant(name: str, at: datetime | None) -> int | None:
    if at is None:
        return None
    if at.tzinfo is None:
        raise Rejected("BAD_TIME", f"{name} needs an offset, such as 2026-01-01T00:00:00Z", invalid=True)
    return int(at.astimezone(UTC).timestamp() * 1000)


def _not_yet(name: str, value: str | None) -> None:
    if value is not None:
        raise Rejected("NOT_YET", f"{name} is not there yet", invalid=True)
