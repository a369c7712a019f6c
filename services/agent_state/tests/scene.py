"""What the tests of this service share: the service on a store in memory, with a clock moved by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import count

from agent_state import wire
from agent_state.app.clocks import firing, timers_of
from agent_state.app.desks import Desks
from agent_state.app.handlers import Agents
from agent_state.app.reactions import Reactions
from agent_state.domain.commands import AgentCommand, BeReady, CheckIn, RegisterAgent, SignIn
from agent_state.domain.decide import AGENT
from agent_state.domain.events import AgentEvent, Capacity, Card, Leg, Mode, Slots
from agent_state.projections.holders import HolderRows
from agent_state.projections.offers import Offers
from agent_state.projections.roster import Roster
from contactcenter.bus.v1.envelope_pb2 import EventMeta
from contactcenter.routing.v1.events_pb2 import RoutingEvent
from switchlog.bus.record import Received
from switchlog.clock import ManualClock
from switchlog.envelope import Cause, StreamId
from switchlog.store.memory import MemoryStore
from switchlog.writer import Writer, no_publish

TENANT = "acme"
LEG = Leg("c1", 1, "sales", "chat")


@dataclass
class Scene:
    """``await scene.staffed()`` makes Ann ready for two chats at once, with 30 s of wrap-up."""

    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.store = MemoryStore(timers_of=timers_of(wire.CODEC), clock=self.clock)
        self.writer = Writer(self.store.events, AGENT, wire.CODEC, no_publish, self.clock)
        self.agents = Agents(self.writer, self.store.events, wire.CODEC)
        self.reactions = Reactions(self.writer, HolderRows(self.store.views))
        self.roster = Roster(self.store.views, self.agents)
        self.offers = Offers(self.store.views)
        self.desks = Desks(self.clock)
        self.fire = firing(self.writer)
        self._ids = count()

    def cause(self) -> Cause:
        return Cause(f"command-{next(self._ids)}", "", "tester")

    async def register(self, agent: str = "ann", team: str = "t1", pool: str = "front") -> None:
        capacity = Capacity((Slots("chat", 2),))
        order = RegisterAgent(agent, Card(agent.title(), 30_000), team, pool, (), capacity)
        await self.agents.register(TENANT, order, self.cause())

    async def staffed(self, agent: str = "ann") -> None:
        await self.register(agent)
        for order in (SignIn(), CheckIn(Mode.WEB), BeReady()):
            await self.give(order, agent)

    async def give(self, order: AgentCommand, agent: str = "ann") -> None:
        await self.agents.command(TENANT, agent, order, self.cause())

    async def facts(self, agent: str = "ann") -> list[AgentEvent]:
        """All that happened to the agent."""
        return wire.CODEC.events(await self.store.events.read(StreamId(TENANT, f"agent-{agent}")))


def heard(version: int = 1, stream: str = "pool-front", topic: str = "routing.events.v1") -> Received:
    """A foreign fact as a reaction sees it: where it stood; what it says is given beside it."""
    key, meta = f"{TENANT}/{stream}", EventMeta(tenant_id=TENANT, stream=stream, version=version)
    value = RoutingEvent(meta=meta).SerializeToString()
    return Received(topic, 0, version, key, StreamId(TENANT, stream), version, "", f"event-{version}", "", value, {})
