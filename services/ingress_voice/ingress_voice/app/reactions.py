"""Facts of routing and what they cause here: a ring at the agent's device, or another queue."""

from __future__ import annotations

from dataclasses import dataclass

from switchlog.bus.reaction import reaction
from switchlog.bus.record import Received
from switchlog.envelope import StreamId
from switchlog.errors import NotFound

from ..domain.commands import CallCommand, GiveUpCall, RequeueCall, TakeMessage
from ..domain.events import EndReason
from ..domain.state import Ended, Leaving, Waiting
from .calls import Calls
from .ports import Ring

# what a wait that is over for good says of the call; all other outcomes come from facts of our own
GIVEN_UP = {
    "callback": EndReason.CALLBACK,
    "timed_out": EndReason.TIMED_OUT,
    "blocked": EndReason.BLOCKED,
    "failed": EndReason.FAILED,
}


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
    action: str = "queue"


@dataclass(frozen=True, slots=True)
class Dequeued:
    """A wait is over, with its outcome."""

    contact: str
    leg: int
    outcome: str


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
        """To another queue, or to a message; a call back and an end are said by how the wait ended."""
        contact = StreamId(received.stream.tenant, f"contact-{fact.contact}")
        if fact.action == "voicemail" and await self._is_ours(contact):
            await self._react(contact, TakeMessage(fact.leg), received, "when_contact_overflowed")
            if not received.replayed and isinstance(await self.calls.state(contact), Leaving):
                await self.calls.take_message(contact)
        elif fact.to_queue and await self._waits(contact, fact.leg):
            own = await self.calls.own_priority(contact)
            place = self.calls.queues.moved_to(contact.tenant, fact.to_queue, fact.to_pool, own)
            await self._react(contact, RequeueCall(fact.leg, place), received, "when_contact_overflowed")

    async def when_contact_dequeued(self, fact: Dequeued, received: Received) -> None:
        """RT-5: a call that nobody is to serve any more ends, and then its line, which may be dropped twice."""
        contact, reason = StreamId(received.stream.tenant, f"contact-{fact.contact}"), GIVEN_UP.get(fact.outcome)
        if reason is None or not await self._is_ours(contact):
            return
        await self._react(contact, GiveUpCall(fact.leg, reason), received, "when_contact_dequeued")
        if not received.replayed and isinstance(await self.calls.state(contact), Ended):
            await self.calls.hang_up(contact)

    async def _react(self, contact: StreamId, command: CallCommand, received: Received, name: str) -> None:
        await reaction(self.calls.calls, contact, command, received, name)

    async def _is_ours(self, contact: StreamId) -> bool:
        try:
            await self.calls.state(contact)
        except NotFound:
            return False
        return True

    async def _waits(self, contact: StreamId, leg: int) -> bool:
        try:
            state = await self.calls.state(contact)
        except NotFound:
            return False
        return isinstance(state, Waiting) and state.leg == leg
