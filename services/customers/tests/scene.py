"""What the tests of this service share: the service on a store in memory."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from itertools import count

from customers import wire, wiring
from customers.app.references import Resolved
from customers.domain.decide import CUSTOMER
from customers.domain.events import CustomerEvent, Identity, Kind
from switchlog.clock import ManualClock
from switchlog.envelope import Cause, StreamId
from switchlog.seal import MasterKeys
from switchlog.store.memory import MemoryStore
from switchlog.writer import Writer, no_publish

TENANT = "acme"
MASTER = MasterKeys.parse(base64.b64encode(b"m" * 32).decode())
PHONE = "+49 171 123456"


@dataclass
class Scene:
    clock: ManualClock = field(default_factory=ManualClock)

    def __post_init__(self) -> None:
        self.store = MemoryStore(clock=self.clock)
        self.service = self.process()
        self.customers, self.references = self.service.customers, self.service.references
        self.secrets, self.erasure = self.service.secrets, self.service.erasure
        self._ids = count()

    def process(self) -> wiring.Service:
        """Another process on the same store."""
        writer = Writer(self.store.events, CUSTOMER, wire.CODEC, no_publish, self.clock)
        return wiring.build(writer, self.store.keys, self.store.views, MASTER)

    def cause(self, actor: str = "tester") -> Cause:
        return Cause(f"command-{next(self._ids)}", "", actor)

    async def identity(self, address: str = PHONE, kind: Kind = Kind.PHONE, tenant: str = TENANT) -> Identity:
        return await self.secrets.identity(tenant, kind, address)

    async def resolve(self, address: str = PHONE, kind: Kind = Kind.PHONE, tenant: str = TENANT) -> Resolved:
        return await self.references.of(tenant, await self.identity(address, kind, tenant), self.cause())

    async def erase(self, ref: str) -> None:
        await self.customers.request_erasure(TENANT, ref, "gdpr", self.cause("root"))
        await self.customers.approve_erasure(TENANT, ref, self.cause("boss"))

    async def facts(self, ref: str) -> list[CustomerEvent]:
        return wire.CODEC.events(await self.store.events.read(StreamId(TENANT, f"customer-{ref}")))
