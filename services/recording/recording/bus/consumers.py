"""Handlers of the topics this service reads."""

from __future__ import annotations

from collections.abc import Callable

from switchlog.bus.consumer import Handler
from switchlog.bus.record import Received
from switchlog.envelope import Codec

from ..app.ports import Line
from ..app.reactions import LegBegan, LegEnded, Over, Reactions
from ..domain.events import RecordingEvent
from ..projections.lines import LinesView
from ..projections.recordings import RecordingsView

GROUP_CONTACTS = "recording-contacts"
GROUP_RECORDINGS = "recording-projections"


def contacts_handler(
    lines: LinesView, reactions: Reactions, read: Callable[[Received], str | Line | LegBegan | LegEnded | Over | None]
) -> Handler:
    """A contact's facts in their order: its messages are kept before its leg's end asks for them."""

    async def handle(received: Received) -> None:
        match read(received):
            case str(customer_ref):
                await lines.started(received.stream, received.version, customer_ref)
            case Line() as line:
                await lines.said(received.stream, line)
            case LegBegan() as began:
                await reactions.when_leg_began(began, received)
            case LegEnded() as ended:
                await reactions.when_leg_ended(ended, received)
            case Over():
                await lines.forget(received.stream)
            case None:
                return

    return handle


def recordings_handler(recordings: RecordingsView, codec: Codec[RecordingEvent]) -> Handler:
    """Own facts into the read model."""

    async def handle(received: Received) -> None:
        event = codec.read(received.parse(codec.message))
        if event is not None:
            await recordings.fold(received.stream, received.version, event)

    return handle
