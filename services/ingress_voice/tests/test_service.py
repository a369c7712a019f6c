"""Calls over a store in memory and a scripted switch: what the switch reports, what people ask, over HTTP too."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from contactcenter.bus.v1.envelope_pb2 import EventMeta
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT
from contactcenter.routing.v1.config_pb2 import OVERFLOW_TRIGGER_CLOSED, OverflowRule, QueueConfigRow, QueueDefinition
from contactcenter.routing.v1.events_pb2 import RoutingEvent
from ingress_voice import wire, wiring
from ingress_voice.adapters.queues import QueueTable
from ingress_voice.adapters.scripted_switch import ScriptedSwitch, Step, read_script
from ingress_voice.app.ports import AgentAnswered, AgentHungUp, CallArrived, Caller, CallerHungUp, EntryPoint, Hours
from ingress_voice.app.reactions import Assigned, Dequeued, Overflowed, Reactions
from ingress_voice.bus import gateway
from switchlog.bus.record import Received
from switchlog.clock import ManualClock
from switchlog.envelope import StreamId
from switchlog.errors import NotFound, NotNow, Rejected
from switchlog.ids import derived
from switchlog.store.memory import MemoryStore
from switchlog.testing import TestIssuer, eventually
from switchlog.testing import test_settings as settings_for_tests
from switchlog.writer import Writer, no_publish

TENANT = "acme"
ARRIVED = CallArrived("line-1", "4001", "+8613900000000", "trunk-1")
CONTACT = StreamId(TENANT, f"contact-{derived(TENANT, 'call', 'line-1')}")
ID = CONTACT.name.removeprefix("contact-")


class People:
    """Customers as their owner would tell them."""

    def __init__(self) -> None:
        self.numbers: list[str] = []
        self.away = False
        self.served_by, self.served_at = "", 0

    async def by_phone(self, tenant: str, number: str, cause: str) -> Caller:
        if self.away:
            raise NotNow("AWAY")
        self.numbers.append(number)
        return Caller(f"cust-{cause[:8]}", self.served_by, self.served_at)


class Scene:
    def __init__(self, steps: list[Step] | None = None) -> None:
        self.store, self.clock, self.people = MemoryStore(), ManualClock(), People()
        self.known = True
        self.kernel: Any = SimpleNamespace(
            settings=settings_for_tests("ingress_voice"),
            clock=self.clock,
            store=self.store,
            writer=lambda rules, codec: Writer(self.store.events, rules, codec, no_publish, self.clock),
            ready=self._ready,
        )
        self.queues = QueueTable(wire.read_queue, lambda: self.known)
        self.switch = ScriptedSwitch(steps or [], answer_after_s=0.01)
        self.calls = wiring.build(self.kernel, self.people, self.queues, self.switch)
        self.reactions = Reactions(self.calls)

    async def _ready(self) -> dict[str, bool]:
        return {"store": await self.store.ready()}

    async def set_up(self) -> Scene:
        self.queue()
        await self.calls.entry_points.put(EntryPoint(TENANT, "hotline", "4001", "sales"), self.clock.now())
        return self

    def queue(self, queue: str = "sales", *, open: bool = True, revision: int = 1, **defined: Any) -> None:
        definition = QueueDefinition(**defined)
        row = QueueConfigRow(
            tenant_id=TENANT, queue=queue, pool="front", open=open, revision=revision, definition=definition
        )
        self.queues.take(row.SerializeToString())

    async def assign(self, leg: int = 1, agent: str = "ann", offer: str = "o1", at: int = 1, **more: Any) -> None:
        fact = Assigned(ID, leg, agent, "t1", offer)
        await self.reactions.when_contact_assigned(fact, heard(at)._replace(**more))

    async def talking(self) -> None:
        await self.calls.happened(ARRIVED)
        await self.assign()
        await self.calls.happened(AgentAnswered("line-1", "ann", "o1"))

    async def facts(self) -> list[Any]:
        return wire.CODEC.events(await self.store.events.read(CONTACT))

    async def names(self) -> list[str]:
        return [type(fact).__name__ for fact in await self.facts()]


def heard(version: int) -> Received:
    stream = StreamId(TENANT, "pool-front")
    meta = EventMeta(tenant_id=TENANT, stream=stream.name, version=version)
    value, topic = RoutingEvent(meta=meta).SerializeToString(), "routing.events.v1"
    return Received(topic, 0, version, stream.key, stream, version, "", f"e{version}", "", value, {})


@pytest.fixture
async def scene() -> Scene:
    return await Scene().set_up()


async def test_an_arriving_call_waits_in_its_queue_once(scene: Scene) -> None:
    """CH-1, VO-1"""
    for _ in range(2):
        await scene.calls.happened(ARRIVED)
    assert await scene.names() == ["ContactStarted", "TrunkSeized", "SystemConnected", "ContactQueued"]
    rows = await scene.store.events.read(CONTACT)
    assert not any(b"13900000000" in row.value for row in rows)


async def test_the_answer_connects_the_leg_that_was_rung_with_its_team(scene: Scene) -> None:
    await scene.talking()
    connected = (await scene.facts())[-1]
    assert (connected.leg, connected.agent, connected.team, connected.offer_id) == (1, "ann", "t1", "o1")


async def test_a_late_answer_does_not_take_a_leg_that_has_moved_on(scene: Scene) -> None:
    """RT-2: never two owners."""
    await scene.calls.happened(ARRIVED)
    await scene.assign()
    await scene.reactions.when_contact_overflowed(Overflowed(ID, 1, "billing", "back"), heard(2))
    await scene.calls.happened(AgentAnswered("line-1", "ann", "o1"))
    last = (await scene.facts())[-1]
    assert (type(last).__name__, last.leg, last.queue, last.pool) == ("ContactQueued", 2, "billing", "back")


async def test_an_offer_rings_once_and_never_on_a_replay(scene: Scene) -> None:
    """trust, Side effects"""
    await scene.calls.happened(ARRIVED)
    await scene.assign(replayed=True)
    assert scene.switch._rung == set()
    for _ in range(2):
        await scene.assign()
    await scene.assign(leg=7, offer="o7")
    assert scene.switch._rung == {"o1"}


async def test_contacts_of_other_channels_pass_by(scene: Scene) -> None:
    await scene.assign()
    await scene.reactions.when_contact_overflowed(Overflowed(ID, 1, "billing", "back"), heard(2))
    assert await scene.facts() == []


async def test_an_answer_nobody_rang_for_is_refused(scene: Scene) -> None:
    await scene.calls.happened(ARRIVED)
    with pytest.raises(NotFound):
        await scene.calls.happened(AgentAnswered("line-1", "eve", "made-up"))


@pytest.mark.parametrize("called,closed", [("4001", True), ("9999", False)])
async def test_a_call_that_cannot_wait_is_hung_up(scene: Scene, called: str, closed: bool) -> None:
    scene.queue(open=not closed, revision=2)
    assert await gateway._handled(scene.calls, CallArrived("line-1", called, "", "trunk-1"))
    assert scene.switch._gone == {"line-1"}
    assert await gateway._handled(scene.calls, CallerHungUp("line-1"))
    assert (await scene.names())[-1:] == (["ContactEnded"] if closed else [])


async def test_a_queue_that_takes_no_calls_has_none_waiting(scene: Scene) -> None:
    """RT-5"""
    scene.queue(revision=2, channels=[CHANNEL_CHAT])
    await scene.calls.happened(ARRIVED)
    assert scene.switch._gone == {"line-1"}
    assert "ContactQueued" not in await scene.names()


async def test_a_closed_queue_with_a_rule_for_it_takes_the_call(scene: Scene) -> None:
    """RT-5"""
    scene.queue(open=False, revision=2, overflows=[OverflowRule(trigger=OVERFLOW_TRIGGER_CLOSED)])
    await scene.calls.happened(ARRIVED)
    assert (await scene.names())[-1] == "ContactQueued"


async def test_what_is_away_is_tried_again(scene: Scene) -> None:
    scene.people.away = True
    assert not await gateway._handled(scene.calls, ARRIVED)
    scene.people.away, scene.known = False, False
    assert not await gateway._handled(scene.calls, ARRIVED)
    scene.known = True
    assert await gateway._handled(scene.calls, ARRIVED)
    assert (await scene.names())[-1] == "ContactQueued"


async def test_the_caller_stays_when_the_agent_leaves(scene: Scene) -> None:
    """VO-5"""
    await scene.talking()
    await scene.calls.happened(AgentHungUp("line-1", "ann"))
    await scene.calls.happened(CallerHungUp("line-1"))
    assert (await scene.names())[-4:] == ["AgentDisconnected", "CustomerDisconnected", "TrunkReleased", "ContactEnded"]


async def test_a_script_is_played_through_the_gateway(tmp_path: Path) -> None:
    script = tmp_path / "calls.jsonl"
    script.write_text(
        '{"at_s": 0.05, "do": "caller_hangs_up", "call": "line-1"}\n\n'
        '{"at_s": 0, "do": "arrive", "call": "line-1", "called": "4001", "caller": "+86139", "trunk": "t"}\n'
        '{"at_s": 0, "do": "agent_hangs_up", "call": "line-1"}\n'
    )
    scene = await Scene(read_script(script)).set_up()
    listening = asyncio.create_task(gateway.listen(scene.calls))

    async def ended() -> bool:
        return "ContactEnded" in await scene.names()

    try:
        await eventually(ended, within_s=3)
    finally:
        listening.cancel()
    assert "ContactAbandoned" in await scene.names()


@pytest.mark.parametrize("line", ["{", '{"at_s": 0, "do": "sing", "call": "c"}', '{"at_s": 0, "do": "arrive", "x": 1}'])
def test_a_bad_script_names_its_line(tmp_path: Path, line: str) -> None:
    script = tmp_path / "calls.jsonl"
    script.write_text(f'{{"at_s": 0, "do": "arrive", "call": "c"}}\n{line}\n')
    with pytest.raises(ValueError, match="line 2"):
        read_script(script)


# -- over HTTP -----------------------------------------------------------------


@pytest.fixture
def issuer() -> TestIssuer:
    return TestIssuer(tenant=TENANT)


@pytest.fixture
async def http(scene: Scene, issuer: TestIssuer) -> AsyncIterator[httpx2.AsyncClient]:
    app = wiring.app(scene.kernel, scene.calls, scene.queues, issuer.verifier)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        yield client


async def test_hold_and_end_are_the_own_agents(http: httpx2.AsyncClient, scene: Scene, issuer: TestIssuer) -> None:
    """VO-3"""
    await scene.talking()
    ann, bob = issuer.bearer("ann", ("agent",)), issuer.bearer("bob", ("agent",))
    for verb, held in (("hold", True), ("hold", True), ("resume", False)):
        assert (await http.post(f"/v1/contacts/{ID}:{verb}", headers=ann)).status_code == 200
        assert scene.switch.held["line-1"] is held
    for verb in ("hold", "end"):
        refused = await http.post(f"/v1/contacts/{ID}:{verb}", headers=bob)
        assert (refused.status_code, refused.json()["reason"]) == (409, "NOT_YOUR_CONTACT")
    await scene.calls.happened(AgentHungUp("line-1", "ann"))
    assert (await http.post(f"/v1/contacts/{ID}:end", headers=bob)).status_code == 409
    assert scene.switch._gone == set()
    for _ in range(2):
        assert (await http.post(f"/v1/contacts/{ID}:end", headers=ann)).status_code == 200
    assert scene.switch._gone == {"line-1"}


async def test_roles_and_tenants(http: httpx2.AsyncClient, scene: Scene, issuer: TestIssuer) -> None:
    """PL-1"""
    await scene.talking()
    for role in ("supervisor", "admin", "analyst", "visitor"):
        assert (await http.post(f"/v1/contacts/{ID}:end", headers=issuer.bearer("ann", (role,)))).status_code == 403
    rival = issuer.bearer("ann", ("agent",), tenant="other") | {"x-correlation-id": "c"}
    for verb in (":hold", ":resume", ":end"):
        found = [await http.post(f"/v1/contacts/{id}{verb}", headers=rival) for id in (ID, "nobody")]
        assert [one.status_code for one in found] == [404, 404]
        assert found[0].content == found[1].content
    assert (await http.get(f"/v1/contacts/{ID}", headers=rival)).status_code == 404


async def test_access_numbers_are_the_admins(http: httpx2.AsyncClient, issuer: TestIssuer, scene: Scene) -> None:
    """CH-4"""
    admin, body = issuer.bearer("root", ("admin",)), {"called": "4002", "queue": "sales"}
    scene.clock.advance(1)
    assert (await http.put("/v1/entry-points/vip", json=body, headers=admin)).status_code == 200
    assert [one["id"] for one in (await http.get("/v1/entry-points", headers=admin)).json()] == ["hotline", "vip"]
    taken = await http.put("/v1/entry-points/x", json=body, headers=admin)
    assert (taken.status_code, taken.json()["reason"]) == (409, "NUMBER_TAKEN")
    agent = issuer.bearer("ann", ("agent",))
    assert (await http.put("/v1/entry-points/vip", json=body, headers=agent)).status_code == 403


async def test_nothing_is_ready_before_the_queues_are_known(http: httpx2.AsyncClient, scene: Scene) -> None:
    assert (await http.get("/readyz")).status_code == 200
    scene.known = False
    assert (await http.get("/readyz")).status_code == 503
    with pytest.raises(NotNow):
        scene.queues.place(TENANT, "nowhere")
    scene.known = True
    with pytest.raises(Rejected, match="QUEUE_UNKNOWN"):
        scene.queues.place(TENANT, "nowhere")


@pytest.mark.parametrize("outcome", ["timed_out", "blocked", "callback"])
async def test_a_wait_that_is_over_for_good_ends_the_call_and_drops_its_line(scene: Scene, outcome: str) -> None:
    """RT-5: the fact first, then the switch; heard twice it is one end."""
    await scene.calls.happened(ARRIVED)
    for _ in range(2):
        await scene.reactions.when_contact_dequeued(Dequeued(ID, 1, outcome), heard(2))
    assert (await scene.names())[-2:] == ["TrunkReleased", "ContactEnded"]
    assert (await scene.facts())[-1].reason.value == outcome
    assert "line-1" in scene.switch._gone
    await scene.calls.happened(CallerHungUp("line-1"))  # the switch says so in its turn
    assert (await scene.names()).count("ContactEnded") == 1


async def test_a_call_that_talks_already_is_not_dropped_by_late_news(scene: Scene) -> None:
    await scene.talking()
    await scene.reactions.when_contact_dequeued(Dequeued(ID, 1, "timed_out"), heard(2))
    assert "ContactEnded" not in await scene.names()
    assert "line-1" not in scene.switch._gone


async def test_voicemail_lets_the_caller_speak_until_the_caller_hangs_up(scene: Scene) -> None:
    """RT-5"""
    await scene.calls.happened(ARRIVED)
    await scene.reactions.when_contact_overflowed(Overflowed(ID, 1, "", "", "voicemail"), heard(2))
    assert scene.switch.messages == {"line-1"}
    await scene.calls.happened(CallerHungUp("line-1"))
    assert (await scene.names())[-3:] == ["CustomerDisconnected", "TrunkReleased", "ContactEnded"]
    assert (await scene.facts())[-1].reason.value == "self_served"


async def test_a_contact_of_another_channel_is_left_alone(scene: Scene) -> None:
    await scene.reactions.when_contact_dequeued(Dequeued("chat-1", 1, "timed_out"), heard(2))
    await scene.reactions.when_contact_overflowed(Overflowed("chat-1", 1, "", "", "voicemail"), heard(3))
    assert await scene.store.events.read(StreamId(TENANT, "contact-chat-1")) == []


@pytest.mark.parametrize(
    ("when_closed", "names"),
    [
        ("end", ["SystemConnected", "TrunkReleased", "ContactEnded"]),
        ("message", ["TrunkSeized", "SystemConnected", "SystemConnected"]),
        ("queue", ["TrunkSeized", "SystemConnected", "ContactQueued"]),
    ],
)
async def test_outside_the_hours_a_call_is_ended_recorded_or_put_elsewhere(
    scene: Scene, when_closed: str, names: list[str]
) -> None:
    """RT-6"""
    scene.queue("night")
    await scene.calls.hours.put(Hours(TENANT, "never", "Asia/Shanghai"), scene.clock.now())
    door = EntryPoint(TENANT, "hotline", "4001", "sales", "", "greeting", 0, "never", when_closed, "night")
    await scene.calls.entry_points.put(door, scene.clock.now() + 1)
    await scene.calls.happened(ARRIVED)
    assert (await scene.names())[-3:] == names
    assert ("line-1" in scene.switch._gone) == (when_closed == "end")
    assert scene.switch.messages == ({"line-1"} if when_closed == "message" else set())
    if when_closed == "queue":
        assert (await scene.facts())[-1].queue == "night"


@pytest.mark.parametrize(("days", "preferred"), [(0, ("", 0)), (7, ("bob", 45_000)), (6, ("", 0))])
async def test_a_returning_callers_agent_is_preferred_within_the_days_of_the_door(
    scene: Scene, days: int, preferred: tuple[str, int]
) -> None:
    """RT-1: served exactly seven days ago."""
    door = EntryPoint(TENANT, "hotline", "4001", "sales", last_agent_days=days, last_agent_wait_s=45)
    await scene.calls.entry_points.put(door, scene.clock.now() + 1)
    scene.clock.advance(8 * 24 * 3600)
    scene.people.served_by, scene.people.served_at = "bob", scene.clock.now() - 7 * 24 * 3600 * 1000
    await scene.calls.happened(ARRIVED)
    queued = (await scene.facts())[-1]
    assert (queued.preferred_agent, queued.preferred_agent_ms) == preferred
