"""AgentService: agents' commands and queries for other languages and for the console."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import grpc

from contactcenter.agent.v1 import events_pb2 as events
from contactcenter.agent.v1 import service_pb2 as pb
from contactcenter.agent.v1.service_pb2_grpc import AgentServiceServicer
from switchlog import rpc
from switchlog.auth.principal import Principal
from switchlog.decider import Rejected
from switchlog.errors import Forbidden
from switchlog.rpc_commands import answer, caller_of, cause_of, checked, expected
from switchlog.writer import Answer

from .. import wire
from ..app.handlers import Agents
from ..app.sight import check_team, sees
from ..domain.commands import (
    AgentCommand,
    ApproveBreak,
    BeNotReady,
    BeReady,
    ChangePool,
    CheckIn,
    CheckOut,
    EndWrapUp,
    ForcedState,
    ForceState,
    RegisterAgent,
    RequestBreak,
    SignIn,
    SignOut,
)
from ..domain.events import Card, Forced
from ..domain.state import Agent, NotReady, Work, standing
from ..projections.roster import Roster

PAGE = 100
NOT_YET = grpc.StatusCode.UNIMPLEMENTED, "raising hands is not built yet"


@dataclass(frozen=True)
class AgentsByRpc(AgentServiceServicer):
    agents: Agents
    roster: Roster

    # -- admins --------------------------------------------------------------------------------------------------------

    async def DefineAgent(self, request: pb.DefineAgentRequest, context: Any) -> pb.DefineAgentResponse:
        caller = caller_of(request, "admin", "service")
        done = await self.agents.register(
            caller.tenant, _defined(request), cause_of(request, caller), expected(request)
        )
        return pb.DefineAgentResponse(answer=answer(done))

    async def ChangePool(self, request: pb.ChangePoolRequest, context: Any) -> pb.ChangePoolResponse:
        if not request.to_pool:
            raise Rejected("POOL_NEEDED", "an agent is always in a pool", invalid=True)
        caller = caller_of(request, "admin", "service")
        return pb.ChangePoolResponse(answer=await self._give(request, caller, ChangePool(request.to_pool)))

    # -- the agent itself, or a service on its behalf ------------------------------------------------------------------

    async def SignIn(self, request: pb.SignInRequest, context: Any) -> pb.SignInResponse:
        return pb.SignInResponse(answer=await self._own(request, SignIn()))

    async def CheckIn(self, request: pb.CheckInRequest, context: Any) -> pb.CheckInResponse:
        mode = wire.mode_word(request.mode)
        if mode is None:
            raise Rejected("MODE_NEEDED", invalid=True)
        return pb.CheckInResponse(answer=await self._own(request, CheckIn(mode)))

    async def SetReady(self, request: pb.SetReadyRequest, context: Any) -> pb.SetReadyResponse:
        return pb.SetReadyResponse(answer=await self._own(request, BeReady()))

    async def SetNotReady(self, request: pb.SetNotReadyRequest, context: Any) -> pb.SetNotReadyResponse:
        return pb.SetNotReadyResponse(answer=await self._own(request, BeNotReady(request.reason, request.planned)))

    async def EndWrapUp(self, request: pb.EndWrapUpRequest, context: Any) -> pb.EndWrapUpResponse:
        return pb.EndWrapUpResponse(answer=await self._own(request, EndWrapUp(request.contact)))

    async def CheckOut(self, request: pb.CheckOutRequest, context: Any) -> pb.CheckOutResponse:
        return pb.CheckOutResponse(answer=await self._own(request, CheckOut()))

    async def SignOut(self, request: pb.SignOutRequest, context: Any) -> pb.SignOutResponse:
        return pb.SignOutResponse(answer=await self._own(request, SignOut()))

    async def RequestBreak(self, request: pb.RequestBreakRequest, context: Any) -> pb.RequestBreakResponse:
        caller = _self(request)
        break_id = cause_of(request, caller).command_id
        done = await self._give(request, caller, RequestBreak(break_id, request.reason))
        return pb.RequestBreakResponse(answer=done, break_id=break_id)

    # -- supervisors ---------------------------------------------------------------------------------------------------

    async def ApproveBreak(self, request: pb.ApproveBreakRequest, context: Any) -> pb.ApproveBreakResponse:
        caller = await self._supervisor(request)
        return pb.ApproveBreakResponse(answer=await self._give(request, caller, ApproveBreak(caller.subject)))

    async def ForceState(self, request: pb.ForceStateRequest, context: Any) -> pb.ForceStateResponse:
        caller = await self._supervisor(request)
        return pb.ForceStateResponse(answer=await self._give(request, caller, _forced(request, caller.subject)))

    # -- queries -------------------------------------------------------------------------------------------------------

    async def GetAgent(self, request: pb.GetAgentRequest, context: Any) -> pb.GetAgentResponse:
        caller = rpc.caller(checked(request).tenant_id)
        agent, version = await self.agents.known(caller.tenant, request.agent)
        if caller.subject != request.agent:
            check_team(caller, agent.profile.team)
        return pb.GetAgentResponse(agent=_view(agent, version))

    async def ListAgents(self, request: pb.ListAgentsRequest, context: Any) -> pb.ListAgentsResponse:
        caller = rpc.caller(checked(request).tenant_id, "supervisor", "admin", "service")
        size = request.page.size or PAGE
        found: list[pb.AgentView] = []
        async for row in self.roster.of(caller.tenant, request.page.after):
            wanted = request.team in ("", row["team"]) and request.pool in ("", row["pool"])
            if wanted and sees(caller, row["team"]):
                if len(found) == size:
                    return pb.ListAgentsResponse(agents=found, next=found[-1].agent)
                found.append(_view(*await self.agents.known(caller.tenant, row["agent"])))
        return pb.ListAgentsResponse(agents=found)

    # -- not yet -------------------------------------------------------------------------------------------------------

    async def RequestHelp(self, request: pb.RequestHelpRequest, context: Any) -> pb.RequestHelpResponse:
        await context.abort(*NOT_YET)
        return pb.RequestHelpResponse()

    async def GiveHelp(self, request: pb.GiveHelpRequest, context: Any) -> pb.GiveHelpResponse:
        await context.abort(*NOT_YET)
        return pb.GiveHelpResponse()

    # -- shared --------------------------------------------------------------------------------------------------------

    async def _own(self, request: Any, command: AgentCommand) -> Any:
        return await self._give(request, _self(request), command)

    async def _give(self, request: Any, caller: Principal, command: AgentCommand) -> Any:
        cause = cause_of(request, caller)
        done: Answer = await self.agents.command(caller.tenant, request.agent, command, cause, expected(request))
        return answer(done)

    async def _supervisor(self, request: Any) -> Principal:
        caller = caller_of(request, "supervisor", "service")
        agent, _ = await self.agents.known(caller.tenant, request.agent)
        check_team(caller, agent.profile.team)
        return caller


def _self(request: Any) -> Principal:
    caller = caller_of(request, "agent", "supervisor", "service")
    if caller.subject != request.agent and not caller.has("service"):
        raise Forbidden("NOT_YOURSELF")
    return caller


def _defined(request: pb.DefineAgentRequest) -> RegisterAgent:
    card = Card(
        request.name,
        request.wrap_up_ms,
        request.ready_after_wrap_up,
        request.priority,
        tuple(request.queues),
        tuple(request.languages),
        wire.read_ranks(request.queue_ranks),
        wire.read_attributes(request.attributes),
    )
    skills, capacity = wire.read_skills(request.skills), wire.read_capacity(request)
    return RegisterAgent(request.agent, card, request.team, request.pool, skills, capacity)


FORCED = {
    events.AGENT_STATE_READY: ForcedState.READY,
    events.AGENT_STATE_NOT_READY: ForcedState.NOT_READY,
    events.AGENT_STATE_SIGNED_OUT: ForcedState.SIGNED_OUT,
}


def _forced(request: pb.ForceStateRequest, by: str) -> ForceState:
    if request.state not in FORCED:
        raise Rejected("BAD_STATE", "READY, NOT_READY or SIGNED_OUT", invalid=True)
    return ForceState(FORCED[request.state], Forced(by, request.reason))


def _view(agent: Agent, version: int) -> pb.AgentView:
    return pb.AgentView(
        agent=agent.id,
        version=version,
        name=agent.profile.card.name,
        team=agent.profile.team,
        pool=agent.pool,
        standing=wire.standing_message(standing(agent)),
        reason=agent.presence.reason if isinstance(agent.presence, NotReady) else "",
        since=wire.stamp_of(agent.since),
        work=[_work(work) for work in agent.works],
    )


def _work(work: Work) -> pb.WorkView:
    return pb.WorkView(
        contact=work.leg.contact,
        leg=work.leg.leg,
        queue=work.leg.queue,
        channel=wire.channel_number(work.leg.channel),
        wrap_up=work.wrap_up_ends_at is not None,
        started_at=wire.stamp_of(work.started_at),
    )
