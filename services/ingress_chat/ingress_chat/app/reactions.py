"""Facts of routing and the commands they cause here."""

from __future__ import annotations

from dataclasses import dataclass

from switchlog.bus.reaction import reaction
from switchlog.bus.record import Received
from switchlog.envelope import StreamId
from switchlog.errors import NotFound
from switchlog.writer import Writer

from ..domain.commands import ConnectAgent, ContactCommand, GiveUpWaiting, RequeueContact, TakeMessage
from ..domain.events import ContactEvent, EndReason
from ..domain.state import ContactState, Waiting
from .ports import EntryPoints, Queues

# what a wait that is over for good says of the contact; all other outcomes come from facts of our own
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
    queue: str
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
    contacts: Writer[ContactCommand, ContactState, ContactEvent]
    queues: Queues
    entry_points: EntryPoints

    async def when_contact_assigned(self, fact: Assigned, received: Received) -> None:
        command = ConnectAgent(fact.leg, fact.queue, fact.agent, fact.team, fact.offer_id)
        await self._react(fact.contact, command, received, "when_contact_assigned")

    async def when_contact_overflowed(self, fact: Overflowed, received: Received) -> None:
        """To another queue, or to a message; a call back and an end are said by how the wait ended."""
        if fact.action == "voicemail":
            await self._react(fact.contact, TakeMessage(fact.leg), received, "when_contact_overflowed")
        elif fact.to_queue:
            own = await self._own_priority(StreamId(received.stream.tenant, f"contact-{fact.contact}"))
            place = self.queues.moved_to(received.stream.tenant, fact.to_queue, fact.to_pool, own)
            await self._react(fact.contact, RequeueContact(fact.leg, place), received, "when_contact_overflowed")

    async def when_contact_dequeued(self, fact: Dequeued, received: Received) -> None:
        """RT-5: a contact that nobody is to serve any more ends; one that went elsewhere or left is not touched."""
        if reason := GIVEN_UP.get(fact.outcome):
            await self._react(fact.contact, GiveUpWaiting(fact.leg, reason), received, "when_contact_dequeued")

    async def _own_priority(self, contact: StreamId) -> int:
        """What the entry point adds to the queue's; 0 when it is not there any more, or the contact is not ours."""
        state = (await self.contacts.state(contact)).state
        if not isinstance(state, Waiting):
            return 0
        try:
            return (await self.entry_points.get(contact.tenant, state.contact.entry_point)).priority
        except NotFound:
            return 0

    async def _react(self, contact: str, command: ContactCommand, received: Received, name: str) -> None:
        stream = StreamId(received.stream.tenant, f"contact-{contact}")
        await reaction(self.contacts, stream, command, received, name)
