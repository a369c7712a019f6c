"""What those who wait are shown of it: place, estimate, and what a surge brings; signs, not facts (RT-7, RT-9)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from switchlog.envelope import StreamId

from .live import Follower, Live


@dataclass(frozen=True, slots=True)
class Estimated:
    """``position`` from 1; waits in milliseconds, 0 where nobody can tell."""

    contact: str
    queue: str
    position: int
    p50_ms: int
    p90_ms: int


@dataclass(frozen=True, slots=True)
class Surging:
    """``offer`` is a word for the visitor's page: a message's id, or ``callback``; ``over``: no longer."""

    queue: str
    offer: str
    over: bool


@dataclass(frozen=True, slots=True)
class WaitOver:
    contact: str


News = Estimated | Surging | WaitOver


@dataclass
class Waits:
    """Who waits where, as this process has heard since it began to listen."""

    live: Live
    _shown: dict[StreamId, dict[str, Any]] = field(default_factory=dict)
    _offers: dict[tuple[str, str], dict[str, None]] = field(default_factory=dict)

    def hear(self, tenant: str, news: News) -> None:
        match news:
            case Estimated():
                self._show(StreamId(tenant, f"contact-{news.contact}"), self._of(tenant, news))
            case WaitOver(contact):
                self._shown.pop(StreamId(tenant, f"contact-{contact}"), None)
            case Surging(queue, offer, over):
                offers = self._offers.setdefault((tenant, queue), {})
                offers.pop(offer, None) if over else offers.update({offer: None})
                for stream, data in list(self._shown.items()):
                    if (stream.tenant, data["queue"]) == (tenant, queue):
                        self._show(stream, data | {"offers": list(offers)})

    def tell(self, follower: Follower) -> None:
        """Who comes back is shown what the others know."""
        data = self._shown.get(follower.contact)
        if data is not None:
            follower.signal(_frame(follower.contact, data))

    def _of(self, tenant: str, news: Estimated) -> dict[str, Any]:
        told: dict[str, Any] = {"state": "waiting", "queue": news.queue, "position": news.position}
        if news.p90_ms:
            told |= {"estimated_wait_p50_s": news.p50_ms / 1000, "estimated_wait_p90_s": news.p90_ms / 1000}
        return told | {"offers": list(self._offers.get((tenant, news.queue), ()))}

    def _show(self, contact: StreamId, data: dict[str, Any]) -> None:
        self._shown[contact] = data
        self.live.signal(contact, _frame(contact, data))


def _frame(contact: StreamId, data: dict[str, Any]) -> dict[str, Any]:
    return {"type": "status", "id": "", "seq": 0, "contact": contact.name.removeprefix("contact-"), "data": data}
