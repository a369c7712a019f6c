"""Commands to agents, and what is known of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from switchlog.envelope import Cause, Codec, StreamId
from switchlog.errors import NotFound
from switchlog.ids import checked_id
from switchlog.store import EventStore
from switchlog.writer import Answer, Writer

from ..domain.commands import AgentCommand, RegisterAgent
from ..domain.events import AgentEvent
from ..domain.ledger import Span, ledger
from ..domain.state import Agent, AgentState


def agent_stream(tenant: str, agent: str) -> StreamId:
    """The stream of ``agent``; raises ``Rejected`` for what is no id."""
    return StreamId(tenant, f"agent-{checked_id(agent, 'agent')}")


@dataclass(frozen=True)
class Agents:
    """Everything that can be asked of agents. Each call raises ``Rejected``, ``NotFound`` or ``NotNow``."""

    writer: Writer[AgentCommand, AgentState, AgentEvent]
    events: EventStore
    codec: Codec[AgentEvent]

    async def register(self, tenant: str, command: RegisterAgent, cause: Cause, expect: int | None = None) -> Answer:
        """Make the agent or bring it up to date (AG-4)."""
        return await self.writer.execute(agent_stream(tenant, command.agent), command, cause, expect=expect)

    async def command(
        self, tenant: str, agent: str, command: AgentCommand, cause: Cause, expect: int | None = None
    ) -> Answer:
        """Give ``command`` to an agent who is registered."""
        await self.known(tenant, agent)
        return await self.writer.execute(agent_stream(tenant, agent), command, cause, expect=expect)

    async def known(self, tenant: str, agent: str, *, fresh: bool = False) -> tuple[Agent, int]:
        """The agent and the version of its stream; raises ``NotFound`` for one that nobody registered."""
        folded = await self.writer.state(agent_stream(tenant, agent), fresh=fresh)
        if not isinstance(folded.state, Agent):
            raise NotFound(detail=agent)
        return folded.state, folded.head

    async def ledger(self, tenant: str, agent: str, since: int, until: int) -> Sequence[Span]:
        """What the agent did between two times, epoch milliseconds, cut to them (AG-6)."""
        await self.known(tenant, agent)
        history = self.codec.events(await self.events.read(agent_stream(tenant, agent)))
        spans = ledger([event for event in history if event.stamp.at < until], until)
        return [Span(span.activity, max(span.start, since), span.end) for span in spans if span.end > since]
