"""A contact centre of real processes for one store, with the people in it; everything measured from outside."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
import psutil
from integration.centre.plan import ISSUER, SERVICES, Plan

from benchmarks.place import ROOT, Place
from benchmarks.system.facts import Waits
from contactcenter.topics import create_topics
from switchlog.store.settings import Kind
from switchlog_local.demo.supervisor import Supervisor
from switchlog_local.issuer import Issuer

TENANT, POOL, QUEUE, SITE_KEY, TEAM = "bench", "front", "help", "site-bench", "team-1"
AGENTS, SLOTS = 24, 5
GRACE_S = 5
APPENDS = re.compile(r"^switchlog_store_append_duration_seconds_count\{.*\} (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class Usage:
    """CPU seconds since its start and resident megabytes of one process."""

    cpu_s: float
    rss_mb: float


@dataclass
class Centre:
    """``waits`` reads the facts; ``people`` do a round at a time."""

    place: Place
    plan: Plan
    supervisor: Supervisor
    http: httpx.AsyncClient
    waits: Waits
    people: asyncio.subprocess.Process

    async def round(self, rate: float, seconds: float) -> dict[str, Any]:
        """Visitors at ``rate`` a second for ``seconds``, until the last one left; what they tell."""
        assert self.people.stdin is not None
        self.people.stdin.write(json.dumps({"rate": rate, "seconds": seconds}).encode() + b"\n")
        return await _told(self.people)

    def usage(self) -> dict[str, Usage]:
        """Of every process that takes part, the observer (this one) included."""
        pids = {name: one.process.pid for name, one in self.supervisor.running.items()}
        pids |= {"people": self.people.pid, "observer": psutil.Process().pid}
        pids |= {server.name: server.pid for server in (self.place.kafka, self.place.cassandra) if server.pid}
        return {name: _usage(pid) for name, pid in pids.items()}

    async def appends(self) -> float:
        """Conditional appends of all services since their start, by their own metrics."""
        answers = await asyncio.gather(*(self.http.get(f"{self.plan.url(name)}/metrics") for name in SERVICES))
        return sum(float(count) for answer in answers for count in APPENDS.findall(answer.text))


def _usage(pid: int) -> Usage:
    seen = psutil.Process(pid)
    times = seen.cpu_times()
    return Usage(times.user + times.system, seen.memory_info().rss / 2**20)


@asynccontextmanager
async def open_centre(place: Place, kind: Kind) -> AsyncIterator[Centre]:
    """Started, set up by its admin, agents signed in; stopped at the end."""
    await create_topics(place.kafka.address)
    plan = Plan(place.root / f"centre-{kind}", store=kind)
    issuer = _issuer(plan)
    supervisor = Supervisor(lambda line: print(f"bench: {line}", file=sys.stderr, flush=True))
    told = {
        "KAFKA_BOOTSTRAP": place.kafka.address,
        "CASSANDRA_PORT": str(place.cassandra.port),
        "COMMANDS_PER_S": "100000",
        "COMMANDS_BURST": "100000",
        "LOG_LEVEL": "WARNING",
    }
    async with httpx.AsyncClient(timeout=30, trust_env=False) as http, Waits.open(place.kafka.address) as waits:
        try:
            await supervisor.start([plan.issuer()])
            await supervisor.start([plan.service(name, **told) for name in SERVICES])
            await _set_up(http, plan, issuer)
            async with _people(plan, issuer) as people:
                yield Centre(place, plan, supervisor, http, waits, people)
        finally:
            await supervisor.stop()
    if supervisor.deaths:
        raise RuntimeError(f"died unasked: {dict(supervisor.deaths)}; logs in {plan.logs}")


def _issuer(plan: Plan) -> Issuer:
    plan.data.mkdir(parents=True)
    issuer = Issuer.in_folder(plan.secrets / ISSUER, plan.url(ISSUER))
    for service in SERVICES:
        issuer.write_service_token(service, plan.token_file(service))
    return issuer


def agents() -> list[str]:
    return [f"agent-{n:02d}" for n in range(AGENTS)]


async def _set_up(http: httpx.AsyncClient, plan: Plan, issuer: Issuer) -> None:
    headers = {"authorization": f"Bearer {issuer.issue('admin', ['admin'], tenant=TENANT)}"}
    queue = {"name": QUEUE, "pool": POOL, "offer_timeout_s": 20, "service_level_threshold_s": 20}
    agent = {"team": TEAM, "pool": POOL, "capacity": [{"channel": "chat", "slots": SLOTS}], "wrap_up_s": 60}
    door = {"site_key": SITE_KEY, "queue": QUEUE, "reconnect_grace_s": GRACE_S}
    wanted = [("routing", f"/v1/queues/{QUEUE}", queue), ("ingress_chat", f"/v1/entry-points/{QUEUE}", door)]
    wanted += [("agent_state", f"/v1/agents/{name}", {"name": name, **agent}) for name in agents()]
    for service, path, body in wanted:
        answer = await http.put(plan.url(service) + path, json=body, headers=headers)
        if not answer.is_success:
            raise RuntimeError(f"setting up {service}{path}: {answer.status_code} {answer.text[:300]}")
    await asyncio.sleep(1)  # the doors learn of their queue from a topic


@asynccontextmanager
async def _people(plan: Plan, issuer: Issuer) -> AsyncIterator[asyncio.subprocess.Process]:
    tokens = {name: issuer.issue(name, ["agent"], [TEAM], TENANT) for name in agents()}
    urls = {name: plan.url(name) for name in SERVICES}
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.system.people"), stdin=pipe, stdout=pipe, limit=2**24, cwd=ROOT / "tests"
    )
    assert process.stdin is not None
    try:
        process.stdin.write(json.dumps({"urls": urls, "tokens": tokens, "site_key": SITE_KEY}).encode() + b"\n")
        await _told(process)
        yield process
    finally:
        process.stdin.write(b'{"stop": true}\n')
        try:
            await asyncio.wait_for(process.wait(), 5)
        except TimeoutError:
            process.kill()
            await process.wait()


async def _told(process: asyncio.subprocess.Process) -> dict[str, Any]:
    assert process.stdout is not None
    line = await process.stdout.readline()
    if not line:
        raise RuntimeError("the simulated people ended; their error stands above")
    found: dict[str, Any] = json.loads(line)
    return found


def spent(before: Mapping[str, Usage], after: Mapping[str, Usage]) -> dict[str, float]:
    """CPU seconds of each process in between."""
    return {name: after[name].cpu_s - before[name].cpu_s for name in after if name in before}
