"""Figures by interval as JSON, CSV or Parquet, and a queue at this moment."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Header, Path, Query
from fastapi.responses import StreamingResponse

from switchlog.auth.principal import Principal
from switchlog.decider import Rejected
from switchlog.web import require

from .. import wire
from ..app.flat import as_csv
from ..app.past import Past
from ..app.questions import Answer, FiguresAsked
from ..app.shown import Json, as_json, head_words, shown_now
from ..domain.labels import LABELS

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ID = r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$"
Reader = Annotated[Principal, Depends(require("analyst", "supervisor", "admin", "service"))]
Word = Annotated[str, Query(max_length=4000)]
Words = Annotated[list[Word], Query(max_length=1000, description="one or more, repeated or with commas between")]
Instant = Annotated[datetime | None, Query(description="RFC 3339 with offset")]
Form = Callable[[Answer], AsyncIterator[bytes]]
JSON, CSV, PARQUET = "application/json", "text/csv; charset=utf-8", "application/vnd.apache.parquet"


def asked(
    queue: Words = [],  # noqa: B006  # FastAPI copies defaults
    channel: Words = [],  # noqa: B006
    agent: Words = [],  # noqa: B006
    team: Words = [],  # noqa: B006
    begin: Annotated[datetime | None, Query(alias="from", description="RFC 3339 with offset")] = None,
    end: Annotated[datetime | None, Query(alias="to", description="RFC 3339 with offset")] = None,
    step: Annotated[str, Query(max_length=8, description="15m, 30m, 1h, 1d, 1w or 1mo, by local time")] = "30m",
    tz: Annotated[str, Query(max_length=64, description="IANA zone; the tenant's when not given")] = "",
    attribution: Annotated[str, Query(max_length=16, description="cohort or event")] = "cohort",
    threshold: Annotated[int, Query(ge=1, le=86_400)] = 20,
    formulas: Words = [],  # noqa: B006
    group_by: Annotated[
        str, Query(max_length=64, description="any of queue,channel,agent,team; empty: all in one")
    ] = "queue",
    compare: Annotated[str, Query(max_length=16, description="previous: the period before, too")] = "",
) -> FiguresAsked:
    """The question in a query string."""
    return FiguresAsked(
        queues=words(queue),
        channels=channels(words(channel)),
        agents=words(agent),
        teams=words(team),
        begin=instant("from", begin),
        end=instant("to", end),
        step=step,
        tz=tz,
        attribution=attribution,
        threshold_s=threshold,
        formulas=() if "all" in words(formulas) else words(formulas),
        group_by=words([group_by]),
        compare=compare,
    )


def then(
    as_of: Annotated[datetime | None, Query(description="RFC 3339 with offset: what had been recorded by then")] = None,
) -> int | None:
    """The instant that is asked as of; now when not given."""
    return instant("as_of", as_of)


Asked = Annotated[FiguresAsked, Depends(asked)]
Then = Annotated[int | None, Depends(then)]


def routes(past: Past, as_parquet: Form) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["figures"])

    @router.get("/queues/{queue}/now")
    async def now(queue: Annotated[str, Path(pattern=ID)], caller: Reader, as_of: Then) -> Json:
        """A queue now, or as it stood at ``as_of``: the wallboard's row. Ratios are 0..1, durations seconds."""
        return shown_now(await past.now(caller.tenant, queue, as_of))

    @router.get("/figures")
    async def figures(
        caller: Reader, given: Asked, as_of: Then, accept: Annotated[str, Header()] = ""
    ) -> StreamingResponse:
        """Figures of every interval that the period touches; ``Accept: text/csv`` gives the same flat."""
        answer = await past.ask(caller.tenant, given, as_of)
        flat = "text/csv" in accept
        return await _sent(answer, as_csv(answer) if flat else as_json(answer), CSV if flat else JSON)

    @router.get("/figures.parquet")
    async def parquet(caller: Reader, given: Asked, as_of: Then) -> StreamingResponse:
        """The same flat as a Parquet file."""
        answer = await past.ask(caller.tenant, given, as_of)
        return await _sent(answer, as_parquet(answer), PARQUET)

    @router.get("/formulas")
    async def formulas(caller: Reader) -> list[Json]:
        """Every formula by its id, with what people call it."""
        return [{"id": name, "zh": label.zh, "en": label.en} for name, label in LABELS.items()]

    return router


async def _sent(answer: Answer, found: AsyncIterator[bytes], media_type: str) -> StreamingResponse:
    """A body of any length, made while it is sent; what fails before its second piece fails as an answer should."""
    first = [await anext(found), await anext(found, b"")]

    async def body() -> AsyncIterator[bytes]:
        for chunk in first:
            yield chunk
        async for chunk in found:
            yield chunk

    head = {f"x-figures-{name.replace('_', '-')}": value for name, value in head_words(answer).items()}
    return StreamingResponse(body(), media_type=media_type, headers=head | {"vary": "accept"})


def words(given: Iterable[str]) -> tuple[str, ...]:
    """Without repeats, in the order given."""
    return tuple(dict.fromkeys(word.strip() for text in given for word in text.split(",") if word.strip()))


def channels(found: tuple[str, ...]) -> tuple[str, ...]:
    for word in found:
        if word not in wire.CHANNEL_NUMBERS:
            known = ", ".join(wire.CHANNEL_NUMBERS)
            raise Rejected("UNKNOWN_CHANNEL", f"{word[:40]!r} is none of {known}", invalid=True)
    return found


def instant(name: str, at: datetime | None) -> int | None:
    """Epoch milliseconds; raises ``Rejected`` (bad input) for a time without offset."""
    if at is None:
        return None
    if at.tzinfo is None:
        raise Rejected("BAD_TIME", f"{name} needs an offset, such as 2026-01-01T00:00:00Z", invalid=True)
    return (at - EPOCH) // timedelta(milliseconds=1)
