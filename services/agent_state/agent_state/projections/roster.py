"""The agents of a tenant as supervisors see them: one row an agent, the fold of its stream."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import orjson

from switchlog.envelope import StreamId
from switchlog.store import ViewStore

from ..app.handlers import Agents
from ..app.shown import Json, shown_agent

VIEW = "roster"
PAGE = 200


@dataclass(frozen=True)
class Roster:
    views: ViewStore
    agents: Agents

    async def refresh(self, stream: StreamId, heard: int) -> None:
        """Show the agent as of version ``heard`` or later; a row that is newer already stays (kernel rule 17)."""
        tenant, id = stream.tenant, stream.name.removeprefix("agent-")
        agent, version = await self.agents.known(tenant, id)
        if version < heard:  # another replica appended it
            agent, version = await self.agents.known(tenant, id, fresh=True)
        row = orjson.dumps(shown_agent(agent, version))
        await self.views.put(VIEW, stream.tenant, agent.id, row, version)

    async def of(self, tenant: str, after: str = "") -> AsyncIterator[Json]:
        """All agents in the order of their ids, from after ``after`` on."""
        while rows := await self.views.scan(VIEW, tenant, after, PAGE):
            for row in rows:
                yield orjson.loads(row.value)
            after = rows[-1].key
