"""Reading a conversation: who may, and what they see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from switchlog.auth.principal import Principal
from switchlog.envelope import StreamId
from switchlog.errors import Forbidden
from switchlog.store import EventStore

from ..domain.state import ContactState, Ended, Greeting, NotStarted, Talking, Waiting
from .frames import Frames
from .handlers import Chats


@dataclass(frozen=True)
class History:
    chats: Chats
    events: EventStore
    frames_of: Frames

    async def contact(self, contact: StreamId, caller: Principal) -> dict[str, Any]:
        """What stands about ``contact``, without texts. Raises ``NotFound``."""
        state = await self.chats.state(contact)
        return {"contact_id": contact.name.removeprefix("contact-"), **described(state)}

    async def frames(self, contact: StreamId, caller: Principal, after: int, limit: int) -> list[dict[str, Any]]:
        """Frames of at most ``limit`` facts after version ``after``. Raises ``NotFound``, ``Forbidden``."""
        state = await self.chats.state(contact)
        check_reader(caller, state)
        rows = await self.events.read(contact, after, limit)
        found = [await self.frames_of.render(contact, row, customer_of(state)) for row in rows]
        return [frame for frame in found if frame is not None]


def check_reader(caller: Principal, state: ContactState) -> None:
    """The visitor, the agent who has the contact, and supervisors may read texts; raises ``Forbidden`` for others."""
    own = isinstance(state, Talking) and state.agent == caller.subject
    if not (caller.contact is not None or own or caller.has("supervisor")):
        raise Forbidden("NOT_YOUR_CONTACT")


def customer_of(state: ContactState) -> str:
    """The reference under whose key the texts are sealed."""
    match state:
        case NotStarted():
            return ""
        case Ended(customer_ref):
            return customer_ref
        case Greeting(contact) | Waiting(contact=contact) | Talking(contact=contact):
            return contact.customer_ref


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
