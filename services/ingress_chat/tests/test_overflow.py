"""What becomes of a chat that routing lets go, and of one that comes when it is closed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ingress_chat.app.ports import Hours
from ingress_chat.app.reactions import Dequeued, Overflowed
from ingress_chat.domain.events import ContactEnded, ContactQueued, EndReason, MessageReceived, SystemConnected
from ingress_chat.domain.state import Ended, Leaving, Talking, Waiting
from switchlog.calendars import DAYS
from switchlog.envelope import StreamId

from .scene import DOOR, TENANT, Scene, heard

NEVER = Hours(TENANT, "never", "Asia/Shanghai")
ALWAYS = Hours(TENANT, "always", "UTC", "", {day: ["00:00-24:00"] for day in DAYS})


@pytest.fixture
async def scene(tmp_path: Path) -> Scene:
    return await Scene(tmp_path).set_up()


def id_of(contact: StreamId) -> str:
    return contact.name.removeprefix("contact-")


async def kinds(scene: Scene, contact: StreamId) -> list[str]:
    return [type(event).__name__ for event in await scene.facts(contact)]


async def test_an_overflow_keeps_the_arrival_and_what_the_entry_point_gave(scene: Scene) -> None:
    """RT-5: a second leg that says where it came from; the wait is not forgotten, nor the door's own priority."""
    await scene.chats.entry_points.put(replace(DOOR, priority=7), scene.clock.now() + 1)
    contact = await scene.waiting()
    first = (await scene.facts(contact))[-1]
    scene.queue("billing", "back")
    scene.clock.advance(30)
    for _ in range(2):  # also when it is heard twice
        await scene.reactions.when_contact_overflowed(Overflowed(id_of(contact), 1, "billing", "back"), heard(3))
    again = (await scene.facts(contact))[-1]
    assert isinstance(first, ContactQueued) and isinstance(again, ContactQueued)
    assert (again.leg, again.queue, again.pool, again.from_queue, again.from_pool) == (2, *("billing", "back"), *LEFT)
    assert (again.arrived_at, again.priority, first.priority) == (first.arrived_at, 7, 7)
    assert (await kinds(scene, contact)).count("ContactQueued") == 2


LEFT = ("sales", "front")


@pytest.mark.parametrize(
    ("outcome", "reason"),
    [("timed_out", EndReason.TIMED_OUT), ("blocked", EndReason.BLOCKED), ("callback", EndReason.CALLBACK)],
)
async def test_a_wait_that_is_over_for_good_ends_the_conversation(
    scene: Scene, outcome: str, reason: EndReason
) -> None:
    """RT-5"""
    contact = await scene.waiting()
    for _ in range(2):
        await scene.reactions.when_contact_dequeued(Dequeued(id_of(contact), 1, outcome), heard(4))
    assert (await scene.facts(contact))[-1] == ContactEnded(reason, 1, *LEFT)
    assert (await kinds(scene, contact)).count("ContactEnded") == 1
    assert (await scene.frames(contact))[-1]["data"]["reason"] == reason.value


@pytest.mark.parametrize("outcome", ["answered", "abandoned", "short_abandoned", "flowed_out"])
async def test_other_ends_of_a_wait_do_not_end_the_conversation(scene: Scene, outcome: str) -> None:
    contact = await scene.waiting()
    await scene.reactions.when_contact_dequeued(Dequeued(id_of(contact), 1, outcome), heard(4))
    assert isinstance(await scene.chats.state(contact), Waiting)


async def test_an_old_legs_end_does_not_touch_a_later_one(scene: Scene) -> None:
    contact = await scene.waiting()
    scene.queue("billing", "back")
    await scene.reactions.when_contact_overflowed(Overflowed(id_of(contact), 1, "billing", "back"), heard(3))
    await scene.reactions.when_contact_dequeued(Dequeued(id_of(contact), 1, "timed_out"), heard(4))
    assert isinstance(await scene.chats.state(contact), Waiting)


async def test_who_talks_already_is_not_ended_by_late_news(scene: Scene) -> None:
    contact = await scene.talking()
    await scene.reactions.when_contact_dequeued(Dequeued(id_of(contact), 1, "timed_out"), heard(4))
    assert isinstance(await scene.chats.state(contact), Talking)


async def test_voicemail_takes_down_what_is_written_and_ends_as_served_by_a_machine(scene: Scene) -> None:
    """RT-5"""
    contact = await scene.waiting()
    await scene.reactions.when_contact_overflowed(Overflowed(id_of(contact), 1, "", "", "voicemail"), heard(3))
    assert isinstance(await scene.chats.state(contact), Leaving)
    await scene.say(contact, "m2", "Please call me")
    await scene.chats.end_by_customer(contact, scene.cause())
    facts = await scene.facts(contact)
    assert facts[-4] == SystemConnected("message", 1, *LEFT)
    assert isinstance(facts[-3], MessageReceived) and facts[-3].leg == 1
    assert facts[-1] == ContactEnded(EndReason.SELF_SERVED, 1, *LEFT)
    assert "leave_message" in [frame["data"].get("state") for frame in await scene.frames(contact)]


async def opened(scene: Scene, hours: Hours, when_closed: str, closed_queue: str = "") -> StreamId:
    """A first message at a door with ``hours``."""
    await scene.chats.hours.put(hours, scene.clock.now())
    door = replace(DOOR, hours=hours.id, when_closed=when_closed, closed_queue=closed_queue)
    await scene.chats.entry_points.put(door, scene.clock.now() + 1)
    return await scene.waiting()


async def test_who_comes_within_the_hours_waits(scene: Scene) -> None:
    """RT-6"""
    contact = await opened(scene, ALWAYS, "end")
    assert isinstance(await scene.chats.state(contact), Waiting)


async def test_who_comes_when_it_is_closed_is_told_so(scene: Scene) -> None:
    """RT-6: what was written is kept, nobody waits."""
    contact = await opened(scene, NEVER, "end")
    assert (await kinds(scene, contact))[-2:] == ["MessageReceived", "ContactEnded"]
    state = await scene.chats.state(contact)
    assert isinstance(state, Ended)
    assert (await scene.facts(contact))[-1] == ContactEnded(EndReason.BLOCKED)


async def test_who_comes_when_it_is_closed_may_leave_a_message(scene: Scene) -> None:
    """RT-6"""
    contact = await opened(scene, NEVER, "message")
    await scene.say(contact, "m2", "My number is on the invoice")
    assert (await kinds(scene, contact))[-3:] == ["MessageReceived", "SystemConnected", "MessageReceived"]


async def test_who_comes_when_it_is_closed_may_wait_elsewhere(scene: Scene) -> None:
    """RT-6"""
    scene.queue("night", "back")
    state = await scene.chats.state(await opened(scene, NEVER, "queue", "night"))
    assert isinstance(state, Waiting) and (state.queue, state.pool) == ("night", "back")


async def test_who_waits_already_goes_on_when_it_closes(scene: Scene) -> None:
    """RT-6"""
    contact = await opened(scene, ALWAYS, "end")
    door = replace(DOOR, hours="never", when_closed="end")
    await scene.chats.hours.put(NEVER, scene.clock.now())
    await scene.chats.entry_points.put(door, scene.clock.now() + 2)
    await scene.say(contact, "m2")
    assert isinstance(await scene.chats.state(contact), Waiting)


async def test_a_transfer_may_name_the_agent_who_is_to_be_tried_first(scene: Scene) -> None:
    """RT-3"""
    contact = await scene.talking()
    scene.queue("billing", "back")
    await scene.chats.transfer(contact, "ann", "billing", scene.cause(), "bob")
    again = (await scene.facts(contact))[-1]
    assert isinstance(again, ContactQueued) and (again.queue, again.preferred_agent) == ("billing", "bob")
