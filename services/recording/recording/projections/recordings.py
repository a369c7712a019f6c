"""Which recordings a contact has: one row a recording, found by contact."""

from __future__ import annotations

from dataclasses import dataclass

from switchlog.envelope import StreamId
from switchlog.store import ViewStore

from ..domain.events import RecordingEvent, RecordingStarted

VIEW = "recordings_of_contacts"


@dataclass(frozen=True)
class RecordingsView:
    views: ViewStore

    async def fold(self, stream: StreamId, version: int, event: RecordingEvent) -> None:
        if isinstance(event, RecordingStarted):
            await self.views.put(VIEW, f"{stream.tenant}/{event.contact}", event.recording, b"", version)

    async def of_contact(self, tenant: str, contact: str) -> list[str]:
        """Ids, in order of ids."""
        return [row.key for row in await self.views.scan(VIEW, f"{tenant}/{contact}")]
