"""Place, estimate and offers, shown to those who wait (RT-7, RT-9)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contactcenter.bus.v1.envelope_pb2 import EventMeta
from contactcenter.routing.v1 import events_pb2 as pb
from contactcenter.routing.v1.config_pb2 import SURGE_ACTION_CALLBACK_OFFER, SURGE_ACTION_MESSAGE, SURGE_ACTION_RESERVE
from ingress_chat import wire
from ingress_chat.app.live import Follower, Live
from ingress_chat.app.waits import Waits
from ingress_chat.bus.consumers import waits_teller
from switchlog.bus.record import Kept
from switchlog.envelope import StreamId

from .scene import TENANT, Scene


class Page:
    """A visitor's page that follows one contact."""

    def __init__(self, scene: Scene, live: Live, contact: str) -> None:
        self.frames: list[Any] = []
        self.stream = StreamId(TENANT, f"contact-{contact}")
        self.follower = Follower(self.stream, scene.store.events, None, self.frames.append, None)  # type: ignore[arg-type]
        live._followers[self.stream].add(self.follower)

    @property
    def last(self) -> dict[str, Any]:
        return self.frames[-1]["data"]


@pytest.fixture
async def scene(tmp_path: Path) -> Scene:
    return await Scene(tmp_path).set_up()


class Routing:
    """Facts of the pool ``front`` as they come by topic."""

    def __init__(self, waits: Waits) -> None:
        self._take = waits_teller(waits, wire.read_wait)
        self._version = 0

    def says(self, **fact: Any) -> None:
        self._version += 1
        kind = "".join(part.title() for part in next(iter(fact)).split("_"))
        meta = EventMeta(event_id=f"{self._version:032x}", tenant_id=TENANT, stream="pool-front", version=self._version)
        value = pb.RoutingEvent(meta=meta, **fact).SerializeToString()
        headers = {
            "ce_id": meta.event_id,
            "ce_type": f"contactcenter.routing.v1.{kind}",
            "ce_source": "/switchlog/routing",
            "ce_subject": meta.stream,
            "ce_tenantid": TENANT,
            "ce_streamversion": str(self._version),
        }
        raw = [(name, text.encode()) for name, text in headers.items()]
        self._take(Kept("routing.events.v1", 0, self._version, f"{TENANT}/pool-front".encode(), value, raw))

    def waiting(self, contact: str, position: int, p50: int = 0, p90: int = 0) -> None:
        times = {"estimated_wait_p50_ms": p50, "estimated_wait_p90_ms": p90}
        self.says(contact_waiting=pb.ContactWaiting(contact=contact, queue="sales", position=position, **times))

    def step(self, action: int, *, reversed: bool = False) -> None:
        taken = pb.SurgeStepTaken(queue="sales", step="s", action=action, message="many-callers", reversed=reversed)
        self.says(surge_step_taken=taken)


async def test_who_waits_is_shown_place_and_estimate_and_again_on_coming_back(scene: Scene) -> None:
    live = Live()
    waits, page, other = Waits(live), Page(scene, live, "c1"), Page(scene, live, "c2")
    Routing(waits).waiting("c1", 3, 61_000, 140_500)
    told = {"state": "waiting", "queue": "sales", "position": 3, "offers": []}
    assert page.last == told | {"estimated_wait_p50_s": 61.0, "estimated_wait_p90_s": 140.5}
    assert (page.frames[-1]["seq"], page.frames[-1]["type"]) == (0, "status")
    assert other.frames == []
    again = Page(scene, live, "c1")
    waits.tell(again.follower)
    assert again.last == page.last


async def test_where_nothing_is_announced_nothing_is_shown(scene: Scene) -> None:
    live = Live()
    waits, page = Waits(live), Page(scene, live, "c1")
    Routing(waits).waiting("c1", 0)
    waits.tell(page.follower)
    assert page.frames == []


async def test_a_surge_offers_those_who_wait_and_who_come_and_takes_it_back(scene: Scene) -> None:
    live = Live()
    waits, page = Waits(live), Page(scene, live, "c1")
    routing = Routing(waits)
    routing.waiting("c1", 1)
    routing.step(SURGE_ACTION_MESSAGE)
    routing.step(SURGE_ACTION_CALLBACK_OFFER)
    routing.step(SURGE_ACTION_RESERVE)
    assert page.last["offers"] == ["many-callers", "callback"]
    late = Page(scene, live, "c9")
    routing.waiting("c9", 2)
    assert late.last["offers"] == ["many-callers", "callback"]
    routing.step(SURGE_ACTION_MESSAGE, reversed=True)
    assert page.last["offers"] == ["callback"]


async def test_whose_wait_is_over_is_forgotten(scene: Scene) -> None:
    live = Live()
    waits, page = Waits(live), Page(scene, live, "c1")
    routing = Routing(waits)
    routing.waiting("c1", 1)
    routing.says(contact_dequeued=pb.ContactDequeued(contact="c1"))
    routing.step(SURGE_ACTION_MESSAGE)
    waits.tell(page.follower)
    assert len(page.frames) == 1
