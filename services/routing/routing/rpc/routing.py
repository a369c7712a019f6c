"""``RoutingService``: the HTTP API again."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import Any, TypeVar

from google.protobuf.message import Message

from contactcenter.bus.v1.command_pb2 import CommandAnswer, CommandContext
from contactcenter.routing.v1 import service_pb2 as api
from contactcenter.routing.v1.config_pb2 import HoursDefinition, QueueDefinition
from contactcenter.routing.v1.service_pb2_grpc import RoutingServiceServicer, add_RoutingServiceServicer_to_server
from switchlog.auth.principal import Principal
from switchlog.clock import Clock
from switchlog.envelope import Cause
from switchlog.errors import Rejected
from switchlog.ids import checked_id, command_id, new_id
from switchlog.rpc import Servicer, caller
from switchlog.telemetry import current_traceparent

from ..adapters.defined import hours_of, nonsense, pairs, queue_of, workflow_of
from ..app import shown
from ..app.boards import Boards
from ..app.handlers import Desk, pool_stream
from ..app.orders import Answered
from ..app.ports import OfferRow, QueueRow
from ..app.supervision import Asker, Supervisors, teams_of
from ..app.why import Why
from ..domain.commands import ChoosePolicy
from .why import explain

SERVES = ("agent", "supervisor")
READS = ("agent", "supervisor", "admin", "analyst", "service")
PAGE = 100


def routing_servicer(desk: Desk, boards: Boards, why: Why, clock: Clock, supervisors: Supervisors) -> Servicer:
    return add_RoutingServiceServicer_to_server, Routing(desk, boards, why, clock, supervisors)


@dataclass(frozen=True)
class Routing(RoutingServiceServicer):
    desk: Desk
    boards: Boards
    why: Why
    clock: Clock
    supervisors: Supervisors

    async def AcceptOffer(self, request: api.AcceptOfferRequest, context: Any) -> api.AcceptOfferResponse:
        who, cause = _asked(request, "AcceptOffer", SERVES)
        done = await self.desk.accept(who.tenant, checked_id(request.offer_id, "offer"), who.subject, cause)
        return api.AcceptOfferResponse(answer=_answer(done), command_id=cause.command_id)

    async def DeclineOffer(self, request: api.DeclineOfferRequest, context: Any) -> api.DeclineOfferResponse:
        who, cause = _asked(request, "DeclineOffer", SERVES)
        offer = checked_id(request.offer_id, "offer")
        done = await self.desk.decline(who.tenant, offer, who.subject, request.reason[:64], cause)
        return api.DeclineOfferResponse(answer=_answer(done), command_id=cause.command_id)

    async def DefineQueue(self, request: api.DefineQueueRequest, context: Any) -> api.DefineQueueResponse:
        who, cause = _asked(request, "DefineQueue", ("admin",))
        queue = queue_of(_sound(request.definition))
        done = await self.desk.define_queue(who.tenant, request.pool, queue, cause)
        return api.DefineQueueResponse(answer=_answer(done), command_id=cause.command_id)

    async def DefineHours(self, request: api.DefineHoursRequest, context: Any) -> api.DefineHoursResponse:
        who, cause = _asked(request, "DefineHours", ("admin",))
        hours = hours_of(_sound(request.definition))
        checked_id(hours.id, "hours")
        done = await self.desk.define_hours(who.tenant, [request.pool], hours, cause, removed=request.removed)
        return api.DefineHoursResponse(answer=_answer(done), command_id=cause.command_id)

    async def DefineWorkflow(self, request: api.DefineWorkflowRequest, context: Any) -> api.DefineWorkflowResponse:
        who, cause = _asked(request, "DefineWorkflow", ("admin",))
        workflow = workflow_of(request.definition)
        checked_id(workflow.id, "workflow")
        done = await self.desk.define_workflow(who.tenant, request.pool, workflow, cause, removed=request.removed)
        return api.DefineWorkflowResponse(answer=_answer(done), command_id=cause.command_id)

    async def ChoosePolicy(self, request: api.ChoosePolicyRequest, context: Any) -> api.ChoosePolicyResponse:
        who, cause = _asked(request, "ChoosePolicy", ("admin", "supervisor"))
        order = ChoosePolicy(
            request.policy,
            cause.command_id,
            queue=request.queue,
            parameters=pairs(request.parameters),
            reason=request.reason,
            teams=teams_of(who),
        )
        done = await self.desk.choose_policy(who.tenant, request.pool, order, cause)
        return api.ChoosePolicyResponse(answer=_answer(done), command_id=cause.command_id)

    async def MoveContact(self, request: api.MoveContactRequest, context: Any) -> api.MoveContactResponse:
        who, id = _asker(request, "MoveContact", ("supervisor",))
        to_queue = checked_id(request.to_queue, "queue")
        done = await self.supervisors.move(who, checked_id(request.contact, "contact"), to_queue)
        return api.MoveContactResponse(answer=_answer(done), command_id=id)

    async def PullContact(self, request: api.PullContactRequest, context: Any) -> api.PullContactResponse:
        who, id = _asker(request, "PullContact", ("supervisor",))
        agent = checked_id(request.agent, "agent")
        done = await self.supervisors.pull(who, checked_id(request.contact, "contact"), agent)
        return api.PullContactResponse(answer=_answer(done), command_id=id)

    async def RaisePriority(self, request: api.RaisePriorityRequest, context: Any) -> api.RaisePriorityResponse:
        who, id = _asker(request, "RaisePriority", ("supervisor",))
        contact = checked_id(request.contact, "contact")
        done = await self.supervisors.raise_priority(who, contact, request.priority, request.credit_ms)
        return api.RaisePriorityResponse(answer=_answer(done), command_id=id)

    async def RequestCallback(self, request: api.RequestCallbackRequest, context: Any) -> api.RequestCallbackResponse:
        who, id = _asker(request, "RequestCallback", ("supervisor", "service"))
        done = await self.supervisors.call_back(who, checked_id(request.contact, "contact"))
        return api.RequestCallbackResponse(answer=_answer(done), command_id=id)

    async def SetQueueOpen(self, request: api.SetQueueOpenRequest, context: Any) -> api.SetQueueOpenResponse:
        who, id = _asker(request, "SetQueueOpen", ("supervisor", "admin"))
        done = await self.supervisors.set_open(who, checked_id(request.queue, "queue"), open=request.open)
        return api.SetQueueOpenResponse(answer=_answer(done), command_id=id)

    async def RemoveQueue(self, request: api.RemoveQueueRequest, context: Any) -> api.RemoveQueueResponse:
        who, id = _asker(request, "RemoveQueue", ("supervisor", "admin"))
        to_pool = checked_id(request.to_pool, "pool") if request.to_pool else ""
        done = await self.supervisors.remove(who, checked_id(request.queue, "queue"), to_pool)
        return api.RemoveQueueResponse(answer=_answer(done), command_id=id)

    async def GetOffer(self, request: api.GetOfferRequest, context: Any) -> api.GetOfferResponse:
        who = caller(request.tenant_id, *READS)
        return api.GetOfferResponse(offer=_offer(await self.desk.offer(who.tenant, request.offer_id)))

    async def GetQueueState(self, request: api.GetQueueStateRequest, context: Any) -> api.GetQueueStateResponse:
        who = caller(request.tenant_id, *READS)
        row = await self.desk.queue(who.tenant, request.queue)
        return api.GetQueueStateResponse(queue=await self._queue(who.tenant, row))

    async def ListQueues(self, request: api.ListQueuesRequest, context: Any) -> api.ListQueuesResponse:
        who = caller(request.tenant_id, *READS)
        size = min(request.page.size or PAGE, PAGE)
        rows = await self.desk.queues.all(who.tenant, request.page.after, size)
        shown_rows = [await self._queue(who.tenant, row) for row in rows if request.pool in ("", row.pool)]
        return api.ListQueuesResponse(queues=shown_rows, next=rows[-1].queue if len(rows) == size else "")

    async def ExplainContact(self, request: api.ExplainContactRequest, context: Any) -> api.ExplainContactResponse:
        who = caller(request.tenant_id, *READS)
        return await explain(self.why, checked_id(request.contact, "contact"), request.lang, who)

    async def _queue(self, tenant: str, row: QueueRow) -> api.QueueView:
        opened, now = await self.boards.now(pool_stream(tenant, row.pool)), self.clock.now()
        counts = shown.queue_counts(opened, row.queue, now)
        definition = QueueDefinition.FromString(row.definition)
        view = api.QueueView(queue=row.queue, pool=row.pool, version=opened.head, definition=definition, **counts)
        view.at.FromMilliseconds(now)
        return view


D = TypeVar("D", QueueDefinition, HoursDefinition)


def _sound(definition: D) -> D:
    if wrong := nonsense(definition):
        raise Rejected("BAD_DEFINITION", wrong, invalid=True)
    return definition


def _asked(request: Any, method: str, roles: tuple[str, ...]) -> tuple[Principal, Cause]:
    context: CommandContext = request.context
    who = caller(context.tenant_id, *roles)
    return who, _cause(who, method, context, request)


def _asker(request: Any, method: str, roles: tuple[str, ...]) -> tuple[Asker, str]:
    """Whose order it is, and the command's id."""
    who, cause = _asked(request, method, roles)
    return Asker(who.tenant, cause, teams_of(who), request.reason[:64]), cause.command_id


def _cause(who: Principal, method: str, context: CommandContext, request: Message) -> Cause:
    key = context.idempotency_key or new_id()
    return Cause(
        command_id=command_id(who.tenant, who.subject, f"RPC {method}", key),
        digest=sha256(request.SerializeToString(deterministic=True)).hexdigest(),
        actor=who.subject,
        traceparent=current_traceparent(),
    )


def _answer(done: Answered) -> CommandAnswer:
    return CommandAnswer(stream=done.stream.name, version=done.version, repeated_command=done.repeated)


def _offer(row: OfferRow) -> api.OfferView:
    view = api.OfferView(
        offer_id=row.offer_id,
        state=row.state,
        contact=row.contact,
        leg=row.leg,
        queue=row.queue,
        pool=row.pool,
        agent=row.agent,
        version=row.version,
    )
    view.offered_at.FromMilliseconds(row.offered_at)
    view.expires_at.FromMilliseconds(row.expires_at)
    return view
