"""Figures over HTTP and gRPC: what is answered, to whom, and what is refused."""

from __future__ import annotations

import csv
import io
from collections.abc import AsyncIterator
from datetime import datetime
from types import SimpleNamespace

import grpc
import httpx2
import pytest

from analytics import wire, wiring
from analytics.api.figures import instant
from analytics.app.past import Past
from analytics.app.questions import Questions
from analytics.config import Settings
from analytics.projections.rows import StoredRows
from analytics.rpc import figures as figures_rpc
from contactcenter.agent.v1 import events_pb2 as agent_pb
from contactcenter.analytics.v1 import rows_pb2, service_pb2
from contactcenter.analytics.v1.service_pb2_grpc import AnalyticsServiceStub
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT
from switchlog import rpc
from switchlog.clock import ManualClock
from switchlog.errors import Forbidden, NotFound, Rejected
from switchlog.store.memory import MemoryStore
from switchlog.testing import TestIssuer
from switchlog.testing import test_settings as settings_for_tests

from .folds import WHERE, deliver, opened
from .scene import NOON, TENANT, Log, S

QUARTER = 900 * S


class Room:
    """A folded log, and the questions asked of it."""

    def __init__(self) -> None:
        self.log, self.store, self.clock = Log(), MemoryStore(), ManualClock(NOON + 100 * S)
        self.issuer = TestIssuer(tenant=TENANT)
        self.rows = StoredRows(self.store.views, "s1", "g")
        self.questions = Questions(self.rows, self.clock, "UTC")

    async def fold(self) -> None:
        folding, _ = await opened(self.store.views, self.log)
        await deliver(folding, self.log.records)
        await self.rows.fresh({WHERE: self.clock.now() - 500})

    def ask(self, path: str, *roles: str, tenant: str | None = None, **headers: str):
        return self.http.get(path, headers=self.issuer.bearer("u1", roles or ("analyst",), tenant=tenant) | headers)


@pytest.fixture
async def room() -> AsyncIterator[Room]:
    room = Room()

    async def ready() -> dict[str, bool]:
        return {"store": True}

    kernel = SimpleNamespace(settings=settings_for_tests("analytics"), ready=ready)
    app = wiring.app(Settings(kernel.settings, "r1"), kernel, room.questions, room.issuer.verifier)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as room.http:
        yield room


async def busy(room: Room) -> None:
    """Four contacts: two answered (5 s, 30 s), one abandoned, one waiting 40 s."""
    room.log.defined(NOON)
    room.log.joins(NOON, "ann")
    room.log.joins(NOON, "bob", agent_pb.AGENT_STATE_BUSY)
    room.log.agent(NOON, work_started=agent_pb.WorkStarted(agent="bob", contact="c0", leg=1))
    for n, (waited, outcome) in enumerate([(5, "answered"), (30, "answered"), (10, "abandoned")]):
        room.log.waits(NOON, f"c{n}")
        room.log.leaves(NOON + waited * S, f"c{n}", NOON, outcome)
    room.log.waits(NOON + 60 * S, "w")
    await room.fold()


async def test_the_wallboards_row_of_a_queue(room: Room) -> None:
    """KP: GET /v1/queues/{id}/now, field for field."""
    await busy(room)
    now = (await room.ask("/v1/queues/sales/now")).json()
    figures = now["today"].pop("figures")
    assert now == {
        "queue": "sales",
        "at": "2025-11-24T12:01:40.000Z",
        "waiting": 1,
        "longest_wait_s": 40.0,
        "agents": {
            "signed_in": 2, "checked_in": 2, "ready": 1, "ringing": 0, "busy": 1, "wrap_up": 0, "not_ready": 0,
            "break": 0,
        },
        "today": {
            "counts": {
                "offered": 4, "answered": 2, "answered_in_threshold": 1, "abandoned": 1, "abandoned_in_threshold": 1,
                "short_abandoned": 0, "flowed_out": 0, "callback": 0, "timed_out": 0, "blocked": 0, "failed": 0,
                "waiting": 1, "transferred": 0,
            }
        },
        "freshness_s": 0.5,
    }  # fmt: skip
    assert figures["sl_strict"] == pytest.approx(1 / 3)
    assert figures["sl_strict.live"] == 0.25
    assert figures["asa"] == 17.5


async def test_only_agents_who_may_serve_the_queue_stand_in_its_row(room: Room) -> None:
    from contactcenter.contact.v1.types_pb2 import SkillRequirement

    room.log.defined(NOON, required_skills=[SkillRequirement(skill="billing", min_level=2)])
    room.log.joins(NOON, "ann", skills=[agent_pb.Skill(skill="billing", level=3)])
    room.log.joins(NOON, "bob", skills=[agent_pb.Skill(skill="billing", level=1)])
    room.log.joins(NOON, "cat", skills=[agent_pb.Skill(skill="billing", level=2)], queues=["care"])
    await room.fold()
    assert (await room.ask("/v1/queues/sales/now")).json()["agents"]["ready"] == 1


async def test_whoever_waits_since_yesterday_is_seen_today(room: Room) -> None:
    room.log.defined(NOON)
    room.log.waits(NOON - 86_400 * S, "old")
    room.log.waits(NOON, "new")
    await room.fold()
    now = (await room.ask("/v1/queues/sales/now")).json()
    assert (now["waiting"], now["longest_wait_s"]) == (2, 86_500.0)
    assert now["today"]["counts"]["offered"] == 1


async def test_figures_by_interval(room: Room) -> None:
    room.log.defined(NOON)
    for n in range(4):
        at = NOON + n * QUARTER
        room.log.waits(at, f"c{n}")
        room.log.leaves(at + (n + 1) * 10 * S, f"c{n}", at)
        room.log.final(at + QUARTER + 20 * S, at + QUARTER)
    room.clock.advance(4 * QUARTER)
    await room.fold()
    answer = (await room.ask("/v1/figures?step=30m&formulas=sl_strict,asa")).json()
    assert {name: answer[name] for name in ("tz", "step", "attribution", "threshold_s")} == {
        "tz": "UTC", "step": "30m", "attribution": "cohort", "threshold_s": 20,
    }  # fmt: skip
    rows = answer["rows"]
    assert [(row["start"], row["end"], row["queue"]) for row in rows] == [
        ("2025-11-24T12:00:00.000Z", "2025-11-24T12:30:00.000Z", "sales"),
        ("2025-11-24T12:30:00.000Z", "2025-11-24T13:00:00.000Z", "sales"),
    ]
    assert [row["figures"] for row in rows] == [{"sl_strict": 1.0, "asa": 15.0}, {"sl_strict": 0.0, "asa": 35.0}]
    assert [(row["verdicts_final"], row["final"]) for row in rows] == [(True, True), (True, True)]
    assert rows[0]["percentiles"]["wait_p50"] == pytest.approx(10, rel=0.01)
    assert rows[0]["seconds"]["wait_answered"] == 30.0
    (day,) = (await room.ask("/v1/figures?step=1d&threshold=30")).json()["rows"]
    assert (day["counts"]["answered"], day["counts"]["answered_in_threshold"]) == (4, 3)
    assert not day["final"]  # the day is not over by the log's clock


async def test_from_and_to_choose_quarters_and_channels_are_told_apart(room: Room) -> None:
    room.log.defined(NOON)
    room.log.waits(NOON, "c1")
    room.log.waits(NOON + QUARTER, "c2", channel="voice")
    await room.fold()
    room.clock.advance(2 * QUARTER)
    span = "from=2025-11-24T12:15:00Z&to=2025-11-24T12:30:00Z"
    (row,) = (await room.ask(f"/v1/figures?step=15m&{span}")).json()["rows"]
    assert row["counts"]["offered"] == 1
    found = (await room.ask("/v1/figures?step=1h&channel=voice")).json()["rows"]
    assert [row["counts"]["offered"] for row in found] == [1]


async def test_csv_is_the_same_flat(room: Room) -> None:
    await busy(room)
    answer = await room.ask("/v1/figures?step=1h&formulas=sl_strict", accept="text/csv")
    assert answer.headers["content-type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["offered"], row["answered"], row["transferred"], row["final"]) == ("4", "2", "0", "false")
    assert float(row["sl_strict"]) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    "query, reason",
    [
        ("step=7m", "UNKNOWN_STEP"),
        ("attribution=both", "UNKNOWN_ATTRIBUTION"),
        ("group_by=zodiac", "UNKNOWN_GROUP"),
        ("formulas=sl_magic", "UNKNOWN_FORMULA"),
        ("threshold=21", "UNKNOWN_THRESHOLD"),
        ("as_of=2026-01-01T00:00:00Z", "BAD_AS_OF"),
        ("as_of=2025-11-24T12:00:00", "BAD_TIME"),
        ("as_of=2025-11-24T12:00:00Z", "NO_AS_OF"),
        ("channel=pigeon", "UNKNOWN_CHANNEL"),
        ("compare=next", "UNKNOWN_COMPARE"),
        ("from=2024-01-01T00:00:00Z", "TOO_LONG"),
        ("tz=Mars", "UNKNOWN_TIME_ZONE"),
        ("from=2025-11-24T12:00:00", "BAD_TIME"),
        ("from=2025-11-25T12:00:00Z", "BAD_RANGE"),
    ],
)
async def test_what_is_unknown_or_not_there_yet_is_refused_by_name(room: Room, query: str, reason: str) -> None:
    await busy(room)
    answer = await room.ask(f"/v1/figures?{query}")
    assert (answer.status_code, answer.json()["reason"]) == (422, reason)


@pytest.mark.parametrize("role", ["analyst", "supervisor", "admin", "service"])
async def test_who_may_read_figures(room: Room, role: str) -> None:
    await busy(room)
    assert (await room.ask("/v1/queues/sales/now", role)).status_code == 200


async def test_agents_and_strangers_may_not(room: Room) -> None:
    await busy(room)
    assert (await room.ask("/v1/queues/sales/now", "agent")).status_code == 403
    assert (await room.http.get("/v1/figures")).status_code == 401


async def test_another_tenants_queue_is_the_same_404_as_a_random_one(room: Room) -> None:
    await busy(room)
    foreign = await room.ask("/v1/queues/sales/now", tenant="other")
    random = await room.ask("/v1/queues/nothing/now")
    assert foreign.status_code == random.status_code == 404
    drop = {"correlation_id"}
    assert {k: v for k, v in foreign.json().items() if k not in drop} == {
        k: v for k, v in random.json().items() if k not in drop
    }
    assert (await room.ask("/v1/figures", tenant="other")).json()["rows"] == []


async def test_a_queue_that_changed_its_pool_is_one_queue(room: Room) -> None:
    """Rule 27: queries add over partitions; the definition recorded last counts."""
    room.log.defined(NOON)
    room.log.waits(NOON, "c1")
    room.log.waits(NOON + S, "c2", pool="back")
    await room.fold()
    now = (await room.ask("/v1/queues/sales/now")).json()
    assert (now["waiting"], now["today"]["counts"]["offered"]) == (2, 2)


async def test_the_same_by_grpc(room: Room) -> None:
    await busy(room)
    settings = settings_for_tests("analytics", grpc_port=_free_port())
    asked_of: list[int] = []

    async def replay(tenant: str, at: int) -> StoredRows:
        asked_of.append(at)
        return room.rows

    server = rpc.create_server([figures_rpc.servicer(Past(room.questions, replay))], room.issuer.verifier, settings)
    await server.start()
    address = f"127.0.0.1:{settings.grpc_port}"
    try:
        stub = AnalyticsServiceStub(rpc.channel(address, room.issuer))
        now = (await stub.GetQueueNow(service_pb2.GetQueueNowRequest(queue="sales", tenant_id=TENANT))).now
        assert (now.waiting, now.longest_wait_ms, now.freshness_ms) == (1, 40_000, 500)
        assert {one.name: one.value for one in now.agents}["ready"] == 1
        found = await stub.GetFigures(service_pb2.GetFiguresRequest(step=rows_pb2.STEP_1H, formulas=["sl_strict"]))
        (row,) = found.rows
        assert {one.name: one.value for one in row.counts}["offered"] == 4
        assert row.figures[0].value == pytest.approx(1 / 3)
        assert wire.milliseconds(row.start) == NOON
        asked = service_pb2.GetFiguresRequest(
            step=rows_pb2.STEP_1MO, group_by=["channel"], attribution=rows_pb2.ATTRIBUTION_EVENT, compare_previous=True
        )
        found = await stub.GetFigures(asked)
        (row,) = found.rows
        assert (row.queue, row.channel, len(found.previous)) == ("", CHANNEL_CHAT, 0)
        assert {one.name: one.value for one in row.counts}["abandoned"] == 1
        assert (found.step, found.attribution) == (rows_pb2.STEP_1MO, rows_pb2.ATTRIBUTION_EVENT)
        (whole,) = (
            await stub.GetFigures(service_pb2.GetFiguresRequest(step=rows_pb2.STEP_1D, group_by=["tenant"]))
        ).rows
        assert (whole.queue, {one.name for one in whole.durations} >= {"ready", "signed_in"}) == ("", True)
        then = wire.stamp(NOON + 90 * S)
        now = (await stub.GetQueueNow(service_pb2.GetQueueNowRequest(queue="sales", as_of=then))).now
        assert (wire.milliseconds(now.at), now.longest_wait_ms, asked_of) == (NOON + 90 * S, 30_000, [NOON + 90 * S])
        assert (await stub.GetFigures(service_pb2.GetFiguresRequest(as_of=then))).as_of == then
        with pytest.raises(Rejected, match="BAD_AS_OF"):
            await stub.GetFigures(service_pb2.GetFiguresRequest(as_of=wire.stamp(NOON + 101 * S)))
        with pytest.raises(NotFound):
            await stub.GetQueueNow(service_pb2.GetQueueNowRequest(queue="nothing"))
        with pytest.raises(Rejected, match="UNKNOWN_FORMULA"):
            await stub.GetFigures(service_pb2.GetFiguresRequest(formulas=["sl_magic"]))
        with pytest.raises(grpc.aio.AioRpcError, match="UNIMPLEMENTED"):
            await stub.ListAlerts(service_pb2.ListAlertsRequest())
        await _agents_may_not(address, room)
    finally:
        await server.stop(None)


async def _agents_may_not(address: str, room: Room) -> None:
    async def token() -> str:
        return room.issuer.issue("ann", ("agent",))

    stub = AnalyticsServiceStub(rpc.channel(address, SimpleNamespace(token=token)))
    with pytest.raises(Forbidden):
        await stub.GetQueueNow(service_pb2.GetQueueNowRequest(queue="sales"))


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def test_an_instant_is_taken_to_its_millisecond() -> None:
    """As of the very millisecond in which a fact was recorded, that fact counts."""
    for n in range(1000):
        assert instant("as_of", datetime.fromisoformat(f"2025-11-24T13:00:00.{n:03d}+01:00")) == NOON + n
    assert instant("as_of", datetime.fromisoformat("2025-11-24T12:00:00.645999Z")) == NOON + 645
