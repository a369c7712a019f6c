"""Facts of contacts and the commands they cause here: a chat leg's transcript begins, and is stored."""

from __future__ import annotations

from dataclasses import dataclass

from switchlog.bus.reaction import reaction
from switchlog.bus.record import Received
from switchlog.envelope import StreamId
from switchlog.ids import derived
from switchlog.log import get_logger
from switchlog.seal import Erased
from switchlog.writer import Writer

from ..domain.commands import DeleteRecording, RecordingCommand, StartRecording
from ..domain.decide import ERASURE
from ..domain.events import RecordingEvent
from ..domain.state import RecordingState, Running
from . import transcripts
from .ports import Lines, Objects, Sealer

log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class LegBegan:
    """An agent was connected to a chat."""

    contact: str
    leg: int
    queue: str
    pool: str
    agent: str
    team: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class LegEnded:
    """The agent's leg of a chat is over; ``at_ms`` epoch milliseconds."""

    contact: str
    leg: int
    at_ms: int


@dataclass(frozen=True, slots=True)
class Over:
    """The contact has ended, all its legs before."""


@dataclass(frozen=True)
class Reactions:
    recordings: Writer[RecordingCommand, RecordingState, RecordingEvent]
    lines: Lines
    sealer: Sealer
    objects: Objects

    async def when_leg_began(self, fact: LegBegan, received: Received) -> None:
        tenant = received.stream.tenant
        stream = recording_of(tenant, fact.contact, fact.leg)
        customer_ref = await self.lines.customer(tenant, fact.contact)
        name = stream.name.removeprefix("recording-")
        await self.lines.began(tenant, fact.contact, fact.leg, fact.at_ms, received.version)
        side = (fact.contact, fact.leg, fact.queue, fact.pool, fact.agent, fact.team)
        await reaction(self.recordings, stream, StartRecording(name, *side, customer_ref), received, "when_leg_began")

    async def when_leg_ended(self, fact: LegEnded, received: Received) -> None:
        """A redelivery finds the recording stored and makes no second object."""
        stream = recording_of(received.stream.tenant, fact.contact, fact.leg)
        folded = await self.recordings.state(stream)
        if received.replayed or not isinstance(folded.state, Running):
            return
        lines = await self.lines.of_leg(stream.tenant, fact.contact, fact.leg)
        began_at = await self.lines.began_at(stream.tenant, fact.contact, fact.leg)
        duration_ms = max(0, fact.at_ms - (began_at or fact.at_ms))
        command: RecordingCommand
        try:
            command = await transcripts.store(
                stream.tenant, folded.state.leg, lines, duration_ms, self.sealer, self.objects
            )
        except Erased:
            log.info("transcript_of_erased_customer_not_kept", recording=stream.name)
            command = DeleteRecording(ERASURE, "")
        await reaction(self.recordings, stream, command, received, "when_leg_ended")


def recording_of(tenant: str, contact: str, leg: int) -> StreamId:
    """One leg, one recording (VO-6): the id comes from both."""
    return StreamId(tenant, f"recording-{derived(tenant, contact, leg, 'transcript')}")
