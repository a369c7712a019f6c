"""The sockets of visitors and agents on a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import httpx2
import pytest
import websockets
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Origin, Subprotocol

from ingress_chat import wiring
from ingress_chat.app import live as live_module
from switchlog.auth.signing import issue_visitor_token
from switchlog.auth.verifier import StaticKeys, Trust
from switchlog.envelope import StreamId
from switchlog.runtime import serve
from switchlog.testing import TestIssuer, eventually, free_port

from .scene import DOOR, SITE_KEY, TENANT, Scene

CHAT = Subprotocol("switchlog.chat.v1")
SHOP, CONSOLE = Origin("https://shop.test"), Origin("http://127.0.0.1:8080")
Client = websockets.ClientConnection


@dataclass(frozen=True)
class Site:
    """The service as browsers see it."""

    scene: Scene
    issuer: TestIssuer
    http: httpx2.AsyncClient
    port: int

    async def visitor(self) -> tuple[StreamId, str]:
        """A new contact, and its visitor's token."""
        told = (await self.http.post("/v1/visitors", json={"site_key": SITE_KEY})).json()
        return StreamId(TENANT, f"contact-{told['contact_id']}"), told["token"]

    async def ticket(self, token: str) -> str:
        answered = await self.http.post("/v1/tickets", headers={"authorization": f"Bearer {token}"})
        return str(answered.json()["ticket"])

    def url(self, ticket: str, path: str = "/v1/ws") -> str:
        return f"ws://127.0.0.1:{self.port}{path}?ticket={ticket}"

    async def open(self, token: str, **more: Any) -> Client:
        return await websockets.connect(self.url(await self.ticket(token)), subprotocols=[CHAT], **more)

    async def desk(self, agent: str = "ann", **more: Any) -> Client:
        ticket = await self.ticket(self.issuer.issue(agent, ("agent",)))
        return await websockets.connect(self.url(ticket, "/v1/agents/me/ws"), **more)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    port, issuer, stop = free_port(), TestIssuer(tenant=TENANT), asyncio.Event()
    scene = await Scene(tmp_path, changes={"http_port": port, "allowed_origins": (str(CONSOLE),)}).set_up(
        replace(DOOR, reconnect_grace_s=30)
    )
    app = wiring.app(scene.service, Trust(issuer.signer.issuer, StaticKeys([issuer.signer.key])))
    drain = [scene.presence.close]
    running = asyncio.create_task(serve(scene.service.kernel.settings, app=app, stop=stop, drain=drain))
    transport = httpx2.AsyncHTTPTransport(retries=5)
    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", transport=transport, trust_env=False) as http:
        await eventually(lambda: _answers(http), within_s=5)
        yield Site(scene, issuer, http, port)
    stop.set()
    await running


async def _answers(http: httpx2.AsyncClient) -> bool:
    try:
        return (await http.get("/healthz")).status_code == 200
    except httpx2.TransportError:
        return False


passed_by: WeakKeyDictionary[Client, list[dict[str, Any]]] = WeakKeyDictionary()


async def heard(client: Client) -> dict[str, Any]:
    if earlier := passed_by.get(client):
        return earlier.pop(0)
    return json.loads(await asyncio.wait_for(client.recv(), 3))  # type: ignore[no-any-return]


async def ask(client: Client, frame: Any) -> dict[str, Any]:
    """The ack or error that answers ``frame``; what comes before it is heard later."""
    await client.send(json.dumps(frame))
    while True:
        answer = json.loads(await asyncio.wait_for(client.recv(), 3))
        if answer["type"] in ("ack", "error"):
            return answer
        passed_by.setdefault(client, []).append(answer)


def message(id: str, text: str = "hello", **data: Any) -> dict[str, Any]:
    return {"type": "message", "id": id, "data": {"text": text, **data}}


async def closed(client: Client) -> int:
    with pytest.raises(ConnectionClosed) as error:
        async with asyncio.timeout(3):
            while True:
                await client.recv()
    return error.value.rcvd.code if error.value.rcvd else 0


async def test_a_message_is_acknowledged_when_it_is_durable_and_shown_to_both(site: Site) -> None:
    """CH-1"""
    contact, token = await site.visitor()
    async with await site.open(token, origin=SHOP) as visitor:
        assert visitor.subprotocol == CHAT
        assert await ask(visitor, message("m1", "你好")) == {"type": "ack", "id": "m1", "seq": 3, "data": {}}
        first, second = await heard(visitor), await heard(visitor)
        assert (first["id"], first["seq"], first["data"]["text"]) == ("m1", 2, "你好")
        assert (second["type"], second["data"]["state"]) == ("status", "waiting")
        await site.scene.assign(contact)
        site.scene.live.nudge(contact)
        assert (await heard(visitor))["data"]["agent"] == "ann"
        await site.scene.reply(contact, "a1", "how can I help?")
        assert (await heard(visitor))["data"]["text"] == "how can I help?"


async def test_resent_frames_are_one_message(site: Site) -> None:
    """CH-6"""
    contact, token = await site.visitor()
    async with await site.open(token) as visitor:
        first = await ask(visitor, message("m1"))
        assert await ask(visitor, message("m1")) == first
        other = await ask(visitor, message("m1", "something else"))
        assert other["data"]["reason"] == "IDEMPOTENCY_KEY_REUSED"
    assert len(await site.scene.facts(contact)) == 3


async def test_who_comes_back_resumes_after_what_it_has(site: Site) -> None:
    """CH-6"""
    contact, token = await site.visitor()
    async with await site.open(token) as visitor:
        await ask(visitor, message("m1"))
    await site.scene.say(contact, "m2")
    async with await site.open(token) as visitor:
        await visitor.send(json.dumps({"type": "resume", "id": "r", "data": {"after_seq": 3}}))
        assert [(await heard(visitor))["id"]] == ["m2"]
        await visitor.send(json.dumps({"type": "resume", "id": "r", "data": {"after_seq": 10**9}}))
        await ask(visitor, {"type": "sing"})
        await site.scene.say(contact, "m3")
        assert (await heard(visitor))["id"] == "m3"


async def test_a_conversation_of_a_thousand_messages_is_shown_whole(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More than may wait for a reader: the follower waits for room instead of having the reader dropped."""
    monkeypatch.setattr(live_module, "PAGE", 5_000)
    contact, token = await site.visitor()
    for n in range(1000):
        await site.scene.say(contact, f"m{n}", "x" * 200)
    async with await site.open(token) as visitor:
        seen = [(await heard(visitor))["seq"] for _ in range(1001)]
    assert seen == sorted(set(seen))


BAD_FRAMES: list[tuple[Any, str]] = [
    ({"type": "sing", "id": "x"}, "BAD_FRAME"),
    ({"id": "x"}, "BAD_FRAME"),
    ({"type": "message", "id": 7}, "BAD_FRAME"),
    ({"type": "message", "id": "x" * 65}, "BAD_FRAME"),
    ({"type": "message", "data": []}, "BAD_FRAME"),
    ({"type": "message", "id": "x", "data": {}}, "BAD_MESSAGE"),
    ({"type": "message", "id": "", "data": {"text": "x"}}, "BAD_MESSAGE"),
    ({"type": "message", "id": "a/b", "data": {"text": "x"}}, "BAD_MESSAGE"),
    ({"type": "message", "id": "x", "data": {"text": 7}}, "BAD_MESSAGE"),
    ({"type": "message", "id": "x", "data": {"text": "x", "kind": "bomb"}}, "BAD_MESSAGE"),
    ({"type": "message", "id": "x", "data": {"attachment": "../../x"}}, "BAD_MESSAGE"),
    ({"type": "resume", "id": "x", "data": {"after_seq": -1}}, "BAD_FRAME"),
    ({"type": "resume", "id": "x", "data": {"after_seq": True}}, "BAD_FRAME"),
]


async def test_a_bad_frame_is_answered_and_the_conversation_goes_on(site: Site) -> None:
    _, token = await site.visitor()
    async with await site.open(token) as visitor:
        for frame, reason in BAD_FRAMES:
            assert (await ask(visitor, frame))["data"]["reason"] == reason, frame
        assert (await ask(visitor, message("m1")))["type"] == "ack"


async def test_what_is_no_json_object_or_too_long_ends_the_socket(site: Site) -> None:
    _, token = await site.visitor()
    for text in ("", "[]", "{", '"x"', "\ud800".encode("utf-8", "surrogatepass")):
        async with await site.open(token) as visitor:
            await visitor.send(text)
            assert await closed(visitor) == 1007
    async with await site.open(token) as visitor:
        await visitor.send("x" * (64 * 1024 + 1))
        assert await closed(visitor) == 1009


async def test_tickets_are_good_once(site: Site) -> None:
    _, token = await site.visitor()
    ticket = await site.ticket(token)
    async with await websockets.connect(site.url(ticket)) as visitor:
        assert visitor.subprotocol is None
        await ask(visitor, message("m1"))
    for used in (ticket, "made-up", ""):
        async with await websockets.connect(site.url(used)) as visitor:
            assert await closed(visitor) == 4401
    async with await websockets.connect(site.url(token)) as visitor:
        assert await closed(visitor) == 4401


async def test_pages_the_entry_point_does_not_name_get_no_socket(site: Site) -> None:
    _, token = await site.visitor()
    for origin in ("https://evil.test", "null", "https://shop.test.evil", "http://shop.test"):
        with pytest.raises(InvalidStatus) as error:
            await site.open(token, origin=Origin(origin))
        assert error.value.response.status_code == 403


async def test_a_shops_page_gets_no_agents_socket(site: Site) -> None:
    with pytest.raises(InvalidStatus) as error:
        await site.desk(origin=SHOP)
    assert error.value.response.status_code == 403
    async with await site.desk(origin=CONSOLE) as desk:
        assert desk.state.name == "OPEN"


async def test_each_kind_of_socket_takes_its_own_people(site: Site) -> None:
    _, token = await site.visitor()
    agent = site.issuer.issue("ann", ("agent",))
    for path, whose in (("/v1/ws", agent), ("/v1/agents/me/ws", token)):
        async with await websockets.connect(site.url(await site.ticket(whose), path)) as client:
            assert await closed(client) == 4403


async def test_a_token_of_a_contact_that_is_not_there_opens_nothing(site: Site) -> None:
    ghost = issue_visitor_token(site.scene.service.signer, TENANT, "ghost")
    async with await site.open(ghost) as visitor:
        assert await closed(visitor) == 4404


async def test_the_visitor_ends_the_conversation(site: Site) -> None:
    contact, token = await site.visitor()
    async with await site.open(token) as visitor:
        await ask(visitor, message("m1"))
        assert (await ask(visitor, {"type": "end", "id": "e"}))["type"] == "ack"
        assert (await ask(visitor, message("m2")))["data"]["reason"] == "CONTACT_ENDED"
    assert type((await site.scene.facts(contact))[-1]).__name__ == "ContactEnded"


async def test_an_erased_visitor_is_told_so_and_the_socket_stays(site: Site) -> None:
    """PL-5"""
    contact, token = await site.visitor()
    async with await site.open(token) as visitor:
        await ask(visitor, message("m1"))
        customer = (await site.scene.chats.state(contact)).contact.customer_ref
        site.scene.people.erased.add(customer)
        site.scene.service.keys.drop(TENANT, customer)
        assert (await ask(visitor, message("m2")))["data"]["reason"] == "ERASED"
        assert (await ask(visitor, {"type": "end", "id": "e"}))["type"] == "ack"
    async with await site.open(token) as visitor:
        assert (await heard(visitor))["data"]["erased"] is True


async def test_several_sockets_of_one_visitor_see_the_same(site: Site) -> None:
    contact, token = await site.visitor()
    async with await site.open(token) as one, await site.open(token) as two:
        await ask(one, message("m1"))
        await one.send(json.dumps({"type": "typing", "id": "t"}))
        seen = [await heard(two) for _ in range(3)]
        kinds = [frame["type"] for frame in seen]
        assert sorted(kinds) == ["message", "status", "typing"]
        assert next(frame for frame in seen if frame["type"] == "typing")["contact"] == contact.name[8:]


async def test_a_lost_visitor_has_left_after_the_grace_time(site: Site) -> None:
    site.scene.clock.advance(1)
    await site.scene.chats.entry_points.put(DOOR, site.scene.clock.now())
    contact, token = await site.visitor()
    async with await site.open(token) as visitor:
        await ask(visitor, message("m1"))

    async def gone() -> bool:
        return type((await site.scene.facts(contact))[-1]).__name__ == "ContactEnded"

    await eventually(gone, within_s=3)


async def test_an_agents_desk_shows_own_contacts_and_signs(site: Site) -> None:
    contact, token = await site.visitor()
    async with await site.open(token) as visitor:
        await ask(visitor, message("m1"))
        await site.scene.assign(contact)
        site.scene.live.nudge(contact)
        for version, fact in enumerate(await site.scene.facts(contact), 1):
            await site.scene.service.contacts.fold(contact, version, fact)
        async with await site.desk() as desk, await site.desk("bob") as other:
            shown = [await heard(desk) for _ in range(3)]
            assert [frame["type"] for frame in shown] == ["message", "status", "status"]
            assert {frame["contact"] for frame in shown} == {contact.name.removeprefix("contact-")}
            typing = {"type": "typing", "contact": contact.name.removeprefix("contact-")}
            await other.send(json.dumps(typing))
            await desk.send(json.dumps(typing))
            signs = [frame for _ in range(4) if (frame := await heard(visitor))["type"] == "typing"]
            assert [sign["data"]["from"] for sign in signs] == ["agent"]
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(visitor.recv(), 0.1)


async def test_a_desk_does_not_show_what_its_agent_has_left(site: Site) -> None:
    """The list of an agent's contacts lags behind: the contact itself knows."""
    contact = await site.scene.talking()
    for version, fact in enumerate(await site.scene.facts(contact), 1):
        await site.scene.service.contacts.fold(contact, version, fact)
    await site.scene.chats.end_by_agent(contact, "ann", site.scene.cause())
    async with await site.desk() as desk:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(desk.recv(), 0.15)
