"""CustomerService: the only service that others may ask for truth."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contactcenter.customer.v1 import service_pb2 as pb
from contactcenter.customer.v1.events_pb2 import IDENTITY_KIND_ANONYMOUS
from contactcenter.customer.v1.service_pb2_grpc import CustomerServiceServicer
from switchlog import rpc
from switchlog.decider import Rejected
from switchlog.errors import NotFound
from switchlog.rpc_commands import answer, caller_of, cause_of, checked
from switchlog.seal import Erased as KeyErased

from .. import wire
from ..app.handlers import Customers
from ..app.ports import LastAgent, LastAgents
from ..app.references import References, Resolved
from ..app.secrets import Secrets
from ..domain.events import Identity
from ..domain.state import CustomerState, Erased, Known

CARETAKERS = ("supervisor", "admin", "service")


@dataclass(frozen=True)
class CustomersByRpc(CustomerServiceServicer):
    customers: Customers
    references: References
    secrets: Secrets
    last_agents: LastAgents

    async def ResolveReference(self, request: pb.ResolveReferenceRequest, context: Any) -> pb.ResolveReferenceResponse:
        caller = caller_of(request, "service")
        found = await self._resolve(caller.tenant, request, cause_of(request, caller))
        served_by = await self.last_agents.get(caller.tenant, found.customer_ref)
        return pb.ResolveReferenceResponse(
            answer=answer(found.answer),
            customer_ref=found.customer_ref,
            created=found.created,
            last_agent=_last_agent(served_by) if served_by else None,
        )

    async def GetSubjectKey(self, request: pb.GetSubjectKeyRequest, context: Any) -> pb.GetSubjectKeyResponse:
        tenant, ref = rpc.caller(checked(request).tenant_id, "service").tenant, request.customer_ref
        if request.key_id not in ("", ref):
            raise NotFound("UNKNOWN_KEY")
        try:
            key = await self.secrets.key(tenant, ref)
        except KeyErased:
            return pb.GetSubjectKeyResponse(key_id=ref, erased=True, customer_ref=ref)
        standing = await self.references.standing(tenant, ref)
        return pb.GetSubjectKeyResponse(key_id=ref, key=key.secret, customer_ref=standing or ref)

    async def LinkIdentity(self, request: pb.LinkIdentityRequest, context: Any) -> pb.LinkIdentityResponse:
        caller = caller_of(request, *CARETAKERS)
        identity = await self._identity(caller.tenant, request)
        done = await self.customers.link(caller.tenant, request.customer_ref, identity, cause_of(request, caller))
        return pb.LinkIdentityResponse(answer=answer(done))

    async def MergeCustomers(self, request: pb.MergeCustomersRequest, context: Any) -> pb.MergeCustomersResponse:
        caller = caller_of(request, *CARETAKERS)
        cause = cause_of(request, caller)
        done = await self.customers.merge(caller.tenant, request.customer_ref, request.merged_ref, cause)
        return pb.MergeCustomersResponse(answer=answer(done))

    async def RequestErasure(self, request: pb.RequestErasureRequest, context: Any) -> pb.RequestErasureResponse:
        caller = caller_of(request, "admin")
        cause = cause_of(request, caller)
        done = await self.customers.request_erasure(caller.tenant, request.customer_ref, request.reason, cause)
        state, _ = await self.customers.show(caller.tenant, request.customer_ref)
        return pb.RequestErasureResponse(answer=answer(done), request_id=_request_id(state))

    async def EraseCustomer(self, request: pb.EraseCustomerRequest, context: Any) -> pb.EraseCustomerResponse:
        caller = caller_of(request, "admin")
        cause = cause_of(request, caller)
        done = await self.customers.approve_erasure(caller.tenant, request.customer_ref, cause, request.request_id)
        return pb.EraseCustomerResponse(answer=answer(done))

    async def GetCustomer(self, request: pb.GetCustomerRequest, context: Any) -> pb.GetCustomerResponse:
        caller = rpc.caller(checked(request).tenant_id, "agent", *CARETAKERS)
        view = _view(*await self.customers.show(caller.tenant, request.customer_ref))
        served_by = await self.last_agents.get(caller.tenant, request.customer_ref)
        if served_by:
            view.last_agent.CopyFrom(_last_agent(served_by))
        return pb.GetCustomerResponse(customer=view)

    async def _resolve(self, tenant: str, request: pb.ResolveReferenceRequest, cause: Any) -> Resolved:
        if request.kind == IDENTITY_KIND_ANONYMOUS:
            return await self.references.anonymous(tenant, cause)
        return await self.references.of(tenant, await self._identity(tenant, request), cause)

    async def _identity(self, tenant: str, request: Any) -> Identity:
        kind = wire.kind_word(request.kind)
        if kind is None:
            raise Rejected("BAD_KIND", "state what kind of address this is", invalid=True)
        return await self.secrets.identity(tenant, kind, request.identity)


def _request_id(state: CustomerState) -> str:
    match state:
        case Known(erasure=asked):
            return asked.id if asked else ""
        case Erased(request=asked):
            return asked.id
        case _:
            return ""


def _last_agent(by: LastAgent) -> pb.LastAgent:
    told = pb.LastAgent(agent=by.agent, queue=by.queue)
    told.served_at.FromMilliseconds(by.served_at)
    return told


def _view(state: CustomerState, version: int) -> pb.CustomerView:
    match state:
        case Known(ref, identities, merged_into):
            kinds = sorted(wire.kind_number(identity.kind) for identity in identities)
            return pb.CustomerView(
                customer_ref=ref,
                version=version,
                identities=kinds,
                merged_into=merged_into,
                erasure_request_id=_request_id(state),
            )
        case Erased(ref):
            return pb.CustomerView(customer_ref=ref, version=version, erased=True)
        case _:
            raise NotFound
