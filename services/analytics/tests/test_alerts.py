"""Rules over HTTP, figures that leave their range, and alerts as they are read (AN-3)."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx2
import pytest

from analytics import wiring
from analytics.adapters import alert_events
from analytics.adapters.printing import alerts_table
from analytics.app.alerts import Alerts
from analytics.app.past import Past
from analytics.app.watching import Watching
from analytics.config import Settings
from analytics.domain.alerting import ALERT, AlertRaised, Subject
from analytics.projections.alerts import AlertsView
from analytics.rpc.figures import servicer
from contactcenter.analytics.v1.service_pb2 import ListAlertsRequest
from contactcenter.analytics.v1.service_pb2_grpc import AnalyticsServiceStub
from contactcenter.bus.v1.command_pb2 import PageRequest
from contactcenter.routing.v1 import config_pb2
from switchlog import rpc
from switchlog.envelope import StreamId
from switchlog.testing import free_port
from switchlog.testing import test_settings as settings_for_tests
from switchlog.writer import Writer, no_publish

from .scene import NOON, TENANT, S
from .test_api import Room, busy

DEPTH = {"figure": "queue_depth", "side": "above", "limit": 0, "clear_for_s": 0}


class Watched(Room):
    """A room whose figures are watched; facts go into the read model as their topic would bring them."""

    def __init__(self) -> None:
        super().__init__()
        log = Writer(self.store.events, ALERT, alert_events.CODEC, no_publish, self.clock)
        self.view = AlertsView(self.store.views, self.clock, 90)
        self.alerts = Alerts(log, self.view, self.clock)
        self.watching = Watching(log, self.view.rules, self.questions, self.clock)
        self.heard: dict[str, int] = {}

    async def look(self) -> list[Any]:
        """One look at everything; what is told of alerts afterwards."""
        await self.hear()
        await self.watching.look()
        await self.hear()
        return (await self.ask("/v1/alerts")).json()["alerts"]

    async def hear(self) -> None:
        for rule in ("r1", "r2"):
            stream = StreamId(TENANT, f"alert-{rule}")
            rows = await self.store.events.read(stream)
            for version, event in enumerate(alert_events.CODEC.events(rows), 1):
                if version > self.heard.get(rule, 0):
                    await self.view.fold(stream, version, self.clock.now(), event)
                    self.heard[rule] = version

    async def put(self, rule: str, *roles: str, **body: Any) -> httpx2.Response:
        headers = self.issuer.bearer("u1", roles or ("supervisor",))
        return await self.http.put(f"/v1/alert-rules/{rule}", json=body, headers=headers)


@pytest.fixture
async def room() -> Any:
    room = Watched()

    async def ready() -> dict[str, bool]:
        return {"store": True}

    kernel = SimpleNamespace(settings=settings_for_tests("analytics"), ready=ready)
    app = wiring.app(Settings(kernel.settings, "r1"), kernel, room.questions, room.issuer.verifier, alerts=room.alerts)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as room.http:
        yield room


async def test_a_queue_that_grows_too_long_is_told_once_and_once_that_it_is_not(room: Watched) -> None:
    await busy(room)
    assert (await room.put("r1", **DEPTH)).json()["version"] == 1
    (alert,) = await room.look()
    assert (alert["rule"], alert["queue"], alert["value"], alert["limit"]) == ("r1@1", "sales", 1, 0)
    assert alert["cleared_at"] is None
    assert await room.look() == [alert]
    room.log.leaves(NOON + 110 * S, "w", NOON + 60 * S)
    await room.fold()
    (cleared,) = await room.look()
    assert cleared["cleared_at"] == "2025-11-24T12:01:40.000Z"
    assert (await room.ask("/v1/alerts?open=true")).json() == {"alerts": []}


async def test_who_has_waited_since_before_the_window_counts_as_waiting(room: Watched) -> None:
    await busy(room)
    room.clock.advance(3 * 3600 * S)
    await room.put("r1", **DEPTH, window="15m")
    (alert,) = await room.look()
    assert alert["value"] == 1


async def test_a_queue_below_its_own_target_at_that_hour(room: Watched) -> None:
    """RT-6: at noon (UTC) half of the contacts shall be answered within 10 s, else nine in ten within 20 s."""
    noon = config_pb2.IntervalTarget(
        from_time="12:00", to_time="13:00", service_level_threshold_ms=10_000, service_level_target=0.5
    )
    room.log.defined(NOON, service_level_target=0.9, interval_targets=[noon])
    for n, waited in enumerate((5, 30, 30)):
        room.log.waits(NOON, f"c{n}")
        room.log.leaves(NOON + waited * S, f"c{n}", NOON)
    await room.fold()
    assert (await room.put("r1", figure="sl_strict", side="below")).status_code == 200
    (alert,) = await room.look()
    assert (alert["limit"], alert["value"]) == (0.5, pytest.approx(1 / 3))
    (row,) = (await room.ask("/v1/figures?queue=sales&tz=UTC&step=15m&formulas=sl_strict")).json()["rows"]
    assert row["target"] == {"threshold_s": 10, "service_level": 0.5, "met": False}


async def test_rules_are_read_replaced_and_removed(room: Watched) -> None:
    await busy(room)
    await room.put("r1", **DEPTH)
    await room.look()
    assert (await room.put("r1", **DEPTH)).json()["version"] == 2, "the rule and its alert: repeating changes nothing"
    told = (await room.ask("/v1/alert-rules/r1")).json()
    assert (told["figure"], told["per"], told["window"], told["clear_for_s"]) == ("queue_depth", "queue", "30m", 0)
    assert (await room.ask("/v1/alert-rules")).json() == [told]
    headers = room.issuer.bearer("u1", ("admin",))
    assert (await room.http.delete("/v1/alert-rules/r1", headers=headers)).status_code == 200
    (alert,) = await room.look()
    assert alert["cleared_at"] is not None
    assert alert["cleared_value"] is None
    assert (await room.ask("/v1/alert-rules")).json() == []
    assert (await room.ask("/v1/alert-rules/r1")).status_code == 404


async def test_a_rule_about_a_queue_that_is_not_there_keeps_no_other_waiting(room: Watched) -> None:
    await busy(room)
    await room.put("r1", **DEPTH, queues=["nowhere"])
    await room.put("r2", **DEPTH)
    assert [alert["rule"] for alert in await room.look()] == ["r2@1"]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"figure": "sl_typo", "side": "below", "limit": 1}, "figure is one of"),
        ({"figure": "asa", "side": "above"}, "without a limit"),
        ({"figure": "asa", "side": "above", "limit": 30, "clear": 40}, "clear lies on the good side"),
        ({"figure": "asa", "side": "beside", "limit": 30}, "above"),
    ],
)
async def test_a_rule_that_makes_no_sense_is_refused_in_words(room: Watched, body: dict[str, Any], said: str) -> None:
    refused = await room.put("r1", **body)
    assert refused.status_code == 422
    assert said in refused.text


async def test_analysts_read_alerts_and_make_no_rules_and_see_no_other_tenants(room: Watched) -> None:
    await busy(room)
    assert (await room.put("r1", "analyst", **DEPTH)).status_code == 403
    await room.put("r1", **DEPTH)
    await room.look()
    other = await room.ask("/v1/alerts", tenant="other")
    assert other.json() == {"alerts": []}


async def test_alerts_are_printed_as_a_table_with_a_dash_for_those_that_stand(room: Watched) -> None:
    await busy(room)
    await room.put("r1", **DEPTH)
    made = alerts_table({"alerts": await room.look()}, "zh")
    assert made.row_count == 1
    cells = [next(column.cells) for column in made.columns]
    assert cells[1:3] == ["r1@1", "sales"]
    assert cells[3].endswith("queue_depth")
    assert cells[-1] == "–"


async def test_a_target_of_any_threshold_is_watched_and_queues_of_one_target_are_read_at_once(room: Watched) -> None:
    """RT-6: figures are asked for kept thresholds only, what is watched is not."""
    asked: list[tuple[str, ...]] = []
    over = room.questions.over

    async def noted(tenant: str, given: Any, begin: int, end: int) -> Any:
        asked.append(given.queues)
        return await over(tenant, given, begin, end)

    for queue in ("sales", "help"):
        room.log.defined(NOON, queue, service_level_threshold_ms=20_000, service_level_target=0.9, thresholds_s=[20])
    odd = config_pb2.IntervalTarget(
        from_time="00:00", to_time="24:00", service_level_threshold_ms=17_000, service_level_target=0.5
    )
    room.log.defined(NOON, "night", service_level_target=0.9, interval_targets=[odd])
    for n, queue in enumerate(("sales", "help", "night")):
        room.log.waits(NOON, f"c{n}", queue)
        room.log.leaves(NOON + 18 * S, f"c{n}", NOON, queue=queue)
    await room.fold()
    await room.put("r1", figure="sl_strict", side="below")
    object.__setattr__(room.questions, "over", noted)
    (alert,) = await room.look()
    assert (alert["queue"], alert["limit"], alert["value"]) == ("night", 0.5, 0.0)
    assert sorted(asked) == [("help", "sales"), ("night",)]


async def test_pages_of_alerts_by_grpc_lead_to_the_last(room: Watched) -> None:
    raised = [
        AlertRaised(f"{n:014d}-x", "r1@1", Subject("sales"), "asa", 2.0, 1.0, "above", NOON, NOON + 1) for n in range(5)
    ]
    for n, one in enumerate(raised, 1):
        await room.view.fold(StreamId(TENANT, "alert-r1"), n, n, one)
    port, found, after = free_port(), [], ""
    settings = settings_for_tests("analytics", grpc_port=port)
    server = rpc.create_server([servicer(Past(room.questions), alerts=room.view)], room.issuer.verifier, settings)
    await server.start()
    try:
        stub = AnalyticsServiceStub(rpc.channel(f"127.0.0.1:{port}", room.issuer))
        while True:
            page = PageRequest(size=2, after=after)
            answer = await stub.ListAlerts(ListAlertsRequest(tenant_id=TENANT, page=page))
            found += [view.raised.alert for view in answer.alerts]
            if not (after := answer.next):
                break
    finally:
        await server.stop(None)
    assert found == [one.alert for one in reversed(raised)]
