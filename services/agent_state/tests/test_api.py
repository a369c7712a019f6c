"""Agents over HTTP and WebSocket: who may do what, and what is answered."""

from __future__ import annotations

from collections.abc import AsyncIterator
from types import SimpleNamespace

import httpx2
import pytest
from fastapi import FastAPI

from agent_state import wiring
from agent_state.app.handlers import agent_stream
from switchlog.testing import TestIssuer
from switchlog.testing import test_settings as settings_for_tests

from .scene import TENANT, Scene

ANN = {
    "name": "Ann 安",
    "team": "t1",
    "pool": "front",
    "skills": [{"skill": "billing", "level": 3}],
    "capacity": [{"channel": "chat", "slots": 2}],
    "wrap_up_s": 30,
}


@pytest.fixture
def issuer() -> TestIssuer:
    return TestIssuer(tenant=TENANT)


@pytest.fixture
def scene() -> Scene:
    return Scene()


@pytest.fixture
def app(scene: Scene, issuer: TestIssuer) -> FastAPI:
    async def ready() -> dict[str, bool]:
        return {"store": await scene.store.ready()}

    kernel = SimpleNamespace(settings=settings_for_tests("agent_state"), clock=scene.clock, ready=ready)
    service = wiring.Service(kernel, scene.agents, scene.roster, scene.offers, scene.desks, scene.reactions)
    return wiring.app(service, issuer.verifier)


@pytest.fixture
async def http(app: FastAPI) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as client:
        yield client


@pytest.fixture
def admin(issuer: TestIssuer) -> dict[str, str]:
    return issuer.bearer("root", ("admin",))


@pytest.fixture
def ann(issuer: TestIssuer) -> dict[str, str]:
    return issuer.bearer("ann", ("agent",), ("t1",))


async def put(http: httpx2.AsyncClient, headers: dict[str, str], agent: str = "ann", **changes: object):
    return await http.put(f"/v1/agents/{agent}", json=ANN | changes, headers=headers)


async def test_an_admin_defines_an_agent_who_then_goes_to_work(http, admin, ann) -> None:
    """AG-1"""
    assert (await put(http, admin)).json() == {"stream": "agent-ann", "version": 5}
    for n, word in enumerate(("sign-in", "check-in", "ready"), start=6):
        answered = await http.post(f"/v1/agents/me:{word}", headers=ann)
        assert (answered.status_code, answered.json()) == (200, {"stream": "agent-ann", "version": n})
    me = (await http.get("/v1/agents/me", headers=ann)).json()
    assert (me["state"], me["mode"], me["ready"], me["name"], me["contacts"]) == ("ready", "web", True, "Ann 安", [])
    assert me["capacity"] == [{"channel": "chat", "slots": 2, "cost": 0, "interruptible": False}]


async def test_an_id_that_is_taken_is_refused_on_request(http, admin) -> None:
    """AG-4"""
    assert (await put(http, admin | {"if-none-match": "*"})).status_code == 200
    refused = await put(http, admin | {"if-none-match": "*"}, name="Another Ann")
    assert (refused.status_code, refused.json()["reason"]) == (409, "AGENT_EXISTS")
    assert (await put(http, admin, name="Ann again")).json()["version"] == 6


async def test_the_same_key_gives_the_same_answer(http, admin, ann) -> None:
    """I2"""
    await put(http, admin)
    key = ann | {"idempotency-key": "k1"}
    first = await http.post("/v1/agents/me:sign-in", headers=key)
    await http.post("/v1/agents/me:check-in", json={"mode": "phone"}, headers=ann)
    again = await http.post("/v1/agents/me:sign-in", headers=key)
    assert first.json() == again.json()


async def test_a_refusal_names_its_reason(http, admin, ann) -> None:
    await put(http, admin)
    refused = await http.post("/v1/agents/me:ready", headers=ann)
    assert refused.status_code == 409
    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.json()["reason"] == "NOT_CHECKED_IN"


async def test_an_old_version_is_told_so(http, admin) -> None:
    await put(http, admin)
    stale = await put(http, admin | {"if-match": '"3"'}, name="Late")
    assert stale.status_code == 412


@pytest.mark.parametrize("role", ["agent", "supervisor", "analyst", "visitor"])
async def test_only_admins_define_agents(http, issuer, role: str) -> None:
    assert (await put(http, issuer.bearer("x", (role,)))).status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [
        {"role": "admin"},
        {"capacity": [{"channel": "telepathy", "slots": 1}]},
        {"skills": [{"skill": "a/b"}]},
        {"wrap_up_s": -1},
        {"name": ""},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
async def test_bad_descriptions_are_refused(http, admin, wrong: dict[str, object]) -> None:
    assert (await put(http, admin, **wrong)).status_code == 422


async def test_an_agent_cannot_be_named_in_a_way_that_breaks_keys(http, admin) -> None:
    assert (await http.put("/v1/agents/-x", json=ANN, headers=admin)).status_code == 422


async def test_an_admin_has_no_state_of_its_own(http, admin) -> None:
    assert (await http.post("/v1/agents/me:ready", headers=admin)).status_code == 403
    assert (await http.get("/v1/agents/me", headers=admin)).status_code == 403


async def test_somebody_elses_agent_is_answered_like_nobody(http, issuer, admin) -> None:
    """PL-1"""
    await put(http, admin)
    other_team = issuer.bearer("lea", ("supervisor",), ("t2",))
    other_tenant = issuer.bearer("lea", ("supervisor", "admin"), ("t1",), tenant="other")
    own = issuer.bearer("lea", ("supervisor",), ("t1",))
    assert (await http.get("/v1/agents/ann", headers=own)).status_code == 200
    nobody = await http.get("/v1/agents/nobody", headers=own)
    for caller in (other_team, other_tenant):
        hidden = await http.get("/v1/agents/ann", headers=caller)
        assert hidden.status_code == 404
        assert {**hidden.json(), "correlation_id": ""} == {**nobody.json(), "correlation_id": ""}
        for word, body in (("force-state", {"state": "not_ready"}), ("approve-break", None)):
            forced = await http.post(f"/v1/agents/ann:{word}", json=body, headers=caller)
            assert forced.status_code == 404


async def test_a_supervisor_lists_own_teams_only(http, scene, issuer, admin) -> None:
    for agent, team in (("ann", "t1"), ("bob", "t2"), ("cid", "t1"), ("dan", "t1")):
        await put(http, admin, agent, team=team)
        await scene.roster.refresh(agent_stream(TENANT, agent), 5)
    lea = issuer.bearer("lea", ("supervisor",), ("t1",))
    page = (await http.get("/v1/agents?limit=2", headers=lea)).json()
    assert ([agent["agent"] for agent in page["agents"]], page["next"]) == (["ann", "cid"], "cid")
    rest = (await http.get("/v1/agents?limit=2&after=cid", headers=lea)).json()
    assert ([agent["agent"] for agent in rest["agents"]], rest["next"]) == (["dan"], None)
    everyone = (await http.get("/v1/agents?team=t2", headers=admin)).json()
    assert [agent["agent"] for agent in everyone["agents"]] == ["bob"]


@pytest.mark.parametrize("page", ["limit=1000000000", "limit=0", "limit=-1", "after=" + "x" * 65])
async def test_pages_have_limits(http, admin, page: str) -> None:
    assert (await http.get(f"/v1/agents?{page}", headers=admin)).status_code == 422


async def test_a_supervisor_grants_a_break_and_forces_a_state(http, scene, issuer, ann) -> None:
    """AG-5 RT-8"""
    await scene.staffed()
    lea = issuer.bearer("lea", ("supervisor",), ("t1",))
    await http.post("/v1/agents/me:request-break", json={"reason": "coffee"}, headers=ann)
    assert (await http.get("/v1/agents/me", headers=ann)).json()["break_requested"]
    assert (await http.post("/v1/agents/ann:approve-break", headers=lea)).status_code == 200
    assert (await http.get("/v1/agents/me", headers=ann)).json()["state"] == "break"
    await http.post("/v1/agents/ann:force-state", json={"state": "ready"}, headers=lea)
    assert (await http.get("/v1/agents/me", headers=ann)).json()["state"] == "ready"
    assert (await http.post("/v1/agents/ann:force-state", json={"state": "busy"}, headers=lea)).status_code == 422
    why = {"state": "not_ready", "reason": "coaching"}
    assert (await http.post("/v1/agents/ann:force-state", json=why, headers=lea)).status_code == 200
    forced = (await scene.facts("ann"))[-1]
    assert (forced.reason, forced.forced_by) == ("coaching", "lea")


async def test_an_agents_ranks_and_attributes_are_shown_as_they_were_given(http, admin) -> None:
    """RT-1 RT-4"""
    given = {"ranks": {"vip": 9}, "attributes": {"site": "Shanghai"}}
    slots = [{"channel": "chat", "slots": 2, "cost": 0, "interruptible": True}]
    assert (await put(http, admin, **given, capacity=slots)).status_code == 200
    shown = (await http.get("/v1/agents/ann", headers=admin)).json()
    assert {name: shown[name] for name in ("ranks", "attributes", "capacity")} == {**given, "capacity": slots}


async def test_an_admin_names_a_team(http, admin, issuer) -> None:
    for _ in range(2):
        assert (await http.put("/v1/teams/t1", json={"name": "Front 前台"}, headers=admin)).status_code == 200
    assert (await http.get("/v1/teams", headers=admin)).json() == {"teams": [{"team": "t1", "name": "Front 前台"}]}
    assert (await http.get("/v1/teams/t2", headers=admin)).status_code == 404
    agent = issuer.bearer("ann", ("agent",))
    assert (await http.put("/v1/teams/t1", json={"name": "x"}, headers=agent)).status_code == 403


async def test_the_ledger_of_the_day_is_shown(http, scene, ann) -> None:
    """AG-6"""
    await scene.staffed()
    scene.clock.advance(5_000)
    spans = (await http.get("/v1/agents/me/ledger", headers=ann)).json()["spans"]
    assert [span["state"] for span in spans] == ["ready"]


async def test_without_a_token_there_is_nothing(http) -> None:
    assert (await http.get("/v1/agents/me")).status_code == 401
    assert (await http.put("/v1/agents/ann", json=ANN)).status_code == 401
