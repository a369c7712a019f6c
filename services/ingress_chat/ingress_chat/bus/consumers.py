"""Handlers of the topics this service reads."""

from __future__ import annotations

from collections.abc import Callable

from switchlog.bus.consumer import Handler
from switchlog.bus.record import Raw, Received, read_event
from switchlog.bus.tail import Take
from switchlog.envelope import Codec
from switchlog.errors import Poison

from ..app.desks import Desks
from ..app.live import Live
from ..app.reactions import Assigned, Dequeued, Overflowed, Reactions
from ..app.waits import News, Waits
from ..domain.events import AgentConnected, AgentDisconnected, ContactEvent, MessageReceived, MessageSent
from ..projections.contacts import Contacts

GROUP_REACTIONS = "ingress-chat-reactions"
GROUP_PROJECTIONS = "ingress-chat-projections"

ReadRouting = Callable[[Received], Assigned | Overflowed | Dequeued | None]


def routing_handler(reactions: Reactions, read: ReadRouting) -> Handler:
    """Assignments and overflows of contacts, and waits that are over for good."""

    async def handle(received: Received) -> None:
        match read(received):
            case Assigned() as fact:
                await reactions.when_contact_assigned(fact, received)
            case Overflowed() as fact:
                await reactions.when_contact_overflowed(fact, received)
            case Dequeued() as fact:
                await reactions.when_contact_dequeued(fact, received)
            case None:
                return

    return handle


def projection_handler(contacts: Contacts, codec: Codec[ContactEvent]) -> Handler:
    """Own facts into the read model; calls, which share the topic, are somebody else's."""

    async def handle(received: Received) -> None:
        if received.service != codec.service:
            return
        event = codec.read(received.parse(codec.message))
        if event is not None:
            await contacts.fold(received.stream, received.version, event)

    return handle


def nudger(live: Live, desks: Desks, codec: Codec[ContactEvent]) -> Take:
    """Wakes whoever watches a conversation here, whichever replica appended to it."""

    def take(raw: Raw) -> None:
        try:
            received = read_event(raw)
            if received.service != codec.service:
                return
            event = codec.read(received.parse(codec.message))
        except Poison:
            return
        live.nudge(received.stream)
        _seat(desks, received, event)

    return take


def waits_teller(waits: Waits, read: Callable[[Received], News | None]) -> Take:
    """Shows those who wait what routing says of their wait; most of its facts say nothing of that."""

    def take(raw: Raw) -> None:
        kind = dict(raw.headers).get("ce_type", b"").rpartition(b".")[2]
        if kind not in (b"ContactWaiting", b"ContactDequeued", b"SurgeStepTaken"):
            return
        try:
            received = read_event(raw)
            news = read(received)
        except Poison:
            return
        if news is not None:
            waits.hear(received.stream.tenant, news)

    return take


def _seat(desks: Desks, received: Received, event: ContactEvent | None) -> None:
    match event:
        case AgentConnected(agent=agent) | MessageReceived(agent=agent) | MessageSent(agent=agent) if agent:
            # a desk that opened while its agent was being connected learns of the contact by the next message
            desks.take(received.stream, agent)
        case AgentDisconnected(agent=agent):
            desks.leave(received.stream, agent, received.version)
        case _:
            return
