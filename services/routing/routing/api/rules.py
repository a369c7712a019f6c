"""Opening hours, workflows and the names of skills: what queues are told by."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import Response

from switchlog.auth.principal import Principal
from switchlog.clock import Clock
from switchlog.errors import NotFound, Rejected
from switchlog.web import answer, cause_of, require

from ..adapters.defined import hours_definition_of, hours_of, workflow_definition_of, workflow_of
from ..adapters.definitions import hours_definition, hours_form, workflow_definition, workflow_form
from ..app.catalogue import Catalogue
from ..app.handlers import Desk
from ..domain.definitions import Hours, Workflow
from ..projections.skills import Skill, SkillNames
from .schemas import (
    AllHoursOut,
    HoursOut,
    Id,
    NameIn,
    PoolHoursIn,
    SkillOut,
    SkillsOut,
    WorkflowIn,
    WorkflowOut,
    WorkflowsOut,
)

Admin = Annotated[Principal, Depends(require("admin"))]
Floor = Annotated[Principal, Depends(require("supervisor", "admin", "analyst", "service"))]


def hours(desk: Desk, catalogue: Catalogue) -> APIRouter:
    router = APIRouter(prefix="/v1/hours", tags=["opening hours"])

    @router.put("/{id}")
    async def put(id: Id, body: PoolHoursIn, request: Request, caller: Admin) -> Response:
        """Create or replace opening hours in each of ``pools``."""
        told = hours_of(hours_definition(id, body))
        return answer(await desk.define_hours(caller.tenant, body.pools, told, cause_of(request, caller, body)))

    @router.delete("/{id}")
    async def remove(id: Id, request: Request, caller: Admin) -> Response:
        """Out of every pool; 409 while a queue names them."""
        told, pools = await _hours_of(catalogue, caller.tenant, id)
        return answer(await desk.define_hours(caller.tenant, pools, told, cause_of(request, caller), removed=True))

    @router.get("")
    async def many(caller: Floor) -> AllHoursOut:
        found = await catalogue.hours(caller.tenant)
        return AllHoursOut(hours=[_shown_hours(id, *told) for id, told in found.items()])

    @router.get("/{id}")
    async def one(id: Id, caller: Floor) -> HoursOut:
        return _shown_hours(id, *await _hours_of(catalogue, caller.tenant, id))

    return router


def workflows(desk: Desk, catalogue: Catalogue) -> APIRouter:
    router = APIRouter(prefix="/v1/workflows", tags=["workflows"])

    @router.put("/{id}")
    async def put(id: Id, body: WorkflowIn, request: Request, caller: Admin) -> Response:
        """Create or replace a workflow; it stays in its pool, and counts for contacts queued from then on."""
        standing = (await catalogue.workflows(caller.tenant)).get(id)
        if standing and standing[1] != body.pool:
            raise Rejected("WORKFLOW_IN_ANOTHER_POOL", standing[1])
        told = workflow_of(workflow_definition(id, body))
        return answer(await desk.define_workflow(caller.tenant, body.pool, told, cause_of(request, caller, body)))

    @router.delete("/{id}")
    async def remove(id: Id, request: Request, caller: Admin) -> Response:
        """409 while a queue names it."""
        told, pool = await _workflow_of(catalogue, caller.tenant, id)
        return answer(await desk.define_workflow(caller.tenant, pool, told, cause_of(request, caller), removed=True))

    @router.get("")
    async def many(caller: Floor) -> WorkflowsOut:
        found = await catalogue.workflows(caller.tenant)
        return WorkflowsOut(workflows=[_shown_workflow(id, *told) for id, told in found.items()])

    @router.get("/{id}")
    async def one(id: Id, caller: Floor) -> WorkflowOut:
        return _shown_workflow(id, *await _workflow_of(catalogue, caller.tenant, id))

    return router


def skills(names: SkillNames, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1/skills", tags=["skills"])

    @router.put("/{id}")
    async def put(id: Id, body: NameIn, caller: Admin) -> SkillOut:
        """Create or rename; repeating it changes nothing."""
        await names.put(caller.tenant, Skill(id, body.name), clock.now())
        return SkillOut(skill=id, name=body.name)

    @router.get("")
    async def many(caller: Floor) -> SkillsOut:
        return SkillsOut(skills=[SkillOut(skill=one.skill, name=one.name) for one in await names.all(caller.tenant)])

    @router.get("/{id}")
    async def one(id: Id, caller: Floor) -> SkillOut:
        found = await names.get(caller.tenant, id)
        return SkillOut(skill=found.skill, name=found.name)

    return router


async def _hours_of(catalogue: Catalogue, tenant: str, id: str) -> tuple[Hours, list[str]]:
    found = (await catalogue.hours(tenant)).get(id)
    if found is None:
        raise NotFound(detail=id)
    return found


async def _workflow_of(catalogue: Catalogue, tenant: str, id: str) -> tuple[Workflow, str]:
    found = (await catalogue.workflows(tenant)).get(id)
    if found is None:
        raise NotFound(detail=id)
    return found


def _shown_hours(id: str, told: Hours, pools: list[str]) -> HoursOut:
    form = hours_form(hours_definition_of(told))
    return HoursOut(hours=id, pools=pools, **form.model_dump())


def _shown_workflow(id: str, told: Workflow, pool: str) -> WorkflowOut:
    return WorkflowOut(workflow=id, **workflow_form(workflow_definition_of(told), pool).model_dump())
