"""Commands and queries of people: reading is an audited command."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from switchlog.auth.principal import Principal
from switchlog.decider import Rejected
from switchlog.envelope import Cause, StreamId
from switchlog.errors import Forbidden, NotFound
from switchlog.writer import Answer, Writer

from ..domain.commands import DeleteRecording, LiftHold, PlaceHold, PlayRecording, RecordingCommand
from ..domain.events import RecordingEvent
from ..domain.state import Deleted, RecordingState, Running, Stored, Unknown
from . import transcripts
from .ports import Objects, Sealer


@dataclass(frozen=True)
class Recordings:
    """Each call raises ``Rejected``, ``NotFound``, ``Forbidden`` or ``NotNow``."""

    recordings: Writer[RecordingCommand, RecordingState, RecordingEvent]
    sealer: Sealer
    objects: Objects

    async def show(self, recording: StreamId, caller: Principal) -> dict[str, Any]:
        """What stands about it, without content."""
        state = await self._known(recording)
        check_reader(caller, state, "metadata")
        return described(state)

    async def play(self, recording: StreamId, caller: Principal, reason: str, cause: Cause) -> list[dict[str, Any]]:
        """The transcript in clear; the audit fact stands before anything is shown."""
        state = await self._known(recording)
        check_reader(caller, state, reason)
        await self.recordings.execute(recording, PlayRecording(caller.subject, reason), cause)
        if not isinstance(state, Stored):
            raise Rejected("NOT_STORED")
        return await transcripts.read(recording.tenant, state, self.sealer, self.objects)

    async def place_hold(self, recording: StreamId, hold_id: str, by: str, reason: str, cause: Cause) -> Answer:
        await self._known(recording)
        return await self.recordings.execute(recording, PlaceHold(hold_id, by, reason), cause)

    async def lift_hold(self, recording: StreamId, hold_id: str, by: str, cause: Cause) -> Answer:
        await self._known(recording)
        return await self.recordings.execute(recording, LiftHold(hold_id, by), cause)

    async def delete(self, recording: StreamId, by: str, cause: Cause) -> Answer:
        """The fact first, then the object: a crash between leaves an object that the next call removes."""
        await self._known(recording)
        answer = await self.recordings.execute(recording, DeleteRecording("by_hand", by), cause)
        state = await self._known(recording)
        if isinstance(state, Stored | Deleted) and state.object:
            await self.objects.delete(state.object)
        return answer

    async def _known(self, recording: StreamId) -> Running | Stored | Deleted:
        state = (await self.recordings.state(recording)).state
        if isinstance(state, Unknown):
            raise NotFound(detail=recording.name)
        return state


def check_reader(caller: Principal, state: Running | Stored | Deleted, reason: str) -> None:
    """The agent of the leg, supervisors of the team, admins who give a reason; raises ``Forbidden`` for others."""
    own = caller.has("agent") and caller.subject == state.leg.agent
    led = caller.has("supervisor") and (not state.leg.team or state.leg.team in caller.teams)
    if not (own or led or (caller.has("admin") and reason)):
        raise Forbidden("NOT_YOUR_RECORDING")


def described(state: Running | Stored | Deleted) -> dict[str, Any]:
    """A recording as JSON."""
    leg = state.leg
    shown: dict[str, Any] = {"recording": leg.recording, "state": type(state).__name__.lower()}
    shown |= {"contact": leg.contact, "leg": leg.leg, "queue": leg.queue, "agent": leg.agent, "team": leg.team}
    if isinstance(state, Stored):
        shown |= {"sha256": state.sha256, "duration_ms": state.duration_ms, "messages": state.messages}
    if not isinstance(state, Deleted):
        shown["holds"] = sorted(state.holds)
    return shown
