"""Facts of routing and the commands they cause here."""

from __future__ import annotations

from dataclasses import dataclass

from switchlog.bus.reaction import reaction
from switchlog.bus.record import Received
from switchlog.envelope import StreamId
from switchlog.writer import Writer

from ..domain.commands import ConnectAgent, ContactCommand, RequeueContact
from ..domain.events import ContactEvent
from ..domain.state import ContactState
from .ports import Queues


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


@dataclass(frozen=True)
class Reactions:
    contacts: Writer[ContactCommand, ContactState, ContactEvent]
    queues: Queues

    async def when_contact_assigned(self, fact: Assigned, received: Received) -> None:
        command = ConnectAgent(fact.leg, fact.queue, fact.agent, fact.team, fact.offer_id)
        await self._react(fact.contact, command, received, "when_contact_assigned")

    async def when_contact_overflowed(self, fact: Overflowed, received: Received) -> None:
        if not fact.to_queue:
            return
        place = self.queues.moved_to(received.stream.tenant, fact.to_queue, fact.to_pool)
        await self._react(fact.contact, RequeueContact(fact.leg, place), received, "when_contact_overflowed")

    async def _react(self, contact: str, command: ContactCommand, received: Received, name: str) -> None:
        stream = StreamId(received.stream.tenant, f"contact-{contact}")
        await reaction(self.contacts, stream, command, received, name)
