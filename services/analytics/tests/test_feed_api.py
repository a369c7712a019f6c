"""The feed over HTTP and gRPC: who may, what is answered, and what is refused (CH-7)."""

from __future__ import annotations

import random
import socket
from collections.abc import AsyncIterator
from types import SimpleNamespace

import grpc
import httpx2
import pytest

from analytics import wiring
from analytics.app.lines import Splitter
from analytics.app.sources import Sources
from analytics.config import Settings
from analytics.domain.feed import FeedEnded, FeedOpened, Terms
from analytics.projections.rows import StoredRows
from analytics.rpc import figures as figures_rpc
from contactcenter.analytics.v1 import service_pb2
from contactcenter.analytics.v1.service_pb2_grpc import AnalyticsServiceStub
from contactcenter.external.v1 import events_pb2
from switchlog import rpc
from switchlog.testing import TestIssuer
from switchlog.testing import test_settings as settings_for_tests

from .feeds import TENANT, Place, accepted, body, calls, line
from .test_fed_fold import folding, topic


class Room(Place):
    def __init__(self) -> None:
        super().__init__()
        self.issuer = TestIssuer(tenant=TENANT)

    async def post(self, content, *roles: str, tenant: str | None = None, headers: dict | None = None, **params):
        given = self.issuer.bearer("u1", roles or ("admin",), tenant=tenant) | (headers or {})
        return await self.http.post("/v1/feed", content=content, params=params, headers=given)


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    room = Room()

    async def ready() -> dict[str, bool]:
        return {"store": True}

    kernel = SimpleNamespace(settings=settings_for_tests("analytics"), ready=ready)
    settings = Settings(kernel.settings, "r1", feed_attributes=frozenset({"lang"}))
    room.rows = StoredRows(room.store.views, "s1", "g")
    app = wiring.app(settings, kernel, None, room.issuer.verifier, room.feeding, Sources(room.rows))
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as room.http:
        yield room


async def test_lines_are_counted_and_a_repeat_changes_nothing(room: Room):
    lines = calls(30)
    first, again = await room.post(body(lines), any_order=True), await room.post(body(lines), any_order=True)
    counted = {"accepted": len(lines), "duplicates": 0, "rejected": 0}
    assert first.json() == counted | {"reasons": {}, "attributes_left_out": 0, "rejections": []}
    assert again.json() | {"accepted": 0, "duplicates": len(lines)} == again.json()
    assert all(isinstance(events[-1], FeedEnded) for events in (await room.log()).values())


async def test_bad_lines_are_told_by_number_and_good_ones_kept(room: Room):
    good = body([line("contact_queued", 0, "c1", queue="sales", attributes={"lang": "zh", "phone": "1"})])
    answer = await room.post(b"\n".join([b"{", good, b"", b'{"source":"\xff"}', good, b"[]"]))
    assert answer.status_code == 200
    told = answer.json()
    assert (told["accepted"], told["duplicates"], told["rejected"], told["attributes_left_out"]) == (1, 1, 3, 2)
    assert [(one["line"], one["reason"]) for one in told["rejections"]] == [
        (1, "BAD_JSON"),
        (4, "BAD_UTF8"),
        (6, "BAD_FIELD"),
    ]
    assert told["reasons"] == {"BAD_JSON": 1, "BAD_UTF8": 1, "BAD_FIELD": 1}


async def test_a_body_is_streamed_and_never_held_whole(room: Room, monkeypatch: pytest.MonkeyPatch):
    held: list[int] = []
    split = Splitter.split

    def watched(self: Splitter, chunk: bytes):
        held.append(len(self.tail) + len(chunk))
        return split(self, chunk)

    monkeypatch.setattr(Splitter, "split", watched)

    async def sent() -> AsyncIterator[bytes]:
        yield b"x" * 50_000
        for _ in range(400):
            yield b"x" * 10_000
        yield b"\n" + body(calls(5))

    told = (await room.post(sent())).json()
    assert [one["reason"] for one in told["rejections"]] == ["TOO_LONG"] and told["accepted"] == len(calls(5))
    assert max(held) < 200_000


async def test_terms_come_from_the_query(room: Room):
    await room.post(body([line("contact_held", 0, "c1")]), lateness="1.5m")
    openings = [events[0] for events in (await room.log()).values()]
    assert openings == [FeedOpened("pbx", Terms(90_000))] * 16


@pytest.mark.parametrize("role", ["analyst", "supervisor", "agent"])
async def test_only_admins_and_services_feed(room: Room, role: str):
    answer = await room.post(b"", role)
    assert (answer.status_code, answer.json()["reason"]) == (403, "ROLE_REQUIRED")


async def test_nobody_feeds_another_tenant_but_a_service(room: Room):
    lines = body(calls(1))
    assert (await room.post(lines, headers={"x-tenant-id": "rival"})).status_code == 403
    assert (await room.post(lines, "service", tenant="switchlog", headers={"x-tenant-id": TENANT})).json()["accepted"]
    assert sum(len(events) for events in (await room.log()).values()) > 16


@pytest.mark.parametrize(
    "params", [{"lateness": -1}, {"lateness": "x"}, {"lateness": "400d"}, {"any_order": 7}, {"ends": "a b"}]
)
async def test_bad_terms_are_refused(room: Room, params: dict):
    assert (await room.post(b"", **params)).status_code == 422


async def test_an_empty_body_is_an_empty_feed(room: Room):
    assert (await room.post(b"")).json()["accepted"] == 0


async def test_a_packed_body_is_refused(room: Room):
    assert (await room.post(b"", headers={"content-encoding": "gzip"})).status_code == 400


async def test_the_number_of_sources_in_a_request_is_limited(room: Room):
    told = (await room.post(body([line("contact_held", 0, "c1", source=f"s{n}") for n in range(110)]))).json()
    assert (told["accepted"], told["reasons"]) == (100, {"TOO_MANY_SOURCES": 10})


async def test_a_source_says_how_it_stands_and_what_made_no_sense(room: Room):
    lines = [*calls(20), line("contact_answered", 0, "x1", queue="sales"), line("contact_held", 0, "x2")]
    await room.post(body(lines), any_order=True, more=True)
    for number, records in enumerate(await topic(room, random.Random(1))):
        fold = await folding(room.store.views, number)
        await fold.take(records)
    headers = room.issuer.bearer("ann", ("analyst",))

    async def ask(source: str = "pbx", **span: str):
        return await room.http.get(f"/v1/feed/{source}", params=span, headers=headers)

    told = (await ask()).json()
    assert (told["lines"], told["ended"], told["final_until"], told["all_final"]) == (len(lines), False, None, False)
    assert told["dirt"] == {"answered_unqueued": 1, "answered_without_agent": 1, "held_unanswered": 1}
    assert told["time"] == max(one["at"] for one in lines)
    assert (await ask(**{"from": "2025-11-20T00:00:00Z", "to": "2025-11-21T00:00:00Z"})).json()["dirt"] == {}
    assert (await ask("nobody")).status_code == 404
    assert (await ask(**{"from": "2025-11-20T00:00:00"})).status_code == 422
    assert (await ask(**{"from": "2025-01-20T00:00:00Z"})).status_code == 422
    headers = room.issuer.bearer("eve", ("admin",), tenant="rival")
    assert (await ask()).status_code == 404


# --- gRPC ------------------------------------------------------------------------------------------------------------


@pytest.fixture
async def stub(room: Room) -> AsyncIterator[AnalyticsServiceStub]:
    settings = settings_for_tests("analytics", grpc_port=_free_port())
    servicer = figures_rpc.servicer(None, room.feeding, frozenset({"lang"}))
    server = rpc.create_server([servicer], room.issuer.verifier, settings)
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{settings.grpc_port}") as channel:
        yield AnalyticsServiceStub(channel)
    await server.stop(0)


def by(room: Room, role: str = "admin") -> dict:
    return {"timeout": 20, "metadata": tuple(room.issuer.bearer("u1", (role,)).items())}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_the_same_lines_by_grpc_are_the_same_facts(room: Room, stub):
    from analytics.adapters.fed_events import line_message

    lines = [line_message(one.source, one.line) for _, one in accepted(calls(20))]
    lines.append(events_pb2.CallFactFed(source="pbx"))
    lines.append(events_pb2.CallFactFed(source="pbx", fact=99))

    async def requests():
        yield service_pb2.FeedRequest(lines=lines[:30], any_order=True)
        yield service_pb2.FeedRequest(lines=lines[30:])

    answer = await stub.Feed(requests(), **by(room))
    assert (answer.accepted, answer.duplicates, answer.rejected) == (len(lines) - 2, 0, 2)
    assert [one.line for one in answer.rejections] == [len(lines) - 1, len(lines)]
    by_http = (await room.post(body(calls(20)), any_order=True)).json()
    assert (by_http["accepted"], by_http["duplicates"]) == (0, len(lines) - 2)


async def test_who_may_not_feed_hears_so_by_grpc(room: Room, stub):
    async def requests():
        yield service_pb2.FeedRequest(lines=[])

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Feed(requests(), **by(room, "analyst"))
    assert refused.value.code() == grpc.StatusCode.PERMISSION_DENIED


async def test_no_message_is_no_feed(room: Room, stub):
    async def requests():
        for nothing in ():
            yield nothing

    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stub.Feed(requests(), **by(room))
    assert (refused.value.code(), refused.value.details()) == (grpc.StatusCode.INVALID_ARGUMENT, "NOTHING_FED")
