"""Handlers of the topics this service reads."""

from __future__ import annotations

from collections.abc import Callable

from switchlog.bus.consumer import Handler
from switchlog.bus.record import Received

from ..app.reactions import Assigned, Dequeued, Overflowed, Reactions

GROUP_REACTIONS = "ingress-voice-reactions"

ReadRouting = Callable[[Received], Assigned | Overflowed | Dequeued | None]


def routing_handler(reactions: Reactions, read: ReadRouting) -> Handler:
    """Assignments and overflows of calls, and waits that are over for good."""

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
