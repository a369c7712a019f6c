"""Explanations, replays and trials through the API of a running service, and from its store beside it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contactcenter.contact.v1 import events_pb2 as contact_pb
from contactcenter.routing.v1 import service_pb2 as api
from routing.adapters.processes import environment
from switchlog.errors import NotFound
from switchlog.store.settings import StoreSettings
from switchlog.testing import eventually, own_store

from .test_process import BOOTSTRAP, Running, Tokens, channel, started

pytestmark = pytest.mark.kafka


@pytest.fixture
def store(tmp_path: Path) -> Iterator[StoreSettings]:
    with own_store("routing", tmp_path) as settings:
        yield settings


@pytest.fixture
async def running(store: StoreSettings) -> AsyncIterator[Running]:
    """A process in which ann has answered the contact ``c1``."""
    async with started(store, BOOTSTRAP) as service:
        await service.world.staffed("ann")
        await service.world.queued("c1")
        offer = await service.an_offer("ann")
        assert (await service.accept(offer, "ann")).status_code == 200
        connected = contact_pb.AgentConnected(leg=1, queue="sales", pool="front", agent="ann")
        await service.world.contact("c1", agent_connected=connected)
        await eventually(lambda: _answered(service))
        yield service


async def _answered(service: Running) -> bool:
    return not (await service.state())["assigned"]


async def told(service: Running, path: str, who: str = "root", role: str = "admin") -> tuple[int, dict]:
    answer = await service.http.get(path, headers=service.bearer(who, role))
    return answer.status_code, answer.json()


async def test_a_contact_is_explained_over_http_and_grpc(running: Running) -> None:
    """RT-10, PL-2, PL-7"""
    code, shown = await told(running, "/v1/contacts/c1/why")
    kinds = ["ContactWaiting", "ContactOffered", "OfferAccepted", "ContactAssigned", "ContactDequeued"]
    assert code == 200 and shown["identical"] is True
    assert [one["fact"] for one in shown["decisions"]] == kinds
    chinese = (await told(running, "/v1/contacts/c1/why?lang=zh"))[1]
    assert "派给 ann" in chinese["decisions"][1]["text"]
    async with channel(running, Tokens(running.issuer, "root", "admin")) as stub:
        answer = await stub.ExplainContact(api.ExplainContactRequest(contact="c1", lang="zh"))
        assert [one.identical for one in answer.decisions] == [True] * 5
        offered = answer.decisions[1]
        assert offered.text.endswith("重新执行: 完全一致。")
        assert offered.event.contact_offered.agent == "ann" and offered.event.meta.version > 0
        assert [(one.candidate, one.reason) for one in offered.candidates] == [("ann", "")]
        with pytest.raises(NotFound):
            await stub.ExplainContact(api.ExplainContactRequest(contact="c9"))


async def test_who_may_not_see_a_contact_is_answered_as_if_there_was_none(running: Running) -> None:
    """trust: 404, the same body as for a random id"""
    assert (await told(running, "/v1/contacts/c1/why", "ann", "agent"))[0] == 200
    stranger = await told(running, "/v1/contacts/c1/why", "bob", "agent")
    nobody = await told(running, "/v1/contacts/c9/why", "bob", "agent")
    assert stranger[0] == nobody[0] == 404 and stranger[1]["reason"] == nobody[1]["reason"]
    assert (await told(running, "/v1/queues/sales/why?at=2026-11-25T00:00:00Z", "ann", "agent"))[0] == 403
    assert (await told(running, "/v1/agents/ann/why?last=0"))[0] == 422


async def test_queues_and_agents_are_explained(running: Running) -> None:
    await running.world.queued("c2")
    await eventually(lambda: _waits(running))
    now = datetime.now(UTC).isoformat().replace("+00:00", "Z")
    code, shown = await told(running, f"/v1/queues/sales/why?at={now}")
    assert code == 200, shown
    assert [(one["contact"], one["candidates"][0]["reason"]) for one in shown["waiting"]] == [("c2", "NO_CAPACITY")]
    code, shown = await told(running, "/v1/agents/ann/why?last=2")
    assert code == 200 and len(shown["decisions"]) == 2


async def _waits(service: Running) -> bool:
    return bool((await service.state())["waiting"])


async def test_a_day_is_replayed_and_tried_as_jobs_with_progress(running: Running) -> None:
    """RT-10, RT-11: started, followed, answered; a repeated request finds the same job."""
    body, headers = {"date": today()}, running.bearer("root", "admin") | {"idempotency-key": "k1"}
    first, again = [await running.http.post("/v1/pools/front/replays", json=body, headers=headers) for _ in range(2)]
    assert first.status_code == again.status_code == 202, first.text
    assert first.json()["job"] == again.json()["job"]
    done = await finished(running, first.json()["job"])
    assert done["state"] == "done" and done["exit_code"] == 0 and done["result"]["identical"] is True, done
    assert done["done"] == done["of"] > 0
    tried = await running.http.post("/v1/pools/front/what-ifs", json=body, headers=running.bearer("root", "admin"))
    job = await finished(running, tried.json()["job"])
    assert job["state"] == "done" and job["result"]["same_rules"], job
    assert job["result"]["identical"] and job["result"]["legs"] == 1


async def test_other_rules_are_tried_from_what_is_posted(running: Running) -> None:
    """RT-11"""
    body = {"date": today(), "roster": "agent_id,from,to\nzoe,0,\n", "policy": "round-robin@1", "seeds": 2}
    started_job = await running.http.post(
        "/v1/pools/front/what-ifs", json=body, headers=running.bearer("root", "admin")
    )
    done = await finished(running, started_job.json()["job"])
    assert done["state"] == "done" and done["result"]["seeds"] == 2, done
    wrong = body | {"roster": "agent_id\nzoe\n"}
    refused = await running.http.post("/v1/pools/front/what-ifs", json=wrong, headers=running.bearer("root", "admin"))
    failed = await finished(running, refused.json()["job"])
    assert failed["state"] == "failed" and failed["exit_code"] == 2 and "roster.csv:1" in failed["error"], failed


async def test_a_day_on_paper_is_a_job_too(running: Running) -> None:
    """RT-12: the same figures as the command's, by the same seed."""
    roster = "agent_id,from,to,queues,voice\n" + "".join(f"a{n},0,90000,q1,1\n" for n in range(28))
    body = {"roster": roster, "poisson": "360/h", "service": "exp:240", "hours": 4, "seed": 7}
    admin = running.bearer("root", "admin")
    first, again = [
        await finished(running, (await running.http.post("/v1/simulations", json=body, headers=admin)).json()["job"])
        for _ in range(2)
    ]
    assert first["state"] == "done" and first["kind"] == "simulation", first
    assert first["result"] == again["result"] and "out" not in first["result"]
    assert first["done"] == first["of"] == first["result"]["contacts"] > 1200
    wrong = await running.http.post("/v1/simulations", json=body | {"poisson": "often"}, headers=admin)
    failed = await finished(running, wrong.json()["job"])
    assert failed["state"] == "failed" and failed["exit_code"] == 2 and "often" in failed["error"], failed
    sly = await running.http.post("/v1/simulations", json=body | {"queue": "--out=elsewhere"}, headers=admin)
    alone = await finished(running, sly.json()["job"])
    assert alone["result"]["counts"]["answered"] == 0, "a queue of that name, which nobody serves"
    agent = await running.http.post("/v1/simulations", json=body, headers=running.bearer("ann"))
    assert agent.status_code == 403


async def test_jobs_are_for_the_floor_and_days_must_be_there(running: Running) -> None:
    async def post(path: str, body: dict, role: str = "admin") -> int:
        return (await running.http.post(path, json=body, headers=running.bearer("x", role))).status_code

    assert await post("/v1/pools/front/replays", {"date": "2001-01-01"}) == 404
    assert await post("/v1/pools/back/replays", {"date": today()}) == 404
    assert await post("/v1/pools/front/replays", {"date": today()}, "agent") == 403
    assert await post("/v1/pools/front/replays", {"date": "tomorrow"}) == 422
    assert (await told(running, "/v1/jobs/unknown"))[0] == 404


async def test_the_command_line_asks_the_store_or_the_api(running: Running, store: StoreSettings) -> None:
    """The same answer either way, while the service runs."""
    env = environment(store, "UTC") | {"SWITCHLOG_TOKEN": running.issuer.issue("root", ("admin",))}
    url = f"http://127.0.0.1:{running.settings.kernel.http_port}"
    asked = ("why", "c1", "--json")
    stored, answered = await asyncio.gather(
        printed(env, *asked, "--tenant", running.tenant), printed(env, *asked, "--url", url)
    )
    assert stored[0] == answered[0] == 0, stored[1] + answered[1]
    assert stored[1] == answered[1] and '"identical": true' in stored[1]
    code, out = await printed(env, "replay", "front", today(), "--url", url, "--json", "--progress", "none")
    assert code == 0 and '"identical": true' in out


async def printed(env: dict[str, str], *arguments: str) -> tuple[int, str]:
    command = (sys.executable, "-m", "routing", *arguments)
    process = await asyncio.create_subprocess_exec(*command, env=env, stdout=-1, stderr=-1)
    out, said = await process.communicate()
    return process.returncode or 0, out.decode() or said.decode()


async def finished(service: Running, job: str) -> dict:
    async def over() -> dict | None:
        shown = (await told(service, f"/v1/jobs/{job}"))[1]
        return shown if shown["state"] != "running" else None

    return await eventually(over, within_s=60)


def today() -> str:
    return datetime.now(UTC).date().isoformat()
