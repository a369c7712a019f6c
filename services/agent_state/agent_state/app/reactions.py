"""Facts of routing and of contacts, and the commands they cause here."""

from __future__ import annotations

from dataclasses import dataclass

from switchlog.bus.reaction import reaction
from switchlog.bus.record import Received
from switchlog.writer import Writer

from ..domain.commands import AgentCommand, EndWork, MissOffer, ReleaseFromPool, StartWork
from ..domain.events import AgentEvent
from ..domain.state import AgentState
from .foreign import AgentLeftLeg, AgentLetGo, LegAssigned, LegDequeued, OfferOver
from .handlers import agent_stream
from .ports import Holders


@dataclass(frozen=True)
class Reactions:
    """Each ``when_...`` may be called twice for one fact: the second time is without effect (kernel rule 7)."""

    writer: Writer[AgentCommand, AgentState, AgentEvent]
    holders: Holders

    async def when_offer_over(self, fact: OfferOver, received: Received) -> None:
        """RT-2: who does not answer is not ready."""
        if fact.blames_agent:
            await self._react(fact.agent, MissOffer(fact.offer_id), received, "when_offer_over")

    async def when_leg_assigned(self, fact: LegAssigned, received: Received) -> None:
        # the holder first: a crash in between costs a needless look-up, the other order could lose the work's end
        tenant, leg = received.stream.tenant, fact.leg
        await self.holders.hold(tenant, leg.contact, leg.leg, fact.agent, received.version)
        await self._react(fact.agent, StartWork(leg, fact.offer_id, fact.wrap_up_ms), received, "when_leg_assigned")

    async def when_leg_dequeued(self, fact: LegDequeued, received: Received) -> None:
        """A customer who left between assignment and connection never had an agent to disconnect from."""
        tenant, leg = received.stream.tenant, fact.leg
        agent = await self.holders.holder(tenant, leg.contact, leg.leg)
        if agent is None:
            return
        if not fact.answered:
            await self._react(agent, EndWork(leg, connected=False), received, "when_leg_dequeued")
        await self.holders.let_go(tenant, leg.contact, leg.leg, received.version)

    async def when_agent_let_go(self, fact: AgentLetGo, received: Received) -> None:
        """kernel rule 24"""
        await self._react(fact.agent, ReleaseFromPool(fact.pool), received, "when_agent_let_go")

    async def when_agent_left_leg(self, fact: AgentLeftLeg, received: Received) -> None:
        await self._react(fact.agent, EndWork(fact.leg), received, "when_agent_left_leg")

    async def _react(self, agent: str, command: AgentCommand, received: Received, name: str) -> None:
        await reaction(self.writer, agent_stream(received.stream.tenant, agent), command, received, name)
