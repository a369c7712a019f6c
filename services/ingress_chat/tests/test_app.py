"""Commands and reactions over a store in memory."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT, CHANNEL_VOICE
from contactcenter.routing.v1.config_pb2 import OVERFLOW_TRIGGER_CLOSED, OverflowRule
from ingress_chat.app.handlers import Draft
from ingress_chat.app.history import check_reader
from ingress_chat.app.ports import EntryPoint, LastAgent
from ingress_chat.app.reactions import Assigned, Overflowed
from ingress_chat.domain.events import (
    AgentConnected,
    ContactQueued,
    MessageKind,
    MessageReceived,
    MessageSent,
)
from ingress_chat.domain.state import Ended, Talking, Waiting
from switchlog.auth.principal import Principal
from switchlog.envelope import StreamId
from switchlog.errors import Forbidden, NotFound, NotNow, Rejected
from switchlog.seal import Erased

from .scene import DOOR, SITE_KEY, TENANT, Scene, heard

HELLO = Draft("m1", MessageKind.TEXT, "hello")


@pytest.fixture
async def scene(tmp_path: Path) -> Scene:
    return await Scene(tmp_path).set_up()


async def test_the_first_message_queues_in_one_append_and_is_sealed(scene: Scene) -> None:
    """CH-1"""
    contact = await scene.begun()
    answer = await scene.chats.receive(contact, HELLO, scene.cause())
    rows = await scene.store.events.read(contact)
    assert answer.version == 3
    assert rows[1].batch_id == rows[2].batch_id
    queued = (await scene.facts(contact))[-1]
    assert isinstance(queued, ContactQueued)
    assert (queued.queue, queued.pool, queued.priority, queued.attributes) == ("sales", "front", 2, (("plan", "gold"),))
    assert all(b"hello" not in row.value for row in rows)


async def test_a_resent_command_has_one_effect_and_one_answer(scene: Scene) -> None:
    """CH-6, I2"""
    contact, cause = await scene.begun(), scene.cause("k1", "d1")
    first = await scene.chats.receive(contact, HELLO, cause)
    await scene.say(contact, "m2")
    again = await scene.chats.receive(contact, HELLO, cause)
    assert (again.version, again.repeated) == (first.version, True)
    with pytest.raises(Rejected, match="IDEMPOTENCY_KEY_REUSED"):
        await scene.chats.receive(contact, Draft("m9", MessageKind.TEXT, "other"), scene.cause("k1", "d2"))


async def test_a_resend_under_another_key_is_harmless_too(scene: Scene) -> None:
    contact = await scene.waiting()
    await scene.say(contact, "m1")
    assert [type(fact) for fact in await scene.facts(contact)].count(MessageReceived) == 1


BROWSER = "b" * 22
DAY_S = 24 * 3600


@pytest.mark.parametrize(
    ("days", "browser", "preferred"),
    [(7, BROWSER, ("bob", 45_000)), (6, BROWSER, ("", 0)), (0, BROWSER, ("", 0)), (7, "", ("", 0))],
)
async def test_a_returning_visitors_agent_is_preferred_within_the_days_of_the_door(
    scene: Scene, days: int, browser: str, preferred: tuple[str, int]
) -> None:
    """RT-1: served exactly seven days ago; who comes without the secret is somebody new."""
    door = replace(DOOR, last_agent_days=days, last_agent_wait_s=45)
    await scene.chats.entry_points.put(door, scene.clock.now() + 1)
    scene.clock.advance(8 * DAY_S)
    scene.people.served[f"cust-{BROWSER[:12]}"] = LastAgent("bob", scene.clock.now() - 7 * DAY_S * 1000)
    contact = (await scene.chats.start(door, "en", [], scene.cause(), browser)).stream
    await scene.say(contact, "m1")
    queued = (await scene.facts(contact))[-1]
    assert isinstance(queued, ContactQueued)
    assert (queued.preferred_agent, queued.preferred_agent_ms) == preferred


async def test_nobody_waits_because_the_last_agent_cannot_be_told(scene: Scene) -> None:
    """RT-1: the key of the customer is at hand, their owner is away."""
    await scene.chats.entry_points.put(replace(DOOR, last_agent_days=7), scene.clock.now() + 1)
    contact = await scene.begun()
    await scene.chats.sealer.seal(TENANT, (await scene.chats.state(contact)).contact.customer_ref, "f", b"")
    scene.people.away = NotNow("AWAY")
    await scene.say(contact, "m1")
    assert isinstance((await scene.chats.state(contact)), Waiting)


async def test_the_same_start_is_the_same_contact(scene: Scene) -> None:
    first = await scene.chats.start(DOOR, "en", [], scene.cause("k"))
    again = await scene.chats.start(DOOR, "en", [], scene.cause("k"))
    assert first.stream == again.stream


async def test_undeclared_attributes_and_unknown_doors_are_refused(scene: Scene) -> None:
    with pytest.raises(Rejected, match="ATTRIBUTE_NOT_DECLARED"):
        await scene.chats.start(DOOR, "en", [("card", "4111")], scene.cause())
    with pytest.raises(NotFound, match="SITE_KEY_UNKNOWN"):
        await scene.chats.entry_points.by_site_key("nobody")


async def test_unknown_and_closed_queues_take_no_new_contact(scene: Scene) -> None:
    contact = await scene.begun()
    scene.queue(open=False, revision=2)
    with pytest.raises(Rejected, match="QUEUE_CLOSED"):
        await scene.say(contact, "m1")
    nowhere = EntryPoint(TENANT, "web", SITE_KEY, "nowhere")
    scene.clock.advance(1)
    await scene.chats.entry_points.put(nowhere, scene.clock.now())
    with pytest.raises(Rejected, match="QUEUE_UNKNOWN"):
        await scene.say(contact, "m1")


async def test_a_closed_queue_with_a_rule_for_it_takes_who_comes(scene: Scene) -> None:
    """RT-5: the pool sends them on by its rule; the door must not refuse what the rule would help."""
    contact = await scene.begun()
    scene.queue(open=False, revision=2, overflows=[OverflowRule(trigger=OVERFLOW_TRIGGER_CLOSED)])
    await scene.say(contact, "m1")
    assert isinstance((await scene.facts(contact))[-1], ContactQueued)


async def test_a_queue_that_takes_no_chats_refuses_them_at_the_door_and_on_transfer(scene: Scene) -> None:
    """RT-5 blocked, told to whoever asks: 409 CHANNEL_NOT_TAKEN."""
    talking, contact = await scene.talking(), await scene.begun()
    scene.queue("calls", channels=[CHANNEL_VOICE])
    with pytest.raises(Rejected, match="CHANNEL_NOT_TAKEN"):
        await scene.chats.transfer(talking, "ann", "calls", scene.cause())
    scene.queue(revision=2, channels=[CHANNEL_VOICE])
    with pytest.raises(Rejected, match="CHANNEL_NOT_TAKEN"):
        await scene.say(contact, "m1")
    scene.queue(revision=3, channels=[CHANNEL_VOICE, CHANNEL_CHAT])
    await scene.say(contact, "m1")


async def test_who_waits_in_a_queue_that_closes_may_go_on_writing(scene: Scene) -> None:
    contact = await scene.waiting()
    scene.queue(open=False, revision=2)
    await scene.say(contact, "m2")
    assert isinstance((await scene.facts(contact))[-1], MessageReceived)


async def test_before_the_queues_are_known_nobody_is_told_that_one_is_unknown(scene: Scene) -> None:
    contact = await scene.begun()
    scene.service.table.caught_up.clear()
    with pytest.raises(NotNow, match="QUEUES_NOT_READ_YET"):
        await scene.say(contact, "m1")
    with pytest.raises(NotNow):
        overflow = Overflowed(contact.name.removeprefix("contact-"), 1, "billing", "back")
        await scene.reactions.when_contact_overflowed(overflow, heard(1))


async def test_a_garbled_row_of_a_queue_changes_nothing(scene: Scene) -> None:
    scene.service.queues.take(b"\xff\xff\xff")
    scene.service.queues.take(None)
    assert scene.service.queues.place(TENANT, "sales").pool == "front"


async def test_a_queue_follows_its_latest_revision_and_pool(scene: Scene) -> None:
    scene.queue(pool="front", revision=7)
    scene.queue(pool="front", open=False, revision=3)
    assert scene.service.queues.place(TENANT, "sales").pool == "front"
    scene.queue(pool="back", revision=1)
    assert scene.service.queues.place(TENANT, "sales").pool == "back"


async def test_an_ended_contact_takes_no_message_but_knows_its_own(scene: Scene) -> None:
    contact = await scene.talking()
    cause = scene.cause("k1")
    sent = await scene.chats.send(contact, Draft("a1", MessageKind.TEXT, "hi"), "ann", cause)
    await scene.chats.end_by_agent(contact, "ann", scene.cause())
    with pytest.raises(Rejected, match="CONTACT_ENDED"):
        await scene.say(contact, "m9")
    with pytest.raises(Rejected, match="CONTACT_ENDED"):
        await scene.reply(contact, "a9")
    await scene.say(contact, "m1")
    assert (await scene.chats.send(contact, Draft("a1", MessageKind.TEXT, "hi"), "ann", cause)).version == sent.version


async def test_only_the_connected_agent_acts(scene: Scene) -> None:
    contact = await scene.talking()
    for call in (
        scene.reply(contact, "x1", agent="bob"),
        scene.chats.transfer(contact, "bob", "sales", scene.cause()),
        scene.chats.end_by_agent(contact, "bob", scene.cause()),
    ):
        with pytest.raises(Rejected, match="NOT_YOUR_CONTACT"):
            await call


async def test_another_tenants_contact_is_not_there(scene: Scene) -> None:
    """PL-1"""
    contact = await scene.talking()
    with pytest.raises(NotFound):
        await scene.reply(StreamId("other", contact.name), "m1")


async def test_an_assignment_delivered_twice_connects_once(scene: Scene) -> None:
    """kernel rule 7"""
    contact = await scene.talking()
    before = await scene.facts(contact)
    await scene.assign(contact)
    await scene.assign(contact, "bob", at=2)
    assert await scene.facts(contact) == before
    assert [type(fact) for fact in before].count(AgentConnected) == 1


async def test_assignments_of_calls_are_refused_and_leave_nothing(scene: Scene) -> None:
    with pytest.raises(Rejected, match="CONTACT_NOT_STARTED"):
        await scene.reactions.when_contact_assigned(Assigned("call-1", 1, "sales", "ann", "t1", "o1"), heard(1))
    assert await scene.facts(StreamId(TENANT, "contact-call-1")) == []


@pytest.mark.parametrize("known", [True, False])
async def test_an_overflow_always_finds_its_new_queue(scene: Scene, known: bool) -> None:
    """RT-5: routing has let the contact go already; a refusal here would lose it."""
    contact = await scene.waiting()
    if known:
        scene.queue("billing", "back", open=False)
    overflow = Overflowed(contact.name.removeprefix("contact-"), 1, "billing", "back")
    await scene.reactions.when_contact_overflowed(overflow, heard(1))
    state = await scene.chats.state(contact)
    assert isinstance(state, Waiting)
    assert (state.leg, state.queue, state.pool) == (2, "billing", "back")


async def test_an_overflow_to_no_queue_changes_nothing(scene: Scene) -> None:
    contact = await scene.waiting()
    before = await scene.facts(contact)
    await scene.reactions.when_contact_overflowed(Overflowed(contact.name.removeprefix("contact-"), 1, ""), heard(1))
    assert await scene.facts(contact) == before


async def test_a_transfer_sent_again_after_its_queue_has_closed_has_its_first_answer(scene: Scene) -> None:
    contact = await scene.talking()
    scene.queue("billing", revision=2)
    cause = scene.cause("k")
    first = await scene.chats.transfer(contact, "ann", "billing", cause)
    scene.queue("billing", open=False, revision=3)
    again = await scene.chats.transfer(contact, "ann", "billing", cause)
    assert (again.repeated, again.version) == (True, first.version)
    other = await scene.talking()
    with pytest.raises(Rejected, match="QUEUE_CLOSED"):
        await scene.chats.transfer(other, "ann", "billing", scene.cause())


async def test_a_transfer_keeps_conversation_and_arrival(scene: Scene) -> None:
    """CA-1"""
    scene.queue("billing", "back")
    contact = await scene.talking()
    await scene.chats.transfer(contact, "ann", "billing", scene.cause())
    await scene.assign(contact, "bob", "t2", leg=2, at=2)
    state = await scene.chats.state(contact)
    assert isinstance(state, Talking)
    assert (state.leg, state.agent, state.contact.served_by) == (2, "bob", {("ann", "t1"), ("bob", "t2")})


async def test_an_erased_customer_writes_no_more_and_is_not_read(scene: Scene) -> None:
    """PL-5"""
    contact = await scene.talking()
    customer = (await scene.chats.state(contact)).contact.customer_ref
    scene.people.erased.add(customer)
    scene.service.keys.drop(TENANT, customer)
    with pytest.raises(Erased):
        await scene.say(contact, "m2")
    shown = [frame["data"] for frame in await scene.frames(contact) if frame["type"] == "message"]
    assert [(data.get("erased"), data.get("text")) for data in shown] == [(True, None)]
    await scene.chats.end_by_agent(contact, "ann", scene.cause())
    assert isinstance(await scene.chats.state(contact), Ended)


async def test_a_damaged_text_hides_nothing_else(scene: Scene) -> None:
    contact = await scene.talking()
    customer = (await scene.chats.state(contact)).contact.customer_ref
    scene.people.keys[customer] = b"x" * 32
    scene.service.keys.drop(TENANT, customer)
    await scene.say(contact, "m2", "after")
    data = [frame["data"] for frame in await scene.frames(contact) if frame["type"] == "message"]
    assert [(one.get("unreadable"), one.get("text")) for one in data] == [(True, None), (None, "after")]


async def test_keys_are_fetched_before_they_are_needed(scene: Scene) -> None:
    await scene.talking()
    assert scene.people.fetches == 1


async def test_who_may_read(scene: Scene) -> None:
    contact = await scene.talking()
    state = await scene.chats.state(contact)

    def person(subject: str, *roles: str, teams: tuple[str, ...] = (), contact: str | None = None) -> Principal:
        return Principal(TENANT, subject, frozenset(roles), frozenset(teams), contact)

    visitor = contact.name.removeprefix("contact-")
    may = [
        person("ann", "agent"),
        person("sue", "supervisor", teams=("t1",)),
        person(visitor, "visitor", contact=visitor),
    ]
    may_not = [
        person("bob", "agent"),
        person("sue", "supervisor", teams=("t2",)),
        person("root", "admin"),
        person("ana", "analyst"),
        person("ann", "analyst"),
    ]
    for one in may:
        check_reader(one, contact, state)
    for one in may_not:
        with pytest.raises(Forbidden):
            check_reader(one, contact, state)
    with pytest.raises(NotFound):
        check_reader(person("v", "visitor", contact="other"), contact, state)


async def test_an_agent_reads_on_after_the_end(scene: Scene) -> None:
    contact = await scene.talking()
    await scene.reply(contact, "a1")
    await scene.chats.end_by_agent(contact, "ann", scene.cause())
    ann = Principal(TENANT, "ann", frozenset({"agent"}))
    frames = await scene.service.history.frames(contact, ann, 0, 100)
    assert [frame["data"]["text"] for frame in frames if frame["type"] == "message"] == ["hello", "hi"]
    assert isinstance((await scene.facts(contact))[4], MessageSent)


async def test_site_keys_and_origins_follow_their_door(scene: Scene) -> None:
    doors = scene.chats.entry_points
    other = EntryPoint("rival", "web", SITE_KEY, "q")
    with pytest.raises(Rejected, match="SITE_KEY_TAKEN"):
        await doors.put(other, scene.clock.now())
    assert await doors.names("https://shop.test")
    scene.clock.advance(1)
    await doors.put(EntryPoint(TENANT, "web", "site-key-2", "sales"), scene.clock.now())
    assert not await doors.names("https://shop.test")
    with pytest.raises(NotFound):
        await doors.by_site_key(SITE_KEY)
    scene.clock.advance(1)
    await doors.put(other, scene.clock.now())
    assert (await doors.by_site_key(SITE_KEY)).tenant == "rival"
