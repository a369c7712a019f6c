"""Queues, hours, workflows and policies over HTTP and gRPC: defined, refused with a reason, shown as they stand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from contactcenter.routing.v1 import config_pb2 as config_pb
from contactcenter.routing.v1 import service_pb2 as api
from switchlog.errors import Rejected
from switchlog.testing import eventually, own_store

from .test_process import BOOTSTRAP, Running, Tokens, channel, started

pytestmark = pytest.mark.kafka

OFFICE = {"pools": ["front"], "time_zone": "Asia/Shanghai", "weekly": {"mon": ["09:00-12:00"]}}
VIP = {
    "pool": "front",
    "targets": [{"queue": "sales", "timeout_s": 30, "expression": "agent.rank > 5"}, {"queue": "sales"}],
}
FULL: dict[str, Any] = {
    "hours": "office",
    "workflow": "vip",
    "policy": "best-skill@1",
    "ring_agents": 2,
    "relaxations": [{"after_s": 30, "skill": "en", "min_level": 1}],
    "overflows": [{"rule": "full", "trigger": "length", "limit": 9, "action": "callback"}],
    "interval_targets": [{"days": ["sat"], "from": "22:00", "to": "06:00", "service_level_threshold_s": 60}],
    "targeting": 'agent.site == "x"',
}


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Running]:
    with own_store("routing", tmp_path) as store:
        async with started(store, BOOTSTRAP) as service:
            yield service


class Admin:
    def __init__(self, running: Running) -> None:
        self._running, self._headers = running, running.bearer("root", "admin")

    async def put(self, path: str, body: dict[str, Any]) -> httpx2.Response:
        return await self._running.http.put(path, json=body, headers=self._headers)

    async def post(self, path: str, body: dict[str, Any]) -> httpx2.Response:
        return await self._running.http.post(path, json=body, headers=self._headers)

    async def delete(self, path: str) -> httpx2.Response:
        return await self._running.http.delete(path, headers=self._headers)

    async def get(self, path: str) -> dict[str, Any]:
        answer = await self._running.http.get(path, headers=self._headers)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())


def refusal(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["reason"]


async def test_a_whole_queue_is_defined_with_its_hours_and_workflow_and_shown_as_it_stands(running: Running) -> None:
    """RT-4 RT-5 RT-6: what a queue names must stand first, and stays while it is named."""
    admin = Admin(running)
    assert refusal(await running.define(hours="office")) == (422, "UNKNOWN_HOURS")
    assert refusal(await running.define(workflow="vip")) == (422, "UNKNOWN_WORKFLOW")
    assert (await admin.put("/v1/hours/office", OFFICE)).status_code == 200
    assert (await admin.put("/v1/workflows/vip", VIP)).status_code == 200
    defined = await running.define(**FULL)
    assert defined.status_code == 200, defined.text

    async def shown() -> bool:
        queue = await admin.get("/v1/queues/sales")
        return bool(queue["hours"]) and {name: queue[name] for name in ("policy", "ring_agents", "targeting")} == {
            name: FULL[name] for name in ("policy", "ring_agents", "targeting")
        }

    assert await eventually(shown)
    queue = await admin.get("/v1/queues/sales")
    assert queue["overflows"][0]["limit"] == 9 and queue["interval_targets"][0]["from"] == "22:00"
    hours = await admin.get("/v1/hours/office")
    assert (hours["pools"], hours["weekly"]) == (["front"], {"mon": ["09:00-12:00"]})
    assert (await admin.get("/v1/workflows"))["workflows"][0]["targets"][0]["expression"] == "agent.rank > 5"
    assert refusal(await admin.delete("/v1/hours/office")) == (409, "HOURS_IN_USE")
    assert refusal(await admin.delete("/v1/workflows/vip")) == (409, "WORKFLOW_IN_USE")
    await running.define()
    assert (await admin.delete("/v1/hours/office")).status_code == 200
    assert (await admin.get("/v1/hours"))["hours"] == []
    assert (await running.http.get("/v1/hours/office", headers=running.bearer("root", "admin"))).status_code == 404


async def test_what_says_nothing_is_refused_with_its_place(running: Running) -> None:
    """RT-4: and nothing of it stands."""
    admin = Admin(running)
    wrong = await running.define(targeting="agent.(")
    assert refusal(wrong) == (422, "BAD_EXPRESSION") and "targeting" in wrong.json()["detail"]
    body = {**VIP, "targets": [{"queue": "sales", "skip_if": "queue.waiting >"}]}
    wrong = await admin.put("/v1/workflows/vip", body)
    assert refusal(wrong) == (422, "BAD_EXPRESSION") and "target 1, skip_if" in wrong.json()["detail"]
    assert (await admin.get("/v1/workflows"))["workflows"] == []
    assert refusal(await running.define(policy="best@9")) == (422, "UNKNOWN_POLICY")
    assert refusal(await running.define(overflows=[{"rule": "r", "trigger": "wait", "action": "end"}]))[0] == 422
    assert refusal(await admin.put("/v1/hours/x", {**OFFICE, "time_zone": "Mars/Base"}))[0] == 422


async def test_a_policy_is_chosen_for_a_pool_and_by_supervisors_for_their_queues(running: Running) -> None:
    """RT-8: each a fact; a queue that nobody of one's teams serves is not one's own."""
    admin = Admin(running)
    chosen = {"policy": "round-robin@1", "reason": "fair"}
    assert (await admin.post("/v1/pools/front:choose-policy", chosen)).status_code == 200
    assert (await admin.get("/v1/pools/front"))["policy"] == "round-robin@1"
    assert refusal(await admin.post("/v1/pools/front:choose-policy", {"policy": "no@1"})) == (422, "UNKNOWN_POLICY")
    await running.world.staffed("ann")
    await eventually(lambda: _agents(running))
    path = "/v1/queues/sales:choose-policy"
    own, other = (running.issuer.bearer("lea", ("supervisor",), (team,)) for team in ("t1", "t9"))
    await eventually(lambda: _found(running))
    assert (await running.http.post(path, json=chosen, headers=own)).status_code == 200
    assert refusal(await running.http.post(path, json=chosen, headers=other)) == (409, "NOT_YOUR_QUEUE")
    pools = await running.http.post("/v1/pools/front:choose-policy", json=chosen, headers=own)
    assert pools.status_code == 403


async def _agents(running: Running) -> bool:
    return bool((await running.state())["agents"])


async def _found(running: Running) -> bool:
    return (await running.http.get("/v1/queues/sales", headers=running.bearer("ann"))).status_code == 200


async def test_the_same_by_grpc(running: Running) -> None:
    async with channel(running, Tokens(running.issuer, "root", "admin")) as routing:
        hours = config_pb.HoursDefinition(hours="office", time_zone="UTC")
        hours.weekly.add(day=1, from_time="09:00", to_time="17:00")
        await routing.DefineHours(api.DefineHoursRequest(pool="front", definition=hours))
        workflow = config_pb.WorkflowDefinition(workflow="vip", targets=[config_pb.WorkflowTarget(queue="sales")])
        await routing.DefineWorkflow(api.DefineWorkflowRequest(pool="front", definition=workflow))
        await routing.ChoosePolicy(api.ChoosePolicyRequest(pool="front", policy="least-loaded@1"))
        hours.weekly[0].from_time = "9 o'clock"
        with pytest.raises(Rejected, match="BAD_DEFINITION"):
            await routing.DefineHours(api.DefineHoursRequest(pool="front", definition=hours))
    admin = Admin(running)
    assert (await admin.get("/v1/hours/office"))["weekly"] == {"mon": ["09:00-17:00"]}
    assert (await admin.get("/v1/workflows/vip"))["targets"][0]["queue"] == "sales"
    assert (await admin.get("/v1/pools"))["pools"][0]["policy"] == "least-loaded@1"
