"""The offers before an agent: one row an offer, for sockets that open after a restart."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec

from switchlog.store import ViewStore

from ..app.foreign import OfferMade, OfferOver

VIEW = "offers"


@dataclass(frozen=True)
class Offers:
    """``version`` is that of the pool's stream (kernel rule 17)."""

    views: ViewStore

    async def made(self, tenant: str, offer: OfferMade, version: int) -> None:
        row = msgspec.msgpack.encode(offer)
        await self.views.put(VIEW, f"{tenant}/{offer.agent}", offer.offer_id, row, version)

    async def over(self, tenant: str, end: OfferOver, version: int) -> None:
        await self.views.delete(VIEW, f"{tenant}/{end.agent}", end.offer_id, version)

    async def of(self, tenant: str, agent: str) -> list[OfferMade]:
        rows = await self.views.scan(VIEW, f"{tenant}/{agent}")
        return [msgspec.msgpack.decode(row.value, type=OfferMade) for row in rows]
