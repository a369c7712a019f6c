"""Administration of the public doors and of their opening hours."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends

from switchlog.auth.principal import Principal
from switchlog.clock import Clock
from switchlog.decider import Rejected
from switchlog.errors import NotFound
from switchlog.web import require

from ..app.ports import EntryPoint, EntryPoints, Hours, OpeningHours
from .schemas import EntryPointIn, EntryPointOut, HoursIn, HoursOut, Id

Admin = Annotated[Principal, Depends(require("admin"))]


def routes(entry_points: EntryPoints, opening: OpeningHours, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1/entry-points", tags=["entry points"])

    @router.put("/{id}")
    async def put(id: Id, body: EntryPointIn, caller: Admin) -> EntryPointOut:
        """Create or replace; repeating it changes nothing."""
        if body.hours:
            await _known(opening, caller.tenant, body.hours)
        door = msgspec.convert({**body.model_dump(), "tenant": caller.tenant, "id": id}, EntryPoint)
        await entry_points.put(door, clock.now())
        return _shown(door)

    @router.get("")
    async def all_doors(caller: Admin) -> list[EntryPointOut]:
        return [_shown(door) for door in await entry_points.all(caller.tenant)]

    @router.get("/{id}")
    async def one(id: Id, caller: Admin) -> EntryPointOut:
        return _shown(await entry_points.get(caller.tenant, id))

    return router


def hours(opening: OpeningHours, clock: Clock) -> APIRouter:
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


async def _known(opening: OpeningHours, tenant: str, id: str) -> None:
    try:
        await opening.get(tenant, id)
    except NotFound:
        raise Rejected("HOURS_UNKNOWN", id, invalid=True) from None


def _told(told: Hours) -> HoursOut:
    return HoursOut.model_validate({key: value for key, value in asdict(told).items() if key != "tenant"})


def _shown(door: EntryPoint) -> EntryPointOut:
    return EntryPointOut.model_validate(asdict(door))
