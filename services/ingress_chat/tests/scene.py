"""What the tests of this service share: the service on stores in memory, customers and queues beside it."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from contactcenter.bus.v1.envelope_pb2 import EventMeta
from contactcenter.routing.v1.config_pb2 import QueueConfigRow, QueueDefinition
from contactcenter.routing.v1.events_pb2 import RoutingEvent
from ingress_chat import wiring
from ingress_chat.app.handlers import Draft
from ingress_chat.app.ports import EntryPoint, LastAgent
from ingress_chat.app.reactions import Assigned, Reactions
from ingress_chat.config import Settings
from ingress_chat.domain.events import ContactEvent, MessageKind
from ingress_chat.wire import CODEC
from switchlog.bus.record import Received
from switchlog.clock import ManualClock
from switchlog.envelope import Cause, StreamId
from switchlog.seal import Erased, SubjectKey
from switchlog.store.memory import MemoryStore
from switchlog.testing import test_settings as settings_for_tests
from switchlog.writer import Writer, no_publish

TENANT = "acme"
SITE_KEY = "site-key-1"
DOOR = EntryPoint(TENANT, "web", SITE_KEY, "sales", "", ("https://shop.test",), (), ("plan",), 2, 0.05)


class People:
    """Customers as their owner would tell them; ``erased`` ones have no key any more, ``away`` answers nothing."""

    def __init__(self) -> None:
        self.keys: dict[str, bytes] = {}
        self.erased: set[str] = set()
        self.away: Exception | None = None
        self.fetches = 0
        self.served: dict[str, LastAgent] = {}

    async def by_browser(self, tenant: str, secret: str, cause: str) -> str:
        return f"cust-{(secret or cause)[:12]}"

    async def last_agent(self, tenant: str, customer_ref: str) -> LastAgent | None:
        if self.away:
            raise self.away
        return self.served.get(customer_ref)

    async def key(self, tenant: str, customer_ref: str) -> SubjectKey:
        self.fetches += 1
        if self.away:
            raise self.away
        if customer_ref in self.erased:
            raise Erased
        return SubjectKey(customer_ref, self.keys.setdefault(customer_ref, os.urandom(32)))


@dataclass
class Scene:
    """``await scene.talking()`` is a contact of Ann's."""

    folder: Path
    clock: ManualClock = field(default_factory=ManualClock)
    changes: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store, self.people = MemoryStore(clock=self.clock), People()
        kernel = SimpleNamespace(
            settings=settings_for_tests("ingress_chat", **self.changes),
            clock=self.clock,
            store=self.store,
            writer=lambda rules, codec: Writer(self.store.events, rules, codec, no_publish, self.clock),
            ready=self._ready,
        )
        told = Settings(kernel.settings, "r1", self.folder / "visitors.pem", "http://visitors.test", "memory:///")
        self.service = wiring.build(told, kernel, self.people)
        self.chats, self.live, self.presence = self.service.chats, self.service.live, self.service.presence
        self.reactions = Reactions(self.chats.contacts, self.service.queues, self.chats.entry_points)
        self.service.table.caught_up.set()
        self._ids = count()

    async def _ready(self) -> dict[str, bool]:
        return {"store": await self.store.ready()}

    async def set_up(self, door: EntryPoint = DOOR) -> Scene:
        self.queue()
        await self.chats.entry_points.put(door, self.clock.now())
        return self

    def queue(
        self, queue: str = "sales", pool: str = "front", *, open: bool = True, revision: int = 1, **defined: Any
    ) -> None:
        definition = QueueDefinition(**defined)
        row = QueueConfigRow(
            tenant_id=TENANT, queue=queue, pool=pool, open=open, revision=revision, definition=definition
        )
        self.service.queues.take(row.SerializeToString())

    def cause(self, key: str = "", digest: str = "") -> Cause:
        return Cause(key or f"command-{next(self._ids)}", digest, "tester")

    async def begun(self) -> StreamId:
        return (await self.chats.start(DOOR, "en", [("plan", "gold")], self.cause())).stream

    async def waiting(self) -> StreamId:
        contact = await self.begun()
        await self.say(contact, "m1")
        return contact

    async def talking(self, agent: str = "ann", team: str = "t1") -> StreamId:
        contact = await self.waiting()
        await self.assign(contact, agent, team)
        return contact

    async def say(self, contact: StreamId, message_id: str, text: str = "hello") -> None:
        await self.chats.receive(contact, Draft(message_id, MessageKind.TEXT, text), self.cause())
        self.live.nudge(contact)

    async def reply(self, contact: StreamId, message_id: str, text: str = "hi", agent: str = "ann") -> None:
        await self.chats.send(contact, Draft(message_id, MessageKind.TEXT, text), agent, self.cause())
        self.live.nudge(contact)

    async def assign(self, contact: StreamId, agent: str = "ann", team: str = "t1", leg: int = 1, at: int = 1) -> None:
        fact = Assigned(contact.name.removeprefix("contact-"), leg, "sales", agent, team, f"offer-{at}")
        await self.reactions.when_contact_assigned(fact, heard(at))

    async def facts(self, contact: StreamId) -> list[ContactEvent]:
        return CODEC.events(await self.store.events.read(contact))

    async def frames(self, contact: StreamId) -> list[dict[str, Any]]:
        """The whole conversation as its visitor is shown it."""
        customer_ref = (await self.chats.state(contact)).contact.customer_ref
        rows = await self.store.events.read(contact)
        found = [await self.service.frames.render(contact, row, customer_ref) for row in rows]
        return [frame for frame in found if frame is not None]


def heard(version: int = 1, stream: str = "pool-front") -> Received:
    """A fact of routing as a reaction sees it: where it stood; what it says is given beside it."""
    key, meta = f"{TENANT}/{stream}", EventMeta(tenant_id=TENANT, stream=stream, version=version)
    value = RoutingEvent(meta=meta).SerializeToString()
    topic = "routing.events.v1"
    return Received(topic, 0, version, key, StreamId(TENANT, stream), version, "", f"event-{version}", "", value, {})
