"""References, links, merges and erasure over HTTP."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Request
from fastapi.responses import Response

from switchlog.auth.principal import Principal
from switchlog.web import answer, cause_of, require

from ..app.handlers import Customers
from ..app.ports import LastAgents
from ..app.references import References
from ..app.secrets import Secrets
from ..app.shown import shown_agent, shown_customer
from .schemas import ID, ErasureIn, LinkIn, MergeIn, ResolveIn

Ref = Annotated[str, Path(pattern=ID)]
Service = Annotated[Principal, Depends(require("service"))]
Admin = Annotated[Principal, Depends(require("admin"))]
Caretaker = Annotated[Principal, Depends(require("supervisor", "admin", "service"))]
Reader = Annotated[Principal, Depends(require("agent", "supervisor", "admin", "service"))]


def routes(customers: Customers, references: References, secrets: Secrets, last_agents: LastAgents) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["customers"])

    @router.post("/customers:resolve")
    async def resolve(body: ResolveIn, request: Request, caller: Service) -> dict[str, Any]:
        """The reference of an address, made if it is new; anonymous: always a new one."""
        cause = cause_of(request, caller, body)
        if body.kind is None:
            found = await references.anonymous(caller.tenant, cause)
        else:
            identity = await secrets.identity(caller.tenant, body.kind, body.address)
            found = await references.of(caller.tenant, identity, cause)
        where = {"stream": found.answer.stream.name, "version": found.answer.version}
        served_by = shown_agent(await last_agents.get(caller.tenant, found.customer_ref))
        return {"customer_ref": found.customer_ref, "created": found.created, "last_agent": served_by, **where}

    @router.get("/customers/{ref}")
    async def show(ref: Ref, caller: Reader) -> dict[str, Any]:
        """What is known of a reference: no address, no text."""
        shown = shown_customer(*await customers.show(caller.tenant, ref))
        return shown | {"last_agent": shown_agent(await last_agents.get(caller.tenant, ref))}

    @router.post("/customers/{ref}:link")
    async def link(ref: Ref, body: LinkIn, request: Request, caller: Caretaker) -> Response:
        """An address leads to this reference from now on."""
        identity = await secrets.identity(caller.tenant, body.kind, body.address)
        return answer(await customers.link(caller.tenant, ref, identity, cause_of(request, caller, body)))

    @router.post("/customers/{ref}:merge")
    async def merge(ref: Ref, body: MergeIn, request: Request, caller: Caretaker) -> Response:
        """Two references are one person."""
        cause = cause_of(request, caller, body)
        return answer(await customers.merge(caller.tenant, ref, body.merged_ref, cause))

    @router.post("/customers/{ref}:request-erasure")
    async def request_erasure(ref: Ref, request: Request, caller: Admin, body: ErasureIn | None = None) -> Response:
        """The first of two admins asks to erase a person."""
        cause = cause_of(request, caller, body)
        return answer(await customers.request_erasure(caller.tenant, ref, body.reason if body else "", cause))

    @router.post("/customers/{ref}:approve-erasure")
    async def approve_erasure(ref: Ref, request: Request, caller: Admin) -> Response:
        """The second: when this is answered, the key is gone."""
        return answer(await customers.approve_erasure(caller.tenant, ref, cause_of(request, caller)))

    return router
