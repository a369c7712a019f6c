"""Offers by id, to find their pool and for people to look at; and the open ones of each agent."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from switchlog.envelope import StreamId
from switchlog.store import ViewStore

from ..app.ports import OfferRow
from ..domain.events import (
    ContactOffered,
    Event,
    OfferAccepted,
    OfferDeclined,
    OfferExpired,
    OfferWithdrawn,
)

VIEW = "offers"
OF_AGENT = "offers_of_agents"


@dataclass(frozen=True)
class Offers:
    views: ViewStore

    async def fold(self, pool: StreamId, version: int, event: Event, at: int) -> None:
        match event:
            case ContactOffered():
                await self._made(pool, version, event, at)
            case OfferAccepted():
                await self._over(pool, version, event, "accepted")
            case OfferDeclined():
                await self._over(pool, version, event, "declined")
            case OfferExpired():
                await self._over(pool, version, event, "expired")
            case OfferWithdrawn():
                await self._over(pool, version, event, "withdrawn")
            case _:
                pass

    async def get(self, tenant: str, offer_id: str) -> OfferRow | None:
        row = await self.views.get(VIEW, tenant, offer_id)
        return msgspec.json.decode(row.value, type=OfferRow) if row else None

    async def of_agent(self, tenant: str, agent: str) -> list[OfferRow]:
        """The open ones, oldest first."""
        rows = await self.views.scan(OF_AGENT, f"{tenant}/{agent}")
        found = [msgspec.json.decode(row.value, type=OfferRow) for row in rows]
        return sorted(found, key=lambda offer: (offer.offered_at, offer.offer_id))

    async def _made(self, pool: StreamId, version: int, event: ContactOffered, at: int) -> None:
        row = OfferRow(
            offer_id=event.offer_id,
            state="open",
            contact=event.contact,
            leg=event.leg,
            queue=event.queue,
            pool=pool.name.removeprefix("pool-"),
            agent=event.agent,
            version=version,
            channel=event.channel,
            offered_at=at,
            expires_at=event.expires_at,
            queued_at=event.queued_at,
        )
        value = msgspec.json.encode(row)
        await self.views.put(OF_AGENT, f"{pool.tenant}/{event.agent}", event.offer_id, value, version)
        await self.views.put(VIEW, pool.tenant, event.offer_id, value, version)

    async def _over(
        self,
        pool: StreamId,
        version: int,
        event: OfferAccepted | OfferDeclined | OfferExpired | OfferWithdrawn,
        state: str,
    ) -> None:
        await self.views.delete(OF_AGENT, f"{pool.tenant}/{event.agent}", event.offer_id, version)
        row = await self.get(pool.tenant, event.offer_id)
        if row is not None and row.version < version:
            ended = replace(row, state=state, version=version)
            await self.views.put(VIEW, pool.tenant, event.offer_id, msgspec.json.encode(ended), version)
