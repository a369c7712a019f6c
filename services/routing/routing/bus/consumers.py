"""Handlers of the topics this service reads: forward to the inbox, project own facts, publish queues."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence

from switchlog.bus.apply import BatchHandler
from switchlog.bus.consumer import Handler
from switchlog.bus.record import Received
from switchlog.envelope import Codec
from switchlog.outlet import Record

from ..domain.events import Event, QueueDefined
from ..projections.offers import Offers
from ..projections.queues import Queues

GROUP_FORWARD = "routing-forward"
GROUP_PROJECT = "routing-project"
GROUP_CONFIG = "routing-config"

OFFER_FACTS = frozenset({"ContactOffered", "OfferAccepted", "OfferDeclined", "OfferExpired", "OfferWithdrawn"})
CONFIG_FACTS = frozenset({"QueueDefined", "TimerElapsed"})

Send = Callable[[str, Sequence[Record]], Awaitable[None]]


def forwarder(send: Send, inbox: str, forwarded: Callable[[Received], Iterable[Record]]) -> BatchHandler:
    """Foreign facts to the pools they name, in order per pool; done when the inbox has them (rule 21)."""

    async def handle(batch: Sequence[Received]) -> None:
        records = [record for received in batch for record in forwarded(received)]
        if records:
            await send(inbox, records)

    return handle


def projector(offers: Offers, queues: Queues, codec: Codec[Event]) -> Handler:
    """Own facts into the read models."""

    async def handle(received: Received) -> None:
        kind = received.type.rpartition(".")[2]
        if kind not in OFFER_FACTS and kind != "QueueDefined":
            return
        message = received.parse(codec.message)
        event = codec.read(message)
        if isinstance(event, QueueDefined):
            await queues.fold(received.stream, received.version, event)
        elif event is not None:
            at = received.meta().recorded_at.ToMilliseconds()
            await offers.fold(received.stream, received.version, event, at)

    return handle


def publisher(send: Send, topic: str, row_after: Callable[[Received], Awaitable[Record | None]]) -> Handler:
    """How queues stand, to the compacted configuration topic; publishing a row again changes nothing."""

    async def handle(received: Received) -> None:
        row = await row_after(received) if received.type.rpartition(".")[2] in CONFIG_FACTS else None
        if row is not None and not received.replayed:
            await send(topic, [row])

    return handle
