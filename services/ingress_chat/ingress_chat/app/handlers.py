"""Commands of visitors and agents: text is sealed at the door, then load, decide, append."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from switchlog.clock import Clock
from switchlog.decider import Rejected
from switchlog.envelope import Cause, StreamId
from switchlog.errors import NotFound, NotNow
from switchlog.ids import derived
from switchlog.writer import Answer, Writer

from .. import metrics
from ..domain.commands import (
    Closed,
    ContactCommand,
    EndByAgent,
    EndByCustomer,
    Place,
    ReceiveMessage,
    SendMessage,
    StartContact,
    TransferContact,
)
from ..domain.events import ContactEvent, Message, MessageKind, TransferKind
from ..domain.state import ContactState, Ended, Greeting, Leaving, NotStarted, Open, Talking, Waiting
from .ports import Customers, EntryPoint, EntryPoints, OpeningHours, Queues, Sealer

RECEIVED_BODY = "MessageReceived.body"
SENT_BODY = "MessageSent.body"
NOWHERE = Place("", "")
DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True, slots=True)
class Draft:
    """A message as a person wrote it: text in clear, or the name of an uploaded file, or both."""

    message_id: str
    kind: MessageKind
    text: str = ""
    attachment_ref: str = ""


@dataclass(frozen=True)
class Chats:
    """Everything that can be asked of chat contacts. Each call raises ``Rejected``, ``NotFound`` or ``NotNow``."""

    contacts: Writer[ContactCommand, ContactState, ContactEvent]
    entry_points: EntryPoints
    queues: Queues
    customers: Customers
    sealer: Sealer
    hours: OpeningHours
    clock: Clock

    async def start(
        self, door: EntryPoint, locale: str, attributes: Sequence[tuple[str, str]], cause: Cause, browser: str = ""
    ) -> Answer:
        """A new contact behind ``door``; its id comes from the command, so a retry finds the same one.

        ``browser`` is the secret by which a returning visitor is known again; it is told to ``customers`` only.
        """
        undeclared = [key for key, _ in attributes if key not in door.declared_attributes]
        if undeclared:
            raise Rejected("ATTRIBUTE_NOT_DECLARED", ", ".join(sorted(undeclared)), invalid=True)
        customer_ref = await self.customers.by_browser(door.tenant, browser, cause.command_id)
        self.sealer.expect(door.tenant, customer_ref)
        stream = StreamId(door.tenant, f"contact-{derived(cause.command_id)}")
        command = StartContact(door.id, customer_ref, locale, tuple(sorted(attributes)))
        answer = await self.contacts.execute(stream, command, cause)
        if not answer.repeated:
            metrics.started.add(1, {"entry_point": door.id})
        return answer

    async def receive(self, contact: StreamId, draft: Draft, cause: Cause) -> Answer:
        """A message of the visitor; the first one queues the contact."""
        state = await self._known(contact)
        if isinstance(state, Ended):
            # the rule book tells a resent message from a late one; neither needs its text or a queue
            return await self.contacts.execute(
                contact, ReceiveMessage(Message(draft.message_id, draft.kind), NOWHERE), cause
            )
        # a queue that has closed since takes no new contacts, those that wait in it go on
        place, closed = NOWHERE, None
        if isinstance(state, Greeting):
            place, closed = await self._first_place(contact, state.contact)
        message = await self._sealed(contact, state.contact.customer_ref, RECEIVED_BODY, draft)
        return _counted(await self.contacts.execute(contact, ReceiveMessage(message, place, closed), cause), "visitor")

    async def send(self, contact: StreamId, draft: Draft, agent: str, cause: Cause) -> Answer:
        """A message of the connected agent."""
        state = await self._known(contact)
        if isinstance(state, Ended):
            message = Message(draft.message_id, draft.kind)
        else:
            message = await self._sealed(contact, state.contact.customer_ref, SENT_BODY, draft)
        return _counted(await self.contacts.execute(contact, SendMessage(message, agent), cause), "agent")

    async def transfer(self, contact: StreamId, agent: str, queue: str, cause: Cause, to_agent: str = "") -> Answer:
        """A blind transfer to ``queue``, to be tried with ``to_agent`` first (RT-3)."""
        await self._known(contact)
        try:
            place = replace(self.queues.place(contact.tenant, queue), preferred_agent=to_agent)
        except Rejected as refused:
            return await self._resent(contact, TransferContact(agent, TransferKind.BLIND, NOWHERE), cause, refused)
        return await self.contacts.execute(contact, TransferContact(agent, TransferKind.BLIND, place), cause)

    async def end_by_agent(self, contact: StreamId, agent: str, cause: Cause) -> Answer:
        await self._known(contact)
        return await self.contacts.execute(contact, EndByAgent(agent), cause)

    async def end_by_customer(self, contact: StreamId, cause: Cause, *, lost: bool = False) -> Answer:
        await self._known(contact)
        return await self.contacts.execute(contact, EndByCustomer(lost), cause)

    async def state(self, contact: StreamId) -> ContactState:
        """Raises ``NotFound`` for a contact that never started, or of another tenant."""
        return await self._known(contact)

    async def door(self, contact: StreamId) -> EntryPoint:
        """Where ``contact`` came in."""
        return await self.entry_points.get(contact.tenant, (await self._known(contact)).contact.entry_point)

    async def _resent(self, contact: StreamId, command: ContactCommand, cause: Cause, refused: Rejected) -> Answer:
        """What would be refused by now may have been done when it was first sent: then its answer stands."""
        try:
            return await self.contacts.execute(contact, command, cause)
        except Rejected as again:
            raise refused if again.reason == "NO_QUEUE" else again from None

    async def _first_place(self, contact: StreamId, opened: Open) -> tuple[Place, Closed | None]:
        """Where somebody who begins to write waits, or that it is closed (RT-6)."""
        door = await self.entry_points.get(contact.tenant, opened.entry_point)
        queue = door.queue
        if not await self._is_open(door):
            if door.when_closed != "queue":
                return NOWHERE, Closed(door.when_closed)
            queue = door.closed_queue or door.queue
        place = self.queues.place(contact.tenant, queue, door.priority)
        return await self._with_last_agent(door, place, opened.customer_ref), None

    async def _with_last_agent(self, door: EntryPoint, place: Place, customer_ref: str) -> Place:
        """A returning customer's agent is tried first (RT-1); nobody waits because we cannot find out who that was."""
        if not door.last_agent_days:
            return place
        try:
            last = await self.customers.last_agent(door.tenant, customer_ref)
        except NotNow:
            last = None
        if last is None or self.clock.now() - last.served_at > door.last_agent_days * DAY_MS:
            return place
        return replace(place, preferred_agent=last.agent, preferred_agent_ms=door.last_agent_wait_s * 1000)

    async def _is_open(self, door: EntryPoint) -> bool:
        return not door.hours or (await self.hours.get(door.tenant, door.hours)).is_open(self.clock.now())

    async def _known(self, contact: StreamId) -> Greeting | Waiting | Talking | Leaving | Ended:
        state = (await self.contacts.state(contact)).state
        if isinstance(state, NotStarted):
            raise NotFound(detail=contact.name)
        return state

    async def _sealed(self, contact: StreamId, customer_ref: str, field: str, draft: Draft) -> Message:
        body = None
        if draft.text:
            body = await self.sealer.seal(contact.tenant, customer_ref, field, draft.text.encode())
        return Message(draft.message_id, draft.kind, body, draft.attachment_ref)


def _counted(answer: Answer, side: str) -> Answer:
    if not answer.repeated:
        metrics.messages.add(1, {"side": side})
    return answer
