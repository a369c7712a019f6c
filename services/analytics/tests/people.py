"""Logs of contacts, agents and tickets for tests, and foldings of them over a store that may crash."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from analytics.adapters import agent_facts, contact_facts, ticket_facts
from analytics.app.folding import Folding
from analytics.app.ports import Where
from analytics.domain.levels import add_all
from analytics.projections.rows import StoredRows
from analytics.projections.state_rows import StateRows, clerk_rows, contact_rows, ticket_rows
from contactcenter.agent.v1.events_pb2 import AgentEvent
from contactcenter.contact.v1.events_pb2 import ContactEvent
from contactcenter.ticket.v1.events_pb2 import TicketEvent
from switchlog.errors import Poison

from .scene import TENANT, Rec

KINDS: dict[str, tuple[Any, Any, Any]] = {
    "contact": (ContactEvent, contact_facts, contact_rows),
    "agent": (AgentEvent, agent_facts, clerk_rows),
    "ticket": (TicketEvent, ticket_facts, ticket_rows),
}


@dataclass
class People:
    """The streams of one kind (contact, agent, ticket) in one partition."""

    kind: str
    tenant: str = TENANT
    records: list[Rec] = field(default_factory=list)
    versions: dict[str, int] = field(default_factory=dict)

    @property
    def where(self) -> Where:
        return Where(f"{self.kind}.events.v1", 0)

    def say(self, at: int, who: str, **fact: Any) -> Rec:
        """``who`` is the id in the stream's name; the fact happened at ``at``."""
        stream = f"{self.kind}-{who}"
        version = self.versions[stream] = self.versions.get(stream, 0) + 1
        event = KINDS[self.kind][0](**fact)
        event.meta.tenant_id, event.meta.stream, event.meta.version = self.tenant, stream, version
        event.meta.occurred_at.FromMilliseconds(at)
        event.meta.recorded_at.FromMilliseconds(at)
        return self.put(f"{self.tenant}/{stream}".encode(), event.SerializeToString(deterministic=True))

    def put(self, key: bytes, value: bytes) -> Rec:
        record = Rec(str(self.where.topic), 0, len(self.records), key, value)
        self.records.append(record)
        return record

    def again(self, record: Rec) -> None:
        """The same event once more, as a relay may send it."""
        self.put(record.key, record.value)

    async def missing(self, record: Rec, last: int) -> list[bytes]:
        """Of the owner's log."""
        held = {
            KINDS[self.kind][1].read(one.value).meta.version: one.value for one in self.records if one.key == record.key
        }
        upto = KINDS[self.kind][1].read(record.value).meta.version
        if not all(version in held for version in range(last + 1, upto + 1)):
            raise Poison("NOT_IN_OWNERS_LOG")
        return [held[version] for version in range(last + 1, upto)]


def rows_of(views: Any, kind: str) -> StateRows:
    return KINDS[kind][2](StoredRows(views, "s1", "g"))


async def opened(views: Any, people: People) -> Folding:
    """A process that has just been given the partition."""
    rows = rows_of(views, people.kind)

    async def bury(record: Any, reason: str, detail: str) -> None:
        raise AssertionError(reason)

    board = await rows.board(people.where)
    return Folding(people.where, board, rows, KINDS[people.kind][1], people.missing, bury)


async def counted(
    views: Any,
    attribution: str,
    queues: tuple[str, ...] = ("sales", "care", ""),
    tenant: str = TENANT,
    state: str = "s1",
) -> dict:
    """(queue, quarter, group) -> counts, of what is stored, over all source partitions."""
    rows, found = StoredRows(views, state, "g"), {}
    for queue in queues:
        async for cell in rows.cells(tenant, queue, 0, 1 << 45, attribution):
            for group, tally in cell.groups.items():
                add_all(found.setdefault((queue, cell.start, group), {}), tally.counts)
    found = {key: {name: n for name, n in counts.items() if n} for key, counts in found.items()}
    return {key: counts for key, counts in found.items() if counts}


async def days(views: Any, starts: tuple[int, ...], tenant: str = TENANT, state: str = "s1") -> dict:
    """(agent, quarter, team) -> sums, of what is stored; and (agent,) -> spans."""
    rows, found = StoredRows(views, state, "g"), {}
    for start in starts:
        async for day in rows.days(tenant, start):
            for quarter, teams in day.quarters.items():
                for team, sums in teams.items():
                    known = {name: n for name, n in sums.items() if n}
                    add_all(found.setdefault((day.agent, quarter, team), {}), known)
            if day.spans:
                found.setdefault((day.agent,), []).extend(sorted(day.spans))
    return found
