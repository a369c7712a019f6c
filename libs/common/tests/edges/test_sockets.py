"""WebSockets over a real server: origins, tickets, frames, speed, slow readers (trust, Attacks)."""

import asyncio
import time
from contextlib import suppress

import orjson
import pytest
from fastapi import APIRouter, WebSocket
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from switchlog.auth import Principal, TicketOffice
from switchlog.telemetry import socket_message_span
from switchlog.testing import eventually
from switchlog.testing import test_settings as settings_for_tests
from switchlog.web import create_app, open_socket

ORIGIN = "http://console.test"
ALICE = Principal("acme", "alice", frozenset({"agent"}))
BOB = Principal("acme", "bob", frozenset({"agent"}))


@pytest.fixture
def office():
    return TicketOffice()


@pytest.fixture
async def served(issuer, serving, office):
    router = APIRouter()

    @router.websocket("/v1/ws")
    async def talk(websocket: WebSocket):
        socket = await open_socket(websocket, office, "switchlog.test.v1")
        if socket is None:
            return
        async with socket:
            socket.send({"type": "hello", "subject": socket.principal.subject})
            async for frame in socket:
                with socket_message_span("/v1/ws", "echo"):
                    if frame.get("type") == "leave":
                        return
                    socket.send({"type": "echo", "frame": frame})

    app = create_app(
        "testing", routers=[router], verifier=issuer.verifier, settings=settings_for_tests(allowed_origins=(ORIGIN,))
    )
    async with serving(app) as http:
        http.app = app
        http.ws = lambda ticket=None, **more: connect(
            f"ws://127.0.0.1:{http.settings.http_port}/v1/ws" + (f"?ticket={ticket}" if ticket is not None else ""),
            **({"origin": ORIGIN, "subprotocols": ["switchlog.test.v1"], "max_size": None} | more),
        )
        yield http


async def receive(ws):
    return orjson.loads(await asyncio.wait_for(ws.recv(), 5))


async def close_code(ws):
    async with asyncio.timeout(10):
        with suppress(ConnectionClosed):
            async for _ in ws:
                pass
    return ws.close_code


async def test_a_ticket_opens_a_socket_for_whoever_asked(served, office):
    async with served.ws(office.issue(ALICE)) as ws:
        assert await receive(ws) == {"type": "hello", "subject": "alice"}
        assert ws.subprotocol == "switchlog.test.v1"
        await ws.send('{"type":"x","n":1}')
        assert (await receive(ws))["frame"] == {"type": "x", "n": 1}


async def test_a_foreign_origin_is_403_and_does_not_use_up_the_ticket(served, office):
    ticket = office.issue(ALICE)
    for origin in ("https://evil.test", "null", "http://console.test.evil.test"):
        with pytest.raises(InvalidStatus) as refused:
            async with served.ws(ticket, origin=origin):
                pass
        assert refused.value.response.status_code == 403
    async with served.ws(ticket) as ws:
        assert (await receive(ws))["subject"] == "alice"


async def test_a_client_that_is_no_browser_has_no_origin(served, office):
    async with served.ws(office.issue(ALICE), origin=None) as ws:
        assert (await receive(ws))["subject"] == "alice"


@pytest.mark.parametrize("ticket", [None, "", "made-up"])
async def test_no_ticket_is_4401(served, ticket):
    async with served.ws(ticket) as ws:
        assert await close_code(ws) == 4401


async def test_a_reused_ticket_is_4401(served, office):
    ticket = office.issue(ALICE)
    async with served.ws(ticket) as first:
        await receive(first)
        async with served.ws(ticket) as second:
            assert await close_code(second) == 4401


async def test_a_token_in_the_url_is_no_ticket(served, issuer):
    async with served.ws(issuer.issue()) as ws:
        assert await close_code(ws) == 4401


async def test_a_frame_of_64_kib_passes_and_one_byte_more_is_1009(served, office):
    def frame(size):
        return '{"a":"' + "x" * (size - 8) + '"}'

    async with served.ws(office.issue(ALICE)) as ws:
        await receive(ws)
        await ws.send(frame(64 * 1024))
        assert (await receive(ws))["type"] == "echo"
        await ws.send(frame(64 * 1024 + 1))
        assert await close_code(ws) == 1009


async def test_a_frame_in_fragments_cannot_pass_the_limit(served, office):
    async with served.ws(office.issue(ALICE)) as ws:
        await receive(ws)
        with suppress(ConnectionClosed):
            await ws.send(["x" * 40_000, "x" * 40_000, "x" * 40_000])
        assert await close_code(ws) == 1009


@pytest.mark.parametrize("frame", ["not json", "[1]", '"x"', "[" * 60_000, b"\xff"])
async def test_what_is_not_a_json_object_is_1007(served, office, frame):
    async with served.ws(office.issue(ALICE)) as ws:
        await receive(ws)
        await ws.send(frame)
        assert await close_code(ws) == 1007


async def test_a_fast_sender_is_slowed_to_50_messages_a_second_and_loses_nothing(served, office):
    async with served.ws(office.issue(ALICE)) as ws:
        await receive(ws)
        started = time.monotonic()
        for n in range(100):
            await ws.send(f'{{"n":{n}}}')
        got = [(await receive(ws))["frame"]["n"] for _ in range(100)]
        assert got == list(range(100))
        assert 0.9 <= time.monotonic() - started < 4


async def test_a_slow_reader_is_dropped_while_others_stay_fast(served, office):
    slow_ws = await served.ws(office.issue(ALICE), max_queue=1)
    async with served.ws(office.issue(BOB)) as fast:
        await receive(fast)
        sockets = served.app.state.sockets
        [slow] = await eventually(lambda: sockets.of("acme", "alice"))
        news = "x" * 60_000
        latencies = []
        for _ in range(600):
            slow.send({"type": "news", "news": news})
            if not sockets.of("acme", "alice"):
                break
            if len(latencies) < 40:
                started = time.monotonic()
                await fast.send("{}")
                await receive(fast)
                latencies.append(time.monotonic() - started)
            await asyncio.sleep(0)
        await eventually(lambda: not sockets.of("acme", "alice"))
        assert sorted(latencies)[len(latencies) // 2] < 0.1
        assert len(sockets) == 1
    slow_ws.transport.abort()  # it would wait for what it never reads


async def test_leaving_is_noticed_on_both_sides(served, office):
    async with served.ws(office.issue(ALICE)) as ws:
        await receive(ws)
        assert len(served.app.state.sockets) == 1
    await eventually(lambda: len(served.app.state.sockets) == 0)
    async with served.ws(office.issue(ALICE)) as ws:
        await receive(ws)
        await ws.send('{"type":"leave"}')
        assert await close_code(ws) in (1000, 1006)
    await eventually(lambda: len(served.app.state.sockets) == 0)


async def test_at_the_expiry_of_its_token_a_socket_is_closed(served, office):
    brief = Principal("acme", "alice", expires_at=int(time.time()) + 1)
    async with served.ws(office.issue(brief)) as ws:
        await receive(ws)
        assert await close_code(ws) == 4401


async def test_a_change_of_role_closes_the_sockets_of_one_principal(served, office):
    async with served.ws(office.issue(ALICE)) as alice, served.ws(office.issue(BOB)) as bob:
        await receive(alice)
        await receive(bob)
        await served.app.state.sockets.close_of("acme", "alice")
        assert await close_code(alice) == 4401
        await bob.send("{}")
        assert (await receive(bob))["type"] == "echo"


async def test_tickets_do_not_appear_in_logs(served, office, lines):
    ticket = office.issue(ALICE)
    async with served.ws(ticket) as ws:
        await receive(ws)
    assert ticket not in orjson.dumps(lines()).decode()
