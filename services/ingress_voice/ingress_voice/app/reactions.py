"""Facts of routing and what they cause here: a ring at the agent's device, or another queue."""

from __future__ import annotations

from dataclasses import dataclass

from switchlog.bus.reaction import reaction
from switchlog.bus.record import Received
from switchlog.envelope import StreamId
from switchlog.errors import NotFound

from ..domain.commands import RequeueCall
from ..domain.state import Waiting
from .calls import Calls
from .ports import Ring


@dataclass(frozen=True, slots=True)
class Assigned:
    """Routing gave a contact's leg to an agent."""

    contact: str
    leg: int
    agent: str
    team: str
    offer_id: str


@dataclass(frozen=True, slots=True)
class Overflowed:
    """Routing moved a waiting contact out of its queue; ``to_queue`` is empty when it goes to none."""

    contact: str
    leg: int
    to_queue: str
    to_pool: str = ""


@dataclass(frozen=True)
class Reactions:
    """Contacts of other channels pass by unseen: their streams are not here."""

    calls: Calls

    async def when_contact_assigned(self, fact: Assigned, received: Received) -> None:
        """Ringing twice for one offer is ringing once (the offer's id is the switch's own key)."""
        contact = StreamId(received.stream.tenant, f"contact-{fact.contact}")
        if received.replayed or not await self._waits(contact, fact.leg):
            return
        await self.calls.ring(contact, Ring(fact.leg, fact.team), fact.agent, fact.offer_id)

    async def when_contact_overflowed(self, fact: Overflowed, received: Received) -> None:
        contact = StreamId(received.stream.tenant, f"contact-{fact.contact}")
        if fact.to_queue and await self._waits(contact, fact.leg):
            place = self.calls.queues.moved_to(contact.tenant, fact.to_queue, fact.to_pool)
            await reaction(self.calls.calls, contact, RequeueCall(fact.leg, place), received, "when_contact_overflowed")

    async def _waits(self, contact: StreamId, leg: int) -> bool:
        try:
            state = await self.calls.state(contact)
        except NotFound:
            return False
        return isinstance(state, Waiting) and state.leg == leg
