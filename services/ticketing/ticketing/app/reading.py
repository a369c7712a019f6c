"""Reading tickets: who may, and what they see of the sealed text."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from switchlog.auth.principal import Principal
from switchlog.envelope import Codec, StreamId
from switchlog.store import EventStore

from ..domain.events import TicketCommented, TicketEvent, TicketOpened
from ..domain.state import Known
from .handlers import BODY, COMMENT, SUBJECT, Tickets, check_worker, works_on
from .ports import Sealer, TicketList, TicketRow

SCAN = 500
LOOKS = 10


@dataclass(frozen=True, slots=True)
class Page:
    """``next`` is the ``after`` of the page that follows, if any."""

    tickets: list[TicketRow]
    next: str | None

    def shown(self) -> dict[str, Any]:
        return asdict(self)


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
        check_worker(caller, known)
        rows = await self.events.read(ticket)
        shown: dict[str, Any] = {"ticket": known.ticket, "version": rows[-1].version if rows else 0}
        shown |= {"status": known.status, "agent": known.agent, "team": known.team, "contact": known.contact}
        shown |= {"customer_ref": known.customer_ref, "comments": []}
        for row in rows:
            for event in self.codec.events([row]):
                await self._add(shown, ticket.tenant, known, event, row.recorded_at)
        return shown

    async def page(self, caller: Principal, after: str, limit: int) -> Page:
        """``limit`` tickets of those that ``caller`` may see: an agent's own, a supervisor's teams', all for admins.

        ``next`` is where to ask on, ``None`` at the end. A caller who may see few of very many gets a short page with
        a ``next``: one call looks at no more than ``LOOKS`` times ``SCAN`` rows.
        """
        found: list[TicketRow] = []
        for _ in range(LOOKS):
            rows = await self.view.page(caller.tenant, after, SCAN)
            for row in rows:
                if may_list(caller, row):
                    found.append(row)
                after = row.ticket
                if len(found) == limit:
                    return Page(found, after if row is not rows[-1] or len(rows) == SCAN else None)
            if len(rows) < SCAN:
                return Page(found, None)
        return Page(found, after)

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


def may_list(caller: Principal, row: TicketRow) -> bool:
    """Who may know of it: whoever may work on it, and admins, since there is no text in the list."""
    return caller.has("admin") or works_on(caller, row.opened_by, row.agent, row.team)
