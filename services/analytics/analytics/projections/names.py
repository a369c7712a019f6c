"""Under which name the rows are that a service uses, by the name that it is told (``ANALYTICS_STATE``).

``state_names``  "" | <name told> : the name used instead, since the last ``switch``
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from switchlog.store import ViewStore

from .rows import StoredRows

VIEW = "state_names"


async def name_in_use(views: ViewStore, told: str) -> str:
    """``told`` itself, as long as nobody has switched."""
    found = await views.get(VIEW, "", told)
    return told if found is None else found.value.decode()


async def use(views: ViewStore, told: str, name: str, now: int) -> None:
    """From the next start on; ``now`` decides which of two switches is the later."""
    await views.put(VIEW, "", told, name.encode(), now)


@dataclass(frozen=True)
class StoredPositions:
    rows: StoredRows

    async def positions(self) -> Mapping[str, int]:
        """Source partition -> the next offset to be read."""
        return {row.key: row.version async for row in self.rows.scan("progress", self.rows.group)}
