"""A whole centre under load, every service of which is killed again and again, or whose servers go away."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from integration.centre.centre import Centre, open_centre
from integration.centre.tenant import POOL, Tenant

from switchlog.store import Store
from switchlog.store.settings import StoreSettings
from switchlog.testing import eventually
from switchlog_local import free_ports
from switchlog_local.demo import supervisor

from . import invariants
from .invariants import Found, by_stream, first_occurrences
from .patience import open_patiently
from .people import Agent, Book, Crowd, Person, Visitor
from .report import Figures

KILLED = ("routing", "ingress_chat", "agent_state", "customers", "ticketing", "recording", "analytics")
OWNERS = ("routing", "ingress_chat", "agent_state", "customers", "ticketing", "recording", "analytics")
SLOTS = 2
OFFER_TIMEOUT_S = 8
DECIDES_WITHIN_S = 10.0
REST_WITHIN_S = 60.0
STANDBY = "the-second"
# eight keyspaces are made one table after another, here on a machine that is busy with nothing but faults
supervisor.READY_WITHIN_S = 240.0


@dataclass
class Shift:
    """A tenant at work in a running centre; ``killed_at`` and ``outages`` are epoch ms."""

    centre: Centre
    tenant: Tenant
    crowd: Crowd
    kills: int = 0
    owner_killed_at: list[int] = field(default_factory=list)
    outages: list[tuple[int, int]] = field(default_factory=list)
    stores: dict[str, Store] = field(default_factory=dict)

    @property
    def book(self) -> Book:
        return self.crowd.book

    async def standby(self) -> None:
        """A second process of routing, which takes the pools when their owner is gone."""
        plan, name = self.centre.plan, "routing-2"
        http, grpc = free_ports(2)
        told = {"ROUTING_PORT": str(http), "ROUTING_GRPC_PORT": str(grpc), "ROUTING_OWNER": STANDBY}
        planned = replace(
            plan.service("routing", **told),
            name=name,
            log=plan.logs / f"{name}.log",
            ready_url=f"http://127.0.0.1:{http}/readyz",
        )
        await self.centre.supervisor.start([planned])

    async def kill_owner(self) -> None:
        """Whoever has the pool."""
        taken = first_occurrences(self.tenant.facts(f"pool-{POOL}", "PoolTaken"))
        name = "routing-2" if taken[-1].data.owner == STANDBY else "routing"
        running = self.centre.supervisor.running[name]
        running.restarts = 0
        self.kills += 1
        self.centre.meant[name] += 1
        self.owner_killed_at.append(now_ms())
        running.process.send_signal(signal.SIGKILL)

    async def kill(self, service: str) -> None:
        """``kill -9``, and wait until the next process of it is ready."""
        running = self.centre.supervisor.running[service]
        running.restarts = 0  # no patience for a process that we killed
        self.kills += 1
        if service == "routing":
            self.owner_killed_at.append(now_ms())
        await self.centre.restart(service, signal.SIGKILL)


def now_ms() -> int:
    return int(time.time() * 1000)


@asynccontextmanager
async def shift(agents: int, visitors: int) -> AsyncIterator[Shift]:
    """Servers are those of the environment; everything else is made, and gone at the end."""
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        async with open_centre(Path(folder) / "centre") as centre:
            tenant = centre.tenant()
            await tenant.queue(offer_timeout_s=OFFER_TIMEOUT_S)
            book = Book()
            people = [await _agent(tenant, book, n) for n in range(agents)]
            stranger = Person(centre.plan, centre.http, book)
            crowd = Crowd(book, people, lambda: Visitor(stranger, tenant.site_key()), visitors)
            crowd.start()
            one = Shift(centre, tenant, crowd)
            try:
                yield one
            finally:
                await crowd.stop()
                for store in one.stores.values():
                    await store.close()


async def _agent(tenant: Tenant, book: Book, n: int) -> Agent:
    api = await tenant.hire(f"agent-{n}", capacity=[{"channel": "chat", "slots": SLOTS}], wrap_up_s=5)
    return Agent(Person(tenant.plan, tenant.http, book, api.token), random.Random(n))


async def finished(name: str, one: Shift) -> Figures:
    """Let everybody finish, wait until all is quiet, and check everything."""
    await one.crowd.finish()
    found = Found()
    await _rested(found, one)
    await one.centre.log.settled(one.tenant.id)
    facts = one.tenant.facts()
    streams = by_stream(facts)
    pool = first_occurrences(streams[f"pool-{POOL}"])
    invariants.published(found, streams)
    events = 0
    for service in OWNERS:
        events += await _stored(found, one, service, streams)
    invariants.acknowledged(found, one.book, streams)
    invariants.assignments(found, pool, SLOTS)
    invariants.agents_own(found, streams, SLOTS)
    invariants.offers_end(found, pool, one.outages)
    invariants.contacts_end(found, streams)
    found.contradictions += one.book.stuck
    return _figures(name, one, found, events, invariants.next_decisions(pool, one.owner_killed_at))


async def _rested(found: Found, one: Shift) -> None:
    """The pool has nobody waiting, offered or assigned, and every stored event is on its topic."""
    end = time.monotonic() + REST_WITHIN_S
    wrong = "?"
    while wrong and time.monotonic() < end:
        wrong = await _unrest(one)
        await asyncio.sleep(0.3)
    if wrong:
        found.contradictions.append(f"never came to rest: {wrong}")


async def _unrest(one: Shift) -> str:
    answer = await one.tenant.supervisor.get("routing", f"/v1/pools/{POOL}/state")
    if not answer.is_success:
        return f"{answer.status_code} {answer.text[:200]}"
    state = answer.json()
    busy = {what: len(state[what]) for what in ("waiting", "offers", "assigned") if state.get(what)}
    if busy:
        return f"the pool has {busy}"
    return "; ".join((await unpublished(one))[:2])


async def unpublished(one: Shift, older_than: int | None = None) -> list[str]:
    """What is stored (and recorded before that, epoch ms) and not on its topic."""
    streams, missing = by_stream(one.tenant.facts()), Found()
    for service in OWNERS:
        await _stored(missing, one, service, streams, older_than)
    return missing.lost


async def _stored(
    found: Found, one: Shift, service: str, streams: dict[str, list[Any]], older_than: int | None = None
) -> int:
    if service not in one.stores:
        one.stores[service] = await open_patiently(_store(one), service)
    return await invariants.stored(found, one.tenant.id, one.stores[service], streams, older_than)


def _store(one: Shift) -> StoreSettings:
    plan = one.centre.plan
    if plan.store == "sqlite":
        return StoreSettings("sqlite", str(plan.data))
    port = int(os.environ.get("CASSANDRA_PORT", "19042"))
    return StoreSettings("cassandra", cassandra_port=port, keyspace_prefix=plan.keyspaces)


def _figures(name: str, one: Shift, found: Found, events: int, decisions: Sequence[float]) -> Figures:
    book = one.book
    limit = DECIDES_WITHIN_S if "routing-2" in one.centre.supervisor.running else float("inf")
    slow = [f"next decision {took:.1f} s after the owner's kill" for took in decisions if took > limit]
    taken = ", ".join(f"{took:.1f}" for took in decisions)
    return Figures(
        name,
        kills=one.kills,
        commands=len(book.done) + len(book.said) + len(book.contacts),
        refused=book.refused.total(),
        later=book.later,
        unknown=book.unknown,
        stored_before=found.stored_before,
        done_by_retry=found.done_by_retry,
        events=events,
        repeats=found.repeats,
        lost=len(found.lost),
        duplicates=len(found.duplicates),
        holes=len(found.holes),
        contradictions=len(found.contradictions) + len(slow),
        note=f"{len(book.contacts)} contacts; " + (f"next decision after {taken} s" if taken else ""),
        wrong=[*found.all()[:10], *slow],
    )


Kill = Callable[[Shift], Awaitable[None]]


async def kills(one: Shift, services: Sequence[str], times: int) -> None:
    """Each of ``services`` in turn, ``times`` times, at moments that nobody chose."""
    chance = random.Random(7)
    for _ in range(times):
        for service in services:
            await asyncio.sleep(chance.uniform(0.5, 2.5))
            await one.kill(service)


async def owner_kills(one: Shift, times: int) -> None:
    """With another process standing by, the pool's owner."""
    await one.standby()
    for n in range(times):
        await asyncio.sleep(4)
        before = len(one.owner_killed_at)
        await one.kill_owner()
        await eventually(lambda n=before: _decided_since(one, one.owner_killed_at[n]), within_s=40)


def _decided_since(one: Shift, at: int) -> bool:
    pool = first_occurrences(one.tenant.facts(f"pool-{POOL}"))
    return invariants.next_decisions(pool, [at])[0] < float("inf")


async def all_at_once(one: Shift, services: Sequence[str]) -> None:
    """Every process at the same moment."""
    await asyncio.sleep(2)
    await asyncio.gather(*(one.kill(service) for service in services))
