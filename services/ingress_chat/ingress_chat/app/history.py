"""Reading a conversation: who may, and what they see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from switchlog.auth.principal import Principal
from switchlog.envelope import StreamId
from switchlog.errors import Forbidden, NotFound
from switchlog.store import EventStore

from ..domain.state import ContactState, NotStarted, Talking, Waiting
from .frames import Frames
from .handlers import Chats


@dataclass(frozen=True)
class History:
    chats: Chats
    events: EventStore
    frames_of: Frames

    async def contact(self, contact: StreamId, caller: Principal) -> dict[str, Any]:
        """What stands about ``contact``, without texts. Raises ``NotFound``."""
        check_own(caller, contact)
        state = await self.chats.state(contact)
        return {"contact_id": contact.name.removeprefix("contact-"), **described(state)}

    async def frames(self, contact: StreamId, caller: Principal, after: int, limit: int) -> list[dict[str, Any]]:
        """Frames of at most ``limit`` facts after version ``after``. Raises ``NotFound``, ``Forbidden``."""
        state = await self.chats.state(contact)
        check_reader(caller, contact, state)
        rows = await self.events.read(contact, after, limit)
        found = [await self.frames_of.render(contact, row, customer_of(state)) for row in rows]
        return [frame for frame in found if frame is not None]


def check_reader(caller: Principal, contact: StreamId, state: ContactState) -> None:
    """Its visitor, agents who had it, and supervisors of their teams may read texts.

    A contact that no team has had yet is read by any supervisor. Raises ``Forbidden``; to a visitor every other contact
    is as if it were not there: ``NotFound``.
    """
    if caller.contact is not None:
        check_own(caller, contact)
        return
    served_by = frozenset() if isinstance(state, NotStarted) else state.contact.served_by
    teams = {team for _, team in served_by if team}
    own = caller.has("agent") and any(agent == caller.subject for agent, _ in served_by)
    led = caller.has("supervisor") and (not teams or not caller.teams.isdisjoint(teams))
    if not (own or led):
        raise Forbidden("NOT_YOUR_CONTACT")


def check_own(caller: Principal, contact: StreamId) -> None:
    """A visitor's token opens one contact; raises ``NotFound`` for any other."""
    if caller.contact is not None and contact.name != f"contact-{caller.contact}":
        raise NotFound(detail=contact.name)


def customer_of(state: ContactState) -> str:
    """The reference under whose key the texts are sealed."""
    return "" if isinstance(state, NotStarted) else state.contact.customer_ref


def described(state: ContactState) -> dict[str, Any]:
    """A contact's phase as JSON."""
    phase = {"state": type(state).__name__.lower(), "customer_ref": customer_of(state)}
    match state:
        case Waiting(_, leg, queue, pool):
            return phase | {"leg": leg, "queue": queue, "pool": pool}
        case Talking(_, leg, queue, pool, agent, team):
            return phase | {"leg": leg, "queue": queue, "pool": pool, "agent": agent, "team": team}
        case _:
            return phase
