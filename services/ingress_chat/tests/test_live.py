"""Followers, desks and presence: nothing missed, nothing doubled, nobody given up on who came back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from contactcenter.bus.v1.envelope_pb2 import EventMeta
from ingress_chat import wire
from ingress_chat.app import live as live_module
from ingress_chat.app import presence as presence_module
from ingress_chat.app.desks import Desk
from ingress_chat.app.live import Follower
from ingress_chat.app.presence import VIEW, Presence
from ingress_chat.bus.consumers import nudger, projection_handler
from ingress_chat.domain.events import AgentConnected, AgentDisconnected, ContactEnded, EndReason
from switchlog.bus.record import Kept, Received
from switchlog.envelope import Row, StreamId
from switchlog.errors import NotNow
from switchlog.testing import eventually

from .scene import DOOR, TENANT, Scene, heard


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(live_module, "RETRY_S", 0.01)
    monkeypatch.setattr(presence_module, "RETRY_S", 0.01)
    monkeypatch.setattr(presence_module, "ARRIVAL_S", 0.05)
    return await Scene(tmp_path).set_up()


class Screen:
    """What one watcher was sent; ``full`` keeps it from taking more."""

    def __init__(self) -> None:
        self.frames: list[Any] = []
        self.taking = asyncio.Event()
        self.taking.set()

    async def room(self) -> None:
        await self.taking.wait()

    @property
    def seqs(self) -> list[int]:
        return [frame["seq"] for frame in self.frames]

    async def has(self, *seqs: int) -> None:
        async def shown() -> bool:
            return self.seqs == list(seqs)

        await eventually(shown, within_s=2)


def follower(scene: Scene, contact: StreamId, screen: Screen, **more: Any) -> Follower:
    async def render(stream: StreamId, row: Row) -> dict[str, Any]:
        await asyncio.sleep(0)
        return {"seq": row.version}

    return Follower(contact, scene.store.events, render, screen.frames.append, screen.room, **more)


@asynccontextmanager
async def watching(scene: Scene, one: Follower) -> AsyncIterator[None]:
    task = asyncio.create_task(scene.live.follow(one))
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_several_watchers_see_all_of_it_once_in_order(scene: Scene) -> None:
    contact = await scene.waiting()
    screens = [Screen(), Screen()]
    async with (
        watching(scene, follower(scene, contact, screens[0])),
        watching(scene, follower(scene, contact, screens[1])),
    ):
        await asyncio.gather(*(scene.say(contact, f"n{n}") for n in range(30)))
        for screen in screens:
            await screen.has(*range(1, 34))
    assert not scene.live._followers


async def test_who_rewinds_gets_exactly_what_it_lacks(scene: Scene) -> None:
    """CH-6"""
    contact, screen = await scene.waiting(), Screen()
    one = follower(scene, contact, screen)
    async with watching(scene, one):
        await screen.has(1, 2, 3)
        one.rewind(2)
        await screen.has(1, 2, 3, 3)


async def test_a_rewind_in_the_middle_of_sending_is_not_lost(scene: Scene) -> None:
    contact, screen = await scene.waiting(), Screen()
    one = follower(scene, contact, screen)
    screen.taking.clear()
    async with watching(scene, one):
        await asyncio.sleep(0.01)
        one.rewind(1)
        screen.taking.set()
        await screen.has(2, 3)


async def test_who_comes_back_says_first_how_much_it_has(scene: Scene) -> None:
    contact, screen = await scene.waiting(), Screen()
    one = follower(scene, contact, screen, patience_s=5)
    async with watching(scene, one):
        await asyncio.sleep(0.01)
        one.rewind(2)
        await screen.has(3)


async def test_who_says_nothing_gets_everything(scene: Scene) -> None:
    contact, screen = await scene.waiting(), Screen()
    async with watching(scene, follower(scene, contact, screen, patience_s=0.02)):
        await screen.has(1, 2, 3)


async def test_a_slow_watcher_holds_up_nobody_else(scene: Scene) -> None:
    contact, slow, fast = await scene.waiting(), Screen(), Screen()
    slow.taking.clear()
    async with watching(scene, follower(scene, contact, slow)), watching(scene, follower(scene, contact, fast)):
        await fast.has(1, 2, 3)
        assert slow.frames == []
        slow.taking.set()
        await slow.has(1, 2, 3)


async def test_a_long_history_is_sent_page_by_page(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_module, "PAGE", 2)
    contact, screen = await scene.waiting(), Screen()
    for n in range(4):
        await scene.say(contact, f"n{n}")
    async with watching(scene, follower(scene, contact, screen)):
        await screen.has(*range(1, 8))


async def test_a_store_or_key_that_is_away_is_waited_for(scene: Scene) -> None:
    contact, screen = await scene.waiting(), Screen()
    scene.store.faults.away = True
    async with watching(scene, follower(scene, contact, screen)):
        await asyncio.sleep(0.03)
        scene.store.faults.away = False
        await screen.has(1, 2, 3)


# -- desks ----------------------------------------------------------------------------------------------------


def desk_of(scene: Scene, screen: Screen) -> Desk:
    desk = Desk(scene.live, lambda contact, send: follower(scene, contact, screen), screen.frames.append)
    scene.service.desks.open(TENANT, "ann", desk)
    return desk


async def tell(scene: Scene, contact: StreamId, *versions: int) -> None:
    """The bus tells this process of facts of ``contact``: all, or those given."""
    take = nudger(scene.live, scene.service.desks, wire.CODEC)
    for row in await scene.store.events.read(contact):
        if not versions or row.version in versions:
            take(Kept("contact.events.v1", 0, row.version, contact.key.encode(), row.value, row.headers))


async def test_a_desk_sees_a_contact_from_its_beginning_to_the_agents_leaving(scene: Scene) -> None:
    contact, screen = await scene.talking(), Screen()
    desk = desk_of(scene, screen)
    await tell(scene, contact)
    await screen.has(1, 2, 3, 4)
    scene.queue("billing", "back")
    await scene.chats.transfer(contact, "ann", "billing", scene.cause())  # 5 transferred, 6 left, 7 queued
    await scene.say(contact, "m2")
    await tell(scene, contact, 5, 6, 7, 8)
    await screen.has(1, 2, 3, 4, 5, 6)
    await asyncio.sleep(0.01)
    assert not desk.has(contact)
    scene.service.desks.close(TENANT, "ann", desk)
    assert not scene.service.desks._open


async def test_a_contact_that_comes_back_goes_on_where_it_was_left(scene: Scene) -> None:
    contact, screen = await scene.talking(), Screen()
    desk = desk_of(scene, screen)
    await tell(scene, contact)
    scene.queue("billing", "back")
    await scene.chats.transfer(contact, "ann", "billing", scene.cause())
    await tell(scene, contact, 6)
    await screen.has(1, 2, 3, 4, 5, 6)
    await scene.assign(contact, "ann", leg=2, at=2)
    await tell(scene, contact, 8)
    await screen.has(*range(1, 9))
    desk.close()


async def test_a_desk_that_missed_the_connection_learns_by_the_next_message(scene: Scene) -> None:
    contact, screen = await scene.talking(), Screen()
    desk = desk_of(scene, screen)
    await scene.say(contact, "m2")
    await tell(scene, contact, 5)
    await screen.has(1, 2, 3, 4, 5)
    desk.close()


async def test_signs_go_to_the_others_in_own_contacts_only(scene: Scene) -> None:
    contact, ann, visitor = await scene.talking(), Screen(), Screen()
    desk = desk_of(scene, ann)
    async with watching(scene, follower(scene, contact, visitor)):
        await visitor.has(1, 2, 3, 4)
        desk.sign(contact, {"seq": 0})
        assert visitor.seqs[4:] == []
        desk.take(contact)
        await ann.has(1, 2, 3, 4)
        desk.sign(contact, {"seq": 0})
    assert (visitor.seqs[4:], ann.seqs[4:]) == ([0], [])
    desk.close()


async def test_what_is_no_fact_of_a_chat_wakes_nobody(scene: Scene) -> None:
    take = nudger(scene.live, scene.service.desks, wire.CODEC)
    take(Kept("contact.events.v1", 0, 0, b"x", b"\xff", ()))
    take(Kept("contact.events.v1", 0, 0, None, None, ()))


async def test_calls_which_share_the_topic_are_passed_by_unread(scene: Scene) -> None:
    """Their words need not be known here."""
    handle = projection_handler(scene.service.contacts, wire.CODEC)
    await handle(heard(1, "contact-c1")._replace(service="ingress_voice", value=b"\xff"))
    assert await scene.service.contacts.of_agent(TENANT, "ann") == []


async def test_the_list_of_an_agents_contacts_repeats_without_harm(scene: Scene) -> None:
    handle = projection_handler(scene.service.contacts, wire.CODEC)
    contact, end = StreamId(TENANT, "contact-c1"), EndReason.AGENT_ENDED
    connected = AgentConnected(1, "sales", "front", "ann")
    left = AgentDisconnected(1, "sales", "front", "ann", "", wire.LegEnd.AGENT_ENDED)

    def record(version: int, event: Any) -> Received:
        message = wire.write(event)
        message.meta.MergeFrom(EventMeta(tenant_id=TENANT, stream=contact.name, version=version))  # type: ignore[attr-defined]
        at = heard(version, contact.name)
        return at._replace(value=message.SerializeToString(), service=wire.CODEC.service)

    for _ in range(2):
        await handle(record(4, connected))
    assert await scene.service.contacts.of_agent(TENANT, "ann") == [contact]
    for version, event in ((9, left), (4, connected), (10, ContactEnded(end))):
        await handle(record(version, event))
    assert await scene.service.contacts.of_agent(TENANT, "ann") == []


# -- presence ----------------------------------------------------------------------------------------------------


async def ended(scene: Scene, contact: StreamId) -> None:
    async def check() -> bool:
        return isinstance((await scene.facts(contact))[-1], ContactEnded)

    await eventually(check, within_s=2)


async def rows(scene: Scene, replica: str = "r1") -> list[str]:
    return [row.key for row in await scene.store.views.scan(VIEW, f"held by {replica}")]


async def forgotten(scene: Scene) -> None:
    async def check() -> bool:
        return not await rows(scene) and not scene.presence._waiting

    await eventually(check, within_s=2)


def other(scene: Scene, replica: str) -> Presence:
    mine = scene.presence
    return Presence(replica, scene.store.views, scene.clock, mine._grace_of, mine._lost)


async def test_a_visitor_who_comes_back_in_time_keeps_the_contact(scene: Scene) -> None:
    """CH-6"""
    contact = await scene.waiting()
    async with scene.presence.here(contact):
        pass
    async with scene.presence.here(contact):
        async with scene.presence.here(contact):
            pass
        await asyncio.sleep(0.1)
    assert not isinstance((await scene.facts(contact))[-1], ContactEnded)
    await scene.presence.close()


async def test_a_visitor_who_stays_away_is_lost_once(scene: Scene) -> None:
    contact = await scene.waiting()
    async with scene.presence.here(contact):
        scene.clock.advance(1)
    await ended(scene, contact)
    await forgotten(scene)
    assert (await scene.facts(contact))[-1] == ContactEnded(EndReason.ABANDONED, 1, "sales", "front")


async def test_a_visitor_who_never_opens_a_socket_is_not_kept_for_ever(scene: Scene) -> None:
    contact = await scene.begun()
    scene.presence.expect(contact)
    scene.clock.advance(1)
    await ended(scene, contact)


async def test_an_expected_visitor_who_comes_is_not_given_up(scene: Scene) -> None:
    contact = await scene.begun()
    scene.presence.expect(contact)
    async with scene.presence.here(contact):
        await asyncio.sleep(0.1)
        assert not isinstance((await scene.facts(contact))[-1], ContactEnded)
    await scene.presence.close()


async def test_a_restart_waits_again_for_whoever_was_here(scene: Scene) -> None:
    contact = await scene.waiting()
    async with scene.presence.here(contact):
        await scene.presence.close()
    assert await rows(scene) == [contact.key]
    assert not isinstance((await scene.facts(contact))[-1], ContactEnded)
    again = other(scene, "r1")
    scene.clock.advance(1)
    await again.recover()
    await ended(scene, contact)


async def test_a_start_waits_for_a_store_that_is_away(scene: Scene) -> None:
    contact = await scene.waiting()
    async with scene.presence.here(contact):
        await scene.presence.close()
    again = other(scene, "r1")
    scene.store.faults.away = True
    recovering = asyncio.create_task(again.recover())
    await asyncio.sleep(0.05)
    assert not recovering.done()
    scene.store.faults.away = False
    await recovering
    scene.clock.advance(1)
    await ended(scene, contact)


async def test_a_store_that_is_away_is_tried_again(scene: Scene) -> None:
    contact = await scene.waiting()
    async with scene.presence.here(contact):
        await eventually(lambda: rows(scene), within_s=1)
        scene.clock.advance(1)
    scene.store.faults.away = True
    await asyncio.sleep(0.1)
    scene.store.faults.away = False
    await ended(scene, contact)


async def test_opening_a_socket_waits_for_no_store(scene: Scene) -> None:
    contact = await scene.waiting()
    scene.store.faults.away = True
    async with asyncio.timeout(0.1), scene.presence.here(contact):
        scene.store.faults.away = False
        await eventually(lambda: rows(scene), within_s=1)
    await scene.presence.close()


async def test_only_the_replica_that_saw_the_visitor_last_gives_up(scene: Scene) -> None:
    contact, elsewhere = await scene.waiting(), other(scene, "r2")
    async with scene.presence.here(contact):
        scene.clock.advance(1)
    async with elsewhere.here(contact):
        await forgotten(scene)
        assert not isinstance((await scene.facts(contact))[-1], ContactEnded)
        scene.clock.advance(1)
    await ended(scene, contact)


async def test_a_contact_nobody_knows_is_forgotten(scene: Scene) -> None:
    async with scene.presence.here(StreamId(TENANT, "contact-gone")):
        scene.clock.advance(1)
    await forgotten(scene)


async def test_a_door_says_how_long_its_visitors_are_waited_for(scene: Scene) -> None:
    assert await scene.presence._grace_of(await scene.begun()) == DOOR.reconnect_grace_s


def test_failures_of_a_store_are_the_only_ones_waited_out() -> None:
    async def broken() -> None:
        raise ValueError

    failing: Callable[[], Any] = broken
    with pytest.raises(ValueError):
        asyncio.run(presence_module._insist(failing))
    assert issubclass(NotNow, Exception)
