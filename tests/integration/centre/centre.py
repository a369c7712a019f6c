"""Starts a centre, restarts parts of it by name, stops it and leaves nothing behind."""

from __future__ import annotations

import asyncio
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx2 as httpx

from contactcenter.topics import create_topics
from switchlog.auth.tokens import TokenSource, file_tokens
from switchlog.testing import OtlpReceiver, eventually
from switchlog_local.demo.supervisor import Supervisor
from switchlog_local.issuer import Issuer

from . import cassandra
from .log import Log
from .plan import BOOTSTRAP, ISSUER, SERVICES, Plan
from .tenant import Tenant


@dataclass
class Centre:
    """A running contact centre: ``log`` reads its topics, ``otlp`` its spans; each story takes tenants of its own."""

    plan: Plan
    issuer: Issuer
    log: Log
    otlp: OtlpReceiver
    http: httpx.AsyncClient
    supervisor: Supervisor
    meant: Counter[str] = field(default_factory=Counter)
    tenants: set[str] = field(default_factory=set)

    def tenant(self) -> Tenant:
        """A tenant that nobody has heard of."""
        id = f"t{uuid4().hex[:12]}"
        self.tenants.add(id)
        return Tenant(id, self.plan, self.issuer, self.log, self.http)

    def tokens(self) -> TokenSource:
        """A peer's: what services show each other."""
        return file_tokens(self.plan.token_file("recording"))

    async def restart(self, service: str, number: signal.Signals = signal.SIGTERM, **told: str) -> None:
        """End ``service`` by a signal, and wait until the next process of it is ready, ``told`` more than before."""
        one = self.supervisor.running[service]
        one.planned = self.plan.service(service, **told)
        before = one.process.pid
        self.meant[service] += 1
        one.process.send_signal(number)
        await eventually(lambda: one.process.pid != before and one.process.returncode is None, within_s=20)
        await eventually(lambda: self._ready(one.planned.ready_url), within_s=40)

    def logs(self) -> str:
        """Everything that the processes wrote."""
        return "\n".join(path.read_text(errors="replace") for path in sorted(self.plan.logs.glob("*.log")))

    def unmeant_deaths(self) -> Counter[str]:
        """Processes that ended though nobody asked them to."""
        return self.supervisor.deaths - self.meant

    async def _ready(self, address: str) -> bool:
        try:
            return (await self.http.get(address)).status_code == 200
        except httpx.HTTPError:
            return False


@asynccontextmanager
async def open_centre(folder: Path) -> AsyncIterator[Centre]:
    """A centre with everything in ``folder``; topics that are missing are made. Fails when a process died unasked."""
    await create_topics(BOOTSTRAP)
    with OtlpReceiver() as otlp:
        plan = Plan(folder, otlp.endpoint)
        supervisor = Supervisor(print)
        async with httpx.AsyncClient(timeout=15, trust_env=False) as http:
            centre = Centre(plan, _issuer(plan), Log(), otlp, http, supervisor)
            try:
                await _start(centre)
                yield centre
            finally:
                await centre.log.stop()
                await supervisor.stop()
                await asyncio.to_thread(cassandra.drop, plan)
    assert not centre.unmeant_deaths(), f"died unasked: {dict(centre.unmeant_deaths())}"


async def _start(centre: Centre) -> None:
    began = time.monotonic()
    await centre.log.start()
    await centre.supervisor.start([centre.plan.issuer()])
    await centre.supervisor.start(centre.plan.services())
    print(f"centre: {len(SERVICES)} services on {centre.plan.store} ready in {time.monotonic() - began:.1f} s")


def _issuer(plan: Plan) -> Issuer:
    plan.data.mkdir(parents=True)
    issuer = Issuer.in_folder(plan.secrets / ISSUER, plan.url(ISSUER))
    for service in SERVICES:
        issuer.write_service_token(service, plan.token_file(service))
    return issuer
