"""The service over a store in memory: what contacts cause, who may read, what is answered over HTTP and gRPC."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import httpx2
import pytest
from google.protobuf.message import Message
from obstore.store import MemoryStore as MemoryObjects

from contactcenter.bus.v1.envelope_pb2 import EventMeta, Sealed
from contactcenter.contact.v1 import events_pb2 as pb
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT, CHANNEL_VOICE
from contactcenter.recording.v1 import service_pb2 as api
from contactcenter.recording.v1.service_pb2_grpc import RecordingServiceStub
from recording import wire
from recording.adapters.customers import SealerOf
from recording.adapters.objects import StoredObjects
from recording.api.recordings import routes
from recording.app import transcripts
from recording.app.handlers import Recordings
from recording.app.reactions import Reactions, recording_of
from recording.bus.consumers import contacts_handler, recordings_handler
from recording.domain.decide import RECORDING
from recording.domain.events import RecordingDeleted, RecordingPlayed, RecordingStarted, RecordingStored
from recording.projections.lines import LINES, LinesView
from recording.projections.recordings import RecordingsView
from recording.rpc.recordings import recording_servicer
from switchlog.bus.record import Received
from switchlog.clock import ManualClock
from switchlog.envelope import StreamId
from switchlog.errors import Forbidden, NotFound, NotNow, Rejected
from switchlog.rpc import channel, create_server
from switchlog.seal import Erased, SubjectKey, SubjectKeys
from switchlog.store.memory import MemoryStore
from switchlog.testing import TestIssuer, free_port
from switchlog.testing import test_settings as settings_for_tests
from switchlog.web import create_app
from switchlog.writer import Writer, no_publish

TENANT = "acme"
CONTACT = StreamId(TENANT, "contact-c1")
AT = 1_750_000_000_000


@dataclass
class Scene:
    """Facts of a contact come in by ``tell``."""

    erased: bool = False
    away: bool = False
    secret: bytes = field(default_factory=lambda: os.urandom(32))
    version: int = 0

    def __post_init__(self) -> None:
        self.store, clock = MemoryStore(), ManualClock()
        self.keys = SubjectKeys(self._fetch)
        self.sealer, self.objects = SealerOf(self.keys), StoredObjects(MemoryObjects())
        self.writer = Writer(self.store.events, RECORDING, wire.CODEC, no_publish, clock)
        self.recordings = Recordings(self.writer, self.sealer, self.objects)
        self.lines, self.view = LinesView(self.store.views), RecordingsView(self.store.views)
        reactions = Reactions(self.writer, self.lines, self.sealer, self.objects)
        self.hear = contacts_handler(self.lines, reactions, wire.read_contact)
        self.told: list[Received] = []

    async def _fetch(self, tenant: str, customer_ref: str) -> SubjectKey:
        if self.away:
            raise NotNow("AWAY")
        if self.erased:
            raise Erased
        return SubjectKey(customer_ref, self.secret)

    async def tell(self, **fact: Message) -> None:
        self.version += 1
        event = pb.ContactEvent(**fact)
        event.meta.MergeFrom(EventMeta(tenant_id=TENANT, stream=CONTACT.name, version=self.version))
        event.meta.recorded_at.FromMilliseconds(AT + 1000 * self.version)
        value = event.SerializeToString()
        topic, version = "contact.events.v1", self.version
        self.told.append(Received(topic, 0, 0, CONTACT.key, CONTACT, version, "", f"e{version}", "", value, {}))
        await self.hear(self.told[-1])

    async def says(self, id: str, leg: int, text: str = "hello") -> None:
        sealed = await self.sealer.seal(TENANT, "cust-1", "MessageReceived.body", text.encode())
        body = Sealed(key_id=sealed.key_id, nonce=sealed.nonce, ciphertext=sealed.ciphertext)
        kind = pb.MESSAGE_KIND_TEXT
        await self.tell(message_received=pb.MessageReceived(message_id=id, leg=leg, kind=kind, body=body))

    async def start(self) -> None:
        await self.tell(contact_started=pb.ContactStarted(customer_ref="cust-1", channel=CHANNEL_CHAT))
        await self.says("m1", 0)

    async def connect(self, leg: int, agent: str, team: str = "t1") -> None:
        side = {"leg": leg, "queue": "sales", "pool": "front", "agent": agent, "team": team, "channel": CHANNEL_CHAT}
        await self.tell(agent_connected=pb.AgentConnected(**side))

    async def leave(self, leg: int, agent: str) -> None:
        await self.tell(agent_disconnected=pb.AgentDisconnected(leg=leg, agent=agent, channel=CHANNEL_CHAT))

    async def whole(self) -> Scene:
        """One leg of Ann's, stored."""
        await self.start()
        await self.connect(1, "ann")
        await self.leave(1, "ann")
        return self

    async def facts(self, leg: int = 1) -> list[Any]:
        return wire.CODEC.events(await self.store.events.read(recording_of(TENANT, "c1", leg)))

    async def texts(self, leg: int) -> list[str]:
        state = (await self.writer.state(recording_of(TENANT, "c1", leg))).state
        return [one["text"] for one in await transcripts.read(TENANT, state, self.sealer, self.objects)]


async def test_each_leg_of_a_transferred_contact_has_its_own_transcript() -> None:
    """VO-6, CA-1: every message stands in exactly one."""
    scene = Scene()
    await scene.start()
    await scene.says("m2", 1, "still waiting")
    await scene.connect(1, "ann")
    await scene.says("m3", 1, "to ann")
    await scene.leave(1, "ann")
    await scene.says("m4", 2, "between")
    await scene.connect(2, "bob", "t2")
    await scene.says("m5", 2, "to bob")
    await scene.leave(2, "bob")
    assert await scene.texts(1) == ["hello", "still waiting", "to ann"]
    assert await scene.texts(2) == ["between", "to bob"]
    started, stored = await scene.facts()
    assert (started.agent, started.team, stored.messages, stored.duration_ms) == ("ann", "t1", 3, 2000)


async def test_an_overflowed_contact_loses_no_word() -> None:
    """RT-5"""
    scene = Scene()
    await scene.start()
    await scene.says("m2", 1)
    await scene.says("m3", 2)
    await scene.connect(2, "ann")
    await scene.leave(2, "ann")
    assert len(await scene.texts(2)) == 3
    assert await scene.facts(1) == []


async def test_everything_delivered_twice_changes_nothing() -> None:
    """kernel rule 7"""
    scene = await Scene().whole()
    before = await scene.facts()
    for received in scene.told:
        await scene.hear(received)
    assert await scene.facts() == before
    assert [type(fact) for fact in before] == [RecordingStarted, RecordingStored]


async def test_after_the_end_nothing_is_kept_here() -> None:
    scene = await Scene().whole()
    await scene.tell(contact_ended=pb.ContactEnded(leg=1))
    assert await scene.store.views.scan(LINES, CONTACT.key) == []


async def test_keys_that_are_away_are_waited_for() -> None:
    scene = Scene()
    await scene.start()
    await scene.connect(1, "ann")
    scene.away = True
    scene.keys.drop(TENANT, "cust-1")
    with pytest.raises(NotNow):
        await scene.leave(1, "ann")
    scene.away = False
    await scene.hear(scene.told[-1])
    assert isinstance((await scene.facts())[-1], RecordingStored)


async def test_of_an_erased_customer_nothing_is_kept() -> None:
    """PL-5"""
    scene = Scene()
    await scene.start()
    await scene.connect(1, "ann")
    scene.erased = True
    scene.keys.drop(TENANT, "cust-1")
    await scene.leave(1, "ann")
    assert (await scene.facts())[-1] == RecordingDeleted(recording_of(TENANT, "c1", 1).name[10:], "erasure", "")


async def test_calls_and_unknown_facts_pass_by() -> None:
    scene = Scene()
    await scene.start()
    await scene.tell(agent_connected=pb.AgentConnected(leg=1, agent="ann", channel=CHANNEL_VOICE))
    await scene.tell(message_received=pb.MessageReceived(message_id="m9", leg=1, kind=99))
    await scene.tell(survey_offered=pb.SurveyOffered())
    await scene.leave(1, "ann")
    assert await scene.facts() == []


async def test_a_leg_whose_contact_never_began_here_is_left_alone() -> None:
    scene = Scene()
    with pytest.raises(NotFound):
        await scene.connect(1, "ann")
    await scene.leave(1, "ann")
    assert await scene.facts() == []


# -- over HTTP and gRPC --------------------


@pytest.fixture
async def scene() -> Scene:
    return await Scene().whole()


@pytest.fixture
def issuer() -> TestIssuer:
    return TestIssuer(tenant=TENANT)


@pytest.fixture
async def http(scene: Scene, issuer: TestIssuer) -> AsyncIterator[httpx2.AsyncClient]:
    routers = [routes(scene.recordings, scene.view)]
    app = create_app("recording", routers=routers, verifier=issuer.verifier, settings=settings_for_tests("recording"))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        yield client


ID = recording_of(TENANT, "c1", 1).name.removeprefix("recording-")


@pytest.mark.parametrize(
    "subject,role,teams,reason,status",
    [
        ("ann", "agent", (), "", 200),
        ("bob", "agent", (), "", 403),
        ("sue", "supervisor", ("t1",), "", 200),
        ("sue", "supervisor", ("t2",), "", 403),
        ("root", "admin", (), "", 403),
        ("root", "admin", (), "audit", 200),
        ("ana", "analyst", (), "audit", 403),
        ("c1", "visitor", (), "audit", 403),
    ],
)
async def test_who_may_read_and_that_it_is_a_fact(
    http: httpx2.AsyncClient,
    issuer: TestIssuer,
    scene: Scene,
    subject: str,
    role: str,
    teams: tuple[str, ...],
    reason: str,
    status: int,
) -> None:
    """RC-1"""
    headers = issuer.bearer(subject, (role,), teams) | {"idempotency-key": "k"}
    for _ in range(2):
        answered = await http.post(f"/v1/recordings/{ID}:play", json={"reason": reason}, headers=headers)
        assert answered.status_code == status
    played = [fact for fact in await scene.facts() if isinstance(fact, RecordingPlayed)]
    assert [(one.by, one.reason) for one in played] == ([(subject, reason)] if status == 200 else [])
    if status == 200:
        assert [one["text"] for one in answered.json()["messages"]] == ["hello"]


async def test_holds_keep_it_and_only_admins_delete(http: httpx2.AsyncClient, issuer: TestIssuer, scene: Scene) -> None:
    """RC-1"""
    admin, path = issuer.bearer("root", ("admin",)), f"/v1/recordings/{ID}"
    assert (await http.post(f"{path}:delete", headers=issuer.bearer("sue", ("supervisor",)))).status_code == 403
    hold = {"hold_id": "h1", "reason": "court-7"}
    assert (await http.post(f"{path}:place-hold", json=hold, headers=admin)).status_code == 200
    kept = await http.post(f"{path}:delete", headers=admin)
    assert (kept.status_code, kept.json()["reason"]) == (409, "ON_HOLD")
    assert (await http.post(f"{path}:lift-hold", json={"hold_id": "h1"}, headers=admin)).status_code == 200
    stored = (await scene.facts())[1]
    assert (await http.post(f"{path}:delete", headers=admin)).status_code == 200
    await scene.objects.put(stored.object, b"left by a crash")
    assert (await http.post(f"{path}:delete", headers=admin)).status_code == 200
    with pytest.raises(NotFound):
        await scene.objects.get(stored.object)
    gone = await http.post(f"{path}:play", json={"reason": "x"}, headers=admin)
    assert (gone.status_code, gone.json()["reason"]) == (409, "NOT_STORED")


async def test_another_tenants_recording_is_answered_like_nobodys(http: httpx2.AsyncClient, issuer: TestIssuer) -> None:
    """PL-1"""
    rival = issuer.bearer("ann", ("agent", "supervisor", "admin"), tenant="other") | {"x-correlation-id": "c"}
    for verb, body in ((":play", {"reason": "x"}), (":delete", None), (":place-hold", {"hold_id": "h", "reason": "r"})):
        found = [await http.post(f"/v1/recordings/{id}{verb}", json=body, headers=rival) for id in (ID, "nobody")]
        assert [one.status_code for one in found] == [404, 404]
        assert found[0].content == found[1].content


async def test_a_contacts_recordings_are_listed(http: httpx2.AsyncClient, issuer: TestIssuer, scene: Scene) -> None:
    handle = recordings_handler(scene.view, wire.CODEC)
    stream = recording_of(TENANT, "c1", 1)
    for row in await scene.store.events.read(stream):
        at = scene.told[0]._replace(key=stream.key, stream=stream, version=row.version, value=row.value)
        await handle(at)
        await handle(at)
    ann = issuer.bearer("ann", ("agent",))
    assert (await http.get("/v1/recordings?contact=c1", headers=ann)).json() == {"recordings": [ID]}
    assert (await http.get(f"/v1/recordings/{ID}", headers=ann)).json()["messages"] == 1


async def test_the_same_over_grpc(scene: Scene, issuer: TestIssuer) -> None:
    """PL-2"""
    port = free_port()
    settings = settings_for_tests("recording", grpc_port=port)
    server = create_server([recording_servicer(scene.recordings)], issuer.verifier, settings)
    await server.start()

    @dataclass(frozen=True)
    class Token:
        text: str

        async def token(self) -> str:
            return self.text

    admin = channel(f"127.0.0.1:{port}", Token(issuer.issue("root", ("admin",))))
    agent = channel(f"127.0.0.1:{port}", Token(issuer.issue("bob", ("agent",))))
    try:
        client = RecordingServiceStub(admin)
        view = (await client.GetRecording(api.GetRecordingRequest(recording=ID))).recording
        assert (view.state, view.contact, view.leg, view.agent, view.on_hold) == ("stored", "c1", 1, "ann", False)
        held = await client.PlaceHold(api.PlaceHoldRequest(recording=ID, reason="court-7"))
        with pytest.raises(Rejected, match="ON_HOLD"):
            await client.DeleteRecording(api.DeleteRecordingRequest(recording=ID))
        await client.LiftHold(api.LiftHoldRequest(recording=ID, hold_id=held.hold_id))
        with pytest.raises(Rejected, match="BAD_ID"):
            await client.PlaceHold(api.PlaceHoldRequest(recording=ID, reason="Mrs Smith asked"))
        with pytest.raises(Forbidden):
            await RecordingServiceStub(agent).GetRecording(api.GetRecordingRequest(recording=ID))
    finally:
        await admin.close()
        await agent.close()
        await server.stop(None)
