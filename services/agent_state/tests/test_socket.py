"""The agent's socket, on a real server: a ticket, a snapshot, then changes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import SimpleNamespace

import httpx2
import pytest
import websockets

from agent_state import wiring
from agent_state.app.foreign import OfferMade
from agent_state.app.handlers import agent_stream
from agent_state.domain.commands import BeNotReady
from switchlog.runtime import serve
from switchlog.testing import TestIssuer, free_port
from switchlog.testing import test_settings as settings_for_tests

from .scene import LEG, TENANT, Scene


@dataclass(frozen=True)
class Door:
    """The service as an agent's browser sees it."""

    scene: Scene
    issuer: TestIssuer
    http: httpx2.AsyncClient
    port: int

    async def ticket(self, agent: str = "ann", role: str = "agent") -> str:
        answered = await self.http.post("/v1/tickets", headers=self.issuer.bearer(agent, (role,)))
        return str(answered.json()["ticket"])

    def url(self, ticket: str) -> str:
        return f"ws://127.0.0.1:{self.port}/v1/agents/me/ws?ticket={ticket}"


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    scene, issuer, stop = Scene(), TestIssuer(tenant=TENANT), asyncio.Event()
    await scene.staffed()

    async def ready() -> dict[str, bool]:
        return {"store": True}

    port = free_port()
    settings = settings_for_tests("agent_state", http_port=port)
    kernel = SimpleNamespace(settings=settings, clock=scene.clock, ready=ready)
    service = wiring.Service(kernel, scene.agents, scene.roster, scene.offers, scene.desks, scene.reactions)
    running = asyncio.create_task(serve(settings, app=wiring.app(service, issuer.verifier), stop=stop))
    base = f"http://127.0.0.1:{port}"
    async with httpx2.AsyncClient(
        base_url=base, transport=httpx2.AsyncHTTPTransport(retries=5), trust_env=False
    ) as http:
        await asyncio.sleep(0.1)
        yield Door(scene, issuer, http, port)
    stop.set()
    await running


async def frame(agent: websockets.ClientConnection) -> dict:
    return json.loads(await asyncio.wait_for(agent.recv(), 5))


async def test_a_snapshot_comes_first_then_changes(door: Door) -> None:
    scene = door.scene
    async with websockets.connect(door.url(await door.ticket())) as agent:
        snapshot = await frame(agent)
        assert (snapshot["type"], snapshot["data"]["state"], snapshot["data"]["offers"]) == ("snapshot", "ready", [])
        now = scene.clock.now()
        scene.desks.offered(TENANT, OfferMade("ann", "o1", LEG, now, now + 15_000, now))
        offer = await frame(agent)
        assert (offer["type"], offer["data"]["offer_id"], offer["data"]["contact"]) == ("offer", "o1", "c1")
        await scene.give(BeNotReady("lunch"))
        facts = await scene.facts()
        scene.desks.changed(agent_stream(TENANT, "ann"), len(facts), facts[-1])
        changed = await frame(agent)
        assert (changed["type"], changed["data"]["reason"]) == ("state", "lunch")


async def test_a_lost_socket_comes_back_to_the_same_offers(door: Door) -> None:
    """trust, Faults: offers re-sent from state"""
    now = door.scene.clock.now()
    door.scene.desks.offered(TENANT, OfferMade("ann", "o1", LEG, now, now + 15_000, now))
    for _ in range(2):
        async with websockets.connect(door.url(await door.ticket())) as agent:
            assert [offer["offer_id"] for offer in (await frame(agent))["data"]["offers"]] == ["o1"]


async def test_a_ticket_is_good_once(door: Door) -> None:
    ticket = await door.ticket()
    async with websockets.connect(door.url(ticket)) as agent:
        await frame(agent)
    async with websockets.connect(door.url(ticket)) as again:
        with pytest.raises(websockets.ConnectionClosed):
            await frame(again)
        assert again.close_code == 4401


async def test_who_is_not_registered_is_told_so(door: Door) -> None:
    async with websockets.connect(door.url(await door.ticket("nobody"))) as agent:
        with pytest.raises(websockets.ConnectionClosed):
            await frame(agent)
        assert agent.close_code == 4404


async def test_a_foreign_page_opens_no_socket(door: Door) -> None:
    with pytest.raises(websockets.InvalidStatus) as refused:
        await websockets.connect(door.url(await door.ticket()), origin="https://evil.test")
    assert refused.value.response.status_code == 403


async def test_a_closed_socket_leaves_no_desk_behind(door: Door) -> None:
    async with websockets.connect(door.url(await door.ticket())) as agent:
        await frame(agent)
        assert len(door.scene.desks) == 1
    for _ in range(100):
        if len(door.scene.desks) == 0:
            return
        await asyncio.sleep(0.02)
    raise AssertionError("the desk is still open")


async def test_a_socket_that_missed_a_fact_is_sent_back_for_a_snapshot(door: Door) -> None:
    async with websockets.connect(door.url(await door.ticket())) as agent:
        version = (await frame(agent))["version"]
        door.scene.desks.changed(agent_stream(TENANT, "ann"), version + 2, None)
        with pytest.raises(websockets.ConnectionClosed):
            await frame(agent)
        assert agent.close_code == 1013
