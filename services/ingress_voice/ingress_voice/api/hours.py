"""Opening hours of access numbers, for administrators."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter, Depends
from pydantic import Field, model_validator

from switchlog.auth.principal import Principal
from switchlog.calendars import calendar
from switchlog.clock import Clock
from switchlog.decider import Rejected
from switchlog.errors import NotFound
from switchlog.web import Body, require

from ..app.ports import Hours, OpeningHours

Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._@-]{0,63}$")]
Span = Annotated[str, Field(pattern=r"^[0-2][0-9]:[0-5][0-9]-[0-2][0-9]:[0-5][0-9]$")]
Spans = Annotated[list[Span], Field(max_length=16)]
Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
Name = Annotated[str, Field(max_length=128)]
Admin = Annotated[Principal, Depends(require("admin"))]


class HolidayIn(Body):
    name: Name = ""
    spans: Spans = []


class HoursIn(Body):
    """Opening hours: spans such as ``09:00-12:30`` by week day and, instead, by date; else closed."""

    name: Name = ""
    time_zone: Annotated[str, Field(max_length=64)]
    weekly: dict[Day, Spans] = {}
    holidays: Annotated[dict[str, HolidayIn], Field(max_length=1000)] = {}

    @model_validator(mode="after")
    def makes_sense(self) -> HoursIn:
        dates = {date: holiday.spans for date, holiday in self.holidays.items()}
        calendar(self.time_zone, {str(day): spans for day, spans in self.weekly.items()}, dates)
        return self


class HoursOut(HoursIn):
    id: str


def routes(opening: OpeningHours, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1/hours", tags=["opening hours"])

    @router.put("/{id}")
    async def put(id: Id, body: HoursIn, caller: Admin) -> HoursOut:
        """Create or replace; repeating it changes nothing."""
        told = msgspec.convert({**body.model_dump(), "tenant": caller.tenant, "id": id}, Hours)
        await opening.put(told, clock.now())
        return _told(told)

    @router.get("")
    async def all_hours(caller: Admin) -> list[HoursOut]:
        return [_told(told) for told in await opening.all(caller.tenant)]

    @router.get("/{id}")
    async def one(id: Id, caller: Admin) -> HoursOut:
        return _told(await opening.get(caller.tenant, id))

    return router


async def check_known(opening: OpeningHours, tenant: str, id: str) -> None:
    """Raises ``Rejected("HOURS_UNKNOWN")``."""
    try:
        await opening.get(tenant, id)
    except NotFound:
        raise Rejected("HOURS_UNKNOWN", id, invalid=True) from None


def _told(told: Hours) -> HoursOut:
    return HoursOut.model_validate({key: value for key, value in asdict(told).items() if key != "tenant"})
