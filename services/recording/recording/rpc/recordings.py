"""``RecordingService``: what is not built yet is UNIMPLEMENTED."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT
from contactcenter.recording.v1 import service_pb2 as pb
from contactcenter.recording.v1.events_pb2 import MEDIA_KIND_TRANSCRIPT
from contactcenter.recording.v1.service_pb2_grpc import (
    RecordingServiceServicer,
    add_RecordingServiceServicer_to_server,
)
from switchlog.auth.principal import Principal
from switchlog.envelope import StreamId
from switchlog.ids import checked_id
from switchlog.rpc import Servicer, caller
from switchlog.rpc_commands import answer, caller_of, cause_of, checked

from ..app.handlers import Recordings


def recording_servicer(recordings: Recordings) -> Servicer:
    # what is not defined here answers UNIMPLEMENTED by the generated base
    return add_RecordingServiceServicer_to_server, RecordingsByRpc(recordings)  # type: ignore[abstract]


@dataclass(frozen=True)
class RecordingsByRpc(RecordingServiceServicer):
    recordings: Recordings

    async def PlaceHold(self, request: pb.PlaceHoldRequest, context: Any) -> pb.PlaceHoldResponse:
        who = caller_of(request, "admin")
        checked_id(request.reason, "reason")  # an id of configuration, never a person's words
        cause = cause_of(request, who)
        stream, hold_id = _stream(who, request.recording), cause.command_id
        done = await self.recordings.place_hold(stream, hold_id, who.subject, request.reason, cause)
        return pb.PlaceHoldResponse(answer=answer(done), hold_id=hold_id)

    async def LiftHold(self, request: pb.LiftHoldRequest, context: Any) -> pb.LiftHoldResponse:
        who = caller_of(request, "admin")
        stream = _stream(who, request.recording)
        done = await self.recordings.lift_hold(stream, request.hold_id, who.subject, cause_of(request, who))
        return pb.LiftHoldResponse(answer=answer(done))

    async def DeleteRecording(self, request: pb.DeleteRecordingRequest, context: Any) -> pb.DeleteRecordingResponse:
        who = caller_of(request, "admin")
        stream = _stream(who, request.recording)
        done = await self.recordings.delete(stream, who.subject, cause_of(request, who))
        return pb.DeleteRecordingResponse(answer=answer(done))

    async def GetRecording(self, request: pb.GetRecordingRequest, context: Any) -> pb.GetRecordingResponse:
        who = caller(checked(request).tenant_id, "agent", "supervisor", "admin")
        shown = await self.recordings.show(_stream(who, request.recording), who)
        view = pb.RecordingView(channel=CHANNEL_CHAT, media=MEDIA_KIND_TRANSCRIPT, on_hold=bool(shown.get("holds")))
        for name in ("recording", "state", "contact", "leg", "queue", "agent", "team", "duration_ms", "sha256"):
            if name in shown:
                setattr(view, name, shown[name])
        return pb.GetRecordingResponse(recording=view)


def _stream(who: Principal, recording: str) -> StreamId:
    return StreamId(who.tenant, f"recording-{recording}")
