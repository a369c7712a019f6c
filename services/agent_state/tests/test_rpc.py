"""AgentService over a real gRPC server."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass

import grpc
import pytest

from agent_state.app.handlers import agent_stream
from agent_state.rpc.agents import AgentsByRpc
from contactcenter.agent.v1 import events_pb2 as events
from contactcenter.agent.v1 import service_pb2 as pb
from contactcenter.agent.v1.service_pb2_grpc import AgentServiceStub, add_AgentServiceServicer_to_server
from contactcenter.bus.v1.command_pb2 import CommandContext
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT
from switchlog.errors import Forbidden, NotFound, Rejected
from switchlog.rpc import channel, create_server
from switchlog.testing import TestIssuer, free_port
from switchlog.testing import test_settings as settings_for_tests

from .scene import TENANT, Scene

ANN = {
    "agent": "ann",
    "name": "Ann",
    "team": "t1",
    "pool": "front",
    "skills": [events.Skill(skill="billing", level=3)],
    "capacities": [events.ChannelCapacity(channel=CHANNEL_CHAT, slots=2)],
    "wrap_up_ms": 30_000,
    "ready_after_wrap_up": True,
}


@dataclass(frozen=True)
class Token:
    text: str

    async def token(self) -> str:
        return self.text


As = Callable[..., AgentServiceStub]


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
async def acting(scene: Scene) -> AsyncIterator[As]:
    """``acting("ann", "agent")`` is a client of that name and role."""
    issuer = TestIssuer(tenant=TENANT)
    port = free_port()
    servicer = (add_AgentServiceServicer_to_server, AgentsByRpc(scene.agents, scene.roster))
    server = create_server([servicer], issuer.verifier, settings_for_tests("agent_state", grpc_port=port))
    await server.start()
    opened: list[grpc.aio.Channel] = []

    def client(subject: str, *roles: str, teams: tuple[str, ...] = (), tenant: str = TENANT) -> AgentServiceStub:
        opened.append(channel(f"127.0.0.1:{port}", Token(issuer.issue(subject, roles, teams, tenant))))
        return AgentServiceStub(opened[-1])

    yield client
    for one in opened:
        await one.close()
    await server.stop(None)


async def refused(call: Awaitable[object], kind: type[Exception]) -> str:
    with pytest.raises(kind) as error:
        await call
    return error.value.reason  # type: ignore[attr-defined,no-any-return]


async def test_the_same_life_as_over_http(acting: As) -> None:
    """PL-2"""
    admin, ann = acting("root", "admin"), acting("ann", "agent")
    defined = (await admin.DefineAgent(pb.DefineAgentRequest(**ANN))).answer
    assert (defined.stream, defined.version) == ("agent-ann", 5)
    await ann.SignIn(pb.SignInRequest(agent="ann"))
    await ann.CheckIn(pb.CheckInRequest(agent="ann", mode=events.AGENT_MODE_PHONE))
    await ann.SetReady(pb.SetReadyRequest(agent="ann"))
    view = (await ann.GetAgent(pb.GetAgentRequest(agent="ann"))).agent
    assert (view.version, view.standing.state, view.standing.mode) == (
        8,
        events.AGENT_STATE_READY,
        events.AGENT_MODE_PHONE,
    )
    asked = await ann.RequestBreak(pb.RequestBreakRequest(agent="ann", reason="coffee"))
    lea = acting("lea", "supervisor", teams=("t1",))
    await lea.ApproveBreak(pb.ApproveBreakRequest(agent="ann", break_id=asked.break_id))
    view = (await lea.GetAgent(pb.GetAgentRequest(agent="ann"))).agent
    assert (view.standing.state, view.reason) == (events.AGENT_STATE_BREAK, "break")


async def test_the_same_key_is_one_command(acting: As) -> None:
    """I2"""
    admin = acting("root", "admin")
    request = pb.DefineAgentRequest(context=CommandContext(idempotency_key="k1"), **ANN)
    first, again = (await admin.DefineAgent(request)).answer, (await admin.DefineAgent(request)).answer
    assert (again.version, again.repeated_command) == (first.version, True)
    other = pb.DefineAgentRequest(context=CommandContext(idempotency_key="k1"), **(ANN | {"name": "Other"}))
    assert await refused(admin.DefineAgent(other), Rejected) == "IDEMPOTENCY_KEY_REUSED"


async def test_one_speaks_for_oneself_only(acting: As, scene: Scene) -> None:
    await scene.register()
    assert await refused(acting("bob", "agent").SignIn(pb.SignInRequest(agent="ann")), Forbidden) == "NOT_YOURSELF"
    await refused(acting("ann", "agent").DefineAgent(pb.DefineAgentRequest(**ANN)), Forbidden)
    stranger = acting("lea", "supervisor", teams=("t2",))
    await refused(stranger.GetAgent(pb.GetAgentRequest(agent="ann")), NotFound)
    forced = pb.ForceStateRequest(agent="ann", state=events.AGENT_STATE_READY, reason="x")
    await refused(stranger.ForceState(forced), NotFound)


async def test_only_a_service_names_a_tenant(acting: As, scene: Scene) -> None:
    """PL-1"""
    await scene.register()
    request = pb.GetAgentRequest(tenant_id=TENANT, agent="ann")
    assert (await acting("console", "service", tenant="platform").GetAgent(request)).agent.name == "Ann"
    await refused(acting("ann", "agent", tenant="other").GetAgent(request), Forbidden)
    await refused(acting("ann", "agent", tenant="other").GetAgent(pb.GetAgentRequest(agent="ann")), NotFound)


async def test_bad_ids_are_refused_by_the_contract(acting: As) -> None:
    assert await refused(acting("x", "admin").GetAgent(pb.GetAgentRequest(agent="a/b")), Rejected) == "INVALID_INPUT"


async def test_agents_are_listed_by_team_and_page(acting: As, scene: Scene) -> None:
    for agent, team in (("ann", "t1"), ("bob", "t2"), ("cid", "t1")):
        await scene.register(agent, team)
        await scene.roster.refresh(agent_stream(TENANT, agent), 5)
    lea, admin = acting("lea", "supervisor", teams=("t1",)), acting("root", "admin")
    listed = await lea.ListAgents(pb.ListAgentsRequest())
    assert [view.agent for view in listed.agents] == ["ann", "cid"]
    request = pb.ListAgentsRequest()
    request.page.size = 2
    page = await admin.ListAgents(request)
    assert ([view.agent for view in page.agents], page.next) == (["ann", "bob"], "bob")


async def test_raising_hands_says_that_it_is_not_there_yet(acting: As) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await acting("ann", "agent").RequestHelp(pb.RequestHelpRequest(agent="ann"))
    assert error.value.code() == grpc.StatusCode.UNIMPLEMENTED
