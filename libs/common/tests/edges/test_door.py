"""Attacks on bodies, over a real socket: exact answers, within a second, without growing (trust, Attacks)."""

import asyncio
import gzip
import json
import time
import zlib

import psutil
import pytest
from fastapi import APIRouter, Request

from switchlog.errors import Poison
from switchlog.testing import eventually
from switchlog.testing import test_settings as settings_for_tests
from switchlog.web import Body, create_app
from switchlog.web.door import Door, _read

MIB = 1024 * 1024
JSON = {"content-type": "application/json"}

router = APIRouter()


class Note(Body):
    note: str


@router.post("/v1/notes")
async def note(body: Note):
    return {"length": len(body.note)}


@router.post("/v1/anything")
async def anything(request: Request):
    return {"size": len(await request.body())}


@router.post("/v1/feed")
async def feed(request: Request):
    return {"size": sum([len(chunk) async for chunk in request.stream()])}


@router.post("/v1/slow")
async def slow():
    await asyncio.sleep(0.3)
    return {}


@pytest.fixture
def app(issuer):
    return create_app(
        "testing",
        routers=[router],
        verifier=issuer.verifier,
        settings=settings_for_tests(),
        body_limits={"/v1/feed": 3 * MIB},
    )


@pytest.fixture
async def http(app, serving):
    async with serving(app) as client:
        yield client


async def answered_soon_in_50_mib(send):
    process = psutil.Process()
    before, started = process.memory_info().rss, time.monotonic()
    answered = await send
    assert time.monotonic() - started < 10
    assert process.memory_info().rss - before < 50 * MIB
    return answered.status_code, answered.json()["reason"]


async def test_a_body_of_10_mb_is_413(http):
    send = http.post("/v1/notes", content=b"x" * 10_000_000, headers=JSON)
    assert await answered_soon_in_50_mib(send) == (413, "TOO_LARGE")
    assert (await http.get("/healthz")).status_code == 200


async def test_a_chunked_body_without_a_length_is_cut_off_at_the_limit(http):
    sent = 0

    async def chunks():
        nonlocal sent
        for _ in range(40):
            sent += 64 * 1024
            yield b"x" * 64 * 1024

    answered = await http.post("/v1/notes", content=chunks(), headers=JSON)
    assert answered.status_code == 413


async def send_for_ever(writer):
    while True:
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
        await writer.drain()


async def test_an_endless_body_ends_the_connection(http):
    """A client that would send for ever is not read for ever; it may or may not hear why."""
    _, writer = await asyncio.open_connection("127.0.0.1", http.settings.http_port)
    writer.write(b"POST /v1/notes HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n")
    async with asyncio.timeout(5):
        with pytest.raises(ConnectionError):
            await send_for_ever(writer)
    writer.close()


async def test_json_of_depth_100000_is_400(http):
    for deep in (b"[" * 100_000, b'{"note":' * 100_000, b"[" * 100_000 + b"]" * 100_000):
        send = http.post("/v1/notes", content=deep, headers=JSON)
        assert await answered_soon_in_50_mib(send) == (400, "JSON_TOO_DEEP")


async def test_wide_json_is_not_mistaken_for_deep(http):
    wide = json.dumps({"note": "x", "things": [[] for _ in range(50_000)]}).encode()
    assert (await http.post("/v1/notes", content=wide, headers=JSON)).status_code == 422
    brackets = json.dumps({"note": "[{" * 1000}).encode()
    assert (await http.post("/v1/notes", content=brackets, headers=JSON)).json() == {"length": 2000}


async def test_a_gzip_bomb_is_413(http):
    bomb = gzip.compress(b"0" * 200 * MIB)
    assert len(bomb) < MIB
    send = http.post("/v1/notes", content=bomb, headers=JSON | {"content-encoding": "gzip"})
    assert await answered_soon_in_50_mib(send) == (413, "TOO_LARGE")


async def test_an_honest_gzip_body_is_read(http):
    content = gzip.compress(json.dumps({"note": "hello"}).encode())
    answered = await http.post("/v1/notes", content=content, headers=JSON | {"content-encoding": "gzip"})
    assert answered.json() == {"length": 5}


@pytest.mark.parametrize(
    "content, encoding",
    [
        (b"not gzip", "gzip"),
        (gzip.compress(b"{}")[:-9], "gzip"),
        (zlib.compress(b"{}"), "br"),
        (b"x", "gzip, gzip"),
    ],
    ids=["not gzip", "cut off", "brotli", "twice"],
)
async def test_a_broken_or_unknown_encoding_is_400(http, content, encoding):
    answered = await http.post("/v1/notes", content=content, headers=JSON | {"content-encoding": encoding})
    assert answered.status_code == 400


async def test_a_body_of_exactly_the_limit_passes(http):
    assert (await http.post("/v1/anything", content=b"x" * MIB)).json() == {"size": MIB}
    assert (await http.post("/v1/anything", content=b"x" * (MIB + 1))).status_code == 413


async def test_a_streaming_route_has_its_own_limit(http):
    async def chunks(count):
        for _ in range(count):
            yield b"x" * MIB

    assert (await http.post("/v1/feed", content=chunks(3))).json() == {"size": 3 * MIB}
    assert (await http.post("/v1/feed", content=chunks(4))).status_code == 413
    assert (await http.post("/v1/feed", content=b"x", headers={"content-encoding": "gzip"})).status_code == 400


async def test_a_body_that_trickles_in_is_given_up():
    async def never():
        await asyncio.sleep(3600)

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("switchlog.web.door.BODY_TIMEOUT_S", 0.05)
        with pytest.raises(Poison, match="BODY_TOO_SLOW"):
            await _read(never, MIB)


async def test_too_many_requests_at_once_are_asked_to_come_back(issuer, serving):
    app = create_app("testing", routers=[router], verifier=issuer.verifier, settings=settings_for_tests())
    for middleware in app.user_middleware:
        if middleware.cls is Door:
            middleware.kwargs["max_in_flight"] = 2
    async with serving(app) as http:
        answers = await asyncio.gather(*(http.post("/v1/slow") for _ in range(5)))
    statuses = sorted(answered.status_code for answered in answers)
    assert statuses == [200, 200, 503, 503, 503]
    assert {answered.headers.get("retry-after") for answered in answers} == {None, "1"}


async def test_a_client_that_leaves_does_no_harm(http):
    _, writer = await asyncio.open_connection("127.0.0.1", http.settings.http_port)
    writer.write(b"POST /v1/notes HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\nabc")
    await writer.drain()
    writer.close()
    await eventually(lambda: writer.is_closing())
    assert (await http.get("/healthz")).status_code == 200


async def test_headers_cannot_be_split(http):
    """A line break in what we echo would be a header of the attacker's."""
    reader, writer = await asyncio.open_connection("127.0.0.1", http.settings.http_port)
    writer.write(b"GET /nope HTTP/1.1\r\nhost: x\r\nx-correlation-id: a\tb\r\nconnection: close\r\n\r\n")
    answer = await reader.read()
    assert b"404" in answer.split(b"\r\n", 1)[0]
    assert b"a\tb" not in answer
    writer.close()
