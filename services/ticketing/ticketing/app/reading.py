"""Reading tickets: who may, and what they see of the sealed text."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from switchlog.auth.principal import Principal
from switchlog.envelope import Codec, StreamId
from switchlog.errors import Forbidden
from switchlog.store import EventStore

from ..domain.events import TicketCommented, TicketEvent, TicketOpened
from ..domain.state import Known
from .handlers import BODY, COMMENT, SUBJECT, Tickets
from .ports import Sealer, TicketList, TicketRow


@dataclass(frozen=True)
class Reading:
    tickets: Tickets
    events: EventStore
    codec: Codec[TicketEvent]
    sealer: Sealer
    view: TicketList

    async def ticket(self, ticket: StreamId, caller: Principal) -> dict[str, Any]:
        """The ticket with its comments, opened. Raises ``NotFound``, ``Forbidden``."""
        known = await self.tickets.known(ticket)
        check_reader(caller, known)
        rows = await self.events.read(ticket)
        shown: dict[str, Any] = {"ticket": known.ticket, "version": rows[-1].version if rows else 0}
        shown |= {"status": known.status, "agent": known.agent, "team": known.team, "contact": known.contact}
        shown |= {"customer_ref": known.customer_ref, "comments": []}
        for event, row in zip(self.codec.events(rows), rows, strict=False):
            await self._add(shown, ticket.tenant, known, event, row.recorded_at)
        return shown

    async def page(self, caller: Principal, after: str, limit: int) -> list[dict[str, Any]]:
        """Rows without text: an agent's own, all for supervisors and admins."""
        rows = await self.view.page(caller.tenant, after, limit)
        return [asdict(row) for row in rows if may_list(caller, row)]

    async def _add(self, shown: dict[str, Any], tenant: str, known: Known, event: TicketEvent, at_ms: int) -> None:
        match event:
            case TicketOpened(subject=subject, body=body):
                shown["subject"] = await self.sealer.open_text(tenant, known.customer_ref, SUBJECT, subject)
                shown["erased"] = shown["subject"] is None
                shown["opened_at_ms"] = at_ms
                if body is not None:
                    shown["body"] = await self.sealer.open_text(tenant, known.customer_ref, BODY, body)
            case TicketCommented(_, comment_id, visibility, body, author):
                text = await self.sealer.open_text(tenant, known.customer_ref, COMMENT, body)
                comment = {"comment_id": comment_id, "visibility": visibility, "text": text, "author": author}
                shown["comments"].append(comment | {"at_ms": at_ms})
            case _:
                return


def check_reader(caller: Principal, known: Known) -> None:
    """Whoever opened it, whoever has it, and supervisors read texts; raises ``Forbidden`` for others."""
    if not (caller.has("supervisor") or caller.subject in (known.agent, known.opened_by)):
        raise Forbidden("NOT_YOUR_TICKET")


def may_list(caller: Principal, row: TicketRow) -> bool:
    """Agents see their own in the list."""
    return caller.has("supervisor", "admin") or caller.subject in (row.agent, row.opened_by)
