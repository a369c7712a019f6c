"""Which conversations an agent has: one row a contact, kept by the version of the contact's stream."""

from __future__ import annotations

from dataclasses import dataclass

from switchlog.envelope import StreamId
from switchlog.store import ViewStore

from ..domain.events import AgentConnected, AgentDisconnected, ContactEvent

VIEW = "contacts_of_agents"


@dataclass(frozen=True)
class Contacts:
    views: ViewStore

    async def fold(self, contact: StreamId, version: int, event: ContactEvent) -> None:
        """Repeats and stragglers change nothing: the row's version guards it."""
        match event:
            case AgentConnected(agent=agent):
                await self.views.put(VIEW, f"{contact.tenant}/{agent}", contact.key, b"", version)
            case AgentDisconnected(agent=agent):
                await self.views.delete(VIEW, f"{contact.tenant}/{agent}", contact.key, version)
            case _:
                pass

    async def of_agent(self, tenant: str, agent: str) -> list[StreamId]:
        """The contacts that ``agent`` is connected to."""
        rows = await self.views.scan(VIEW, f"{tenant}/{agent}")
        return [StreamId.parse(row.key) for row in rows]
