"""Administration of the public doors."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends

from switchlog.auth.principal import Principal
from switchlog.clock import Clock
from switchlog.web import require

from ..app.ports import EntryPoint, EntryPoints
from .schemas import EntryPointIn, EntryPointOut, Id

Admin = Annotated[Principal, Depends(require("admin"))]


def routes(entry_points: EntryPoints, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1/entry-points", tags=["entry points"])

    @router.put("/{id}")
    async def put(id: Id, body: EntryPointIn, caller: Admin) -> EntryPointOut:
        """Create or replace; repeating it changes nothing."""
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


def _shown(door: EntryPoint) -> EntryPointOut:
    return EntryPointOut.model_validate(asdict(door))
