"""The broker or the database goes away under a working centre, and comes back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from uuid import uuid4

import httpx2 as httpx
from integration.centre.people import Agent, Visitor
from integration.centre.tenant import Tenant

from switchlog_local import Server

from .people import Asked, Book, Person
from .report import Figures
from .system import OFFER_TIMEOUT_S, Shift, finished, now_ms, unpublished

# a busy machine's share on top of the demand of 1 s
WITHIN_S = 1.5
DRAINED_WITHIN_S = 20.0
RECOVERED_WITHIN_S = 10.0
GRACE_S = 2.0
QUIET = "quiet"
ASKED = {"ingress_chat", "agent_state", "ticketing", "routing"}


@dataclass
class Bystander:
    """An agent who has been offered a contact and does not take it yet, and commands that are tried all the time."""

    tenant: Tenant
    agent: Agent
    visitor: Visitor
    offer_id: str
    taker: Person
    idler: Person
    key: str = field(default_factory=lambda: uuid4().hex)
    tries: int = 0
    contacts: set[str] = field(default_factory=set)

    @property
    def asked(self) -> Sequence[Asked]:
        return self.taker.book.asked

    async def accept(self) -> int:
        """One try to take the offer, always under the same key."""
        return (await self.taker.once("routing", f"/v1/offers/{self.offer_id}:accept", None, self.key)).status_code

    async def try_all(self) -> None:
        """One command to each kind of stream: contact, agent, ticket, pool."""
        self.tries += 1
        ticket = {"customer_ref": uuid4().hex, "subject": "Call back"}
        door = {"site_key": self.tenant.site_key(QUIET), "locale": "en"}
        reason = {"reason": f"errand-{self.tries}", "planned": True}
        begun, *_ = await asyncio.gather(
            self.taker.once("ingress_chat", "/v1/visitors", door, uuid4().hex),
            self.idler.once("agent_state", "/v1/agents/me:not-ready", reason, uuid4().hex),
            self.taker.once("ticketing", "/v1/tickets", ticket, uuid4().hex),
            self.accept(),
            return_exceptions=True,  # written down as such
        )
        if isinstance(begun, httpx.Response) and begun.status_code == 201:
            self.contacts.add(begun.json()["contact_id"])


@asynccontextmanager
async def bystander(one: Shift) -> AsyncIterator[Bystander]:
    """In a pool of its own, so that the others do not help."""
    tenant, book = one.tenant, Book()
    await tenant.queue(QUIET, pool=QUIET, offer_timeout_s=OFFER_TIMEOUT_S)
    idle = await tenant.hire("idler", pool=QUIET)
    for step in ("sign-in", "check-in"):
        await idle.done("agent_state", f"/v1/agents/me:{step}")
    agent = await Agent.arrive("bystander", await tenant.hire("bystander", pool=QUIET))
    visitor = await tenant.visitor(QUIET)
    await visitor.say("Is anybody there?")
    offer = await agent.offer(visitor.contact)
    taker, idler = (Person(tenant.plan, tenant.http, book, api.token) for api in (agent.api, idle))
    try:
        yield Bystander(tenant, agent, visitor, offer["offer_id"], taker, idler)
    finally:
        await agent.desk.close()
        await agent.chats.close()
        await visitor.socket.close()


@dataclass(frozen=True)
class Outage:
    """How a server goes and how it comes back; a frozen one keeps its connections and is silent."""

    name: str
    begin: Callable[[], None]
    end: Callable[[], None]
    seconds: float


def stopped(server: Server, seconds: float) -> Outage:
    return Outage(f"{server.name} stopped", server.stop, server.start, seconds)


def killed(server: Server, seconds: float) -> Outage:
    return Outage(f"{server.name} killed", server.kill, server.start, seconds)


def frozen(server: Server, seconds: float) -> Outage:
    return Outage(f"{server.name} frozen", server.freeze, server.thaw, seconds)


async def broker_away(one: Shift, outage: Outage) -> Figures:
    """Streams go on, pools say not now; the backlog drains, and no offer has expired because of it."""
    wrong: list[str] = []
    async with bystander(one) as by:
        since = now_ms()
        await asyncio.to_thread(outage.begin)
        gone = now_ms()
        await _try_for(by, outage.seconds)
        before_start = now_ms()
        await asyncio.to_thread(outage.end)
        back = now_ms()
        drained = await _drained(one)
        wrong += _told(by.asked, gone, before_start)
        taken = await _eventually_taken(by, wrong)
        one.outages.append((since, now_ms() if taken is None else back + int(1000 * max(drained, taken))))
        await _leave(one, by)
    wrong += [f"the backlog took {drained:.1f} s"] if drained > DRAINED_WITHIN_S else []
    figures = await finished(outage.name, one)
    figures.wrong += wrong
    figures.contradictions += len(wrong)
    figures.note += f"{outage.seconds:.0f} s away, drained after {drained:.1f} s, " + _slowest(by.asked)
    return figures


async def _try_for(by: Bystander, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        await by.try_all()
        await asyncio.sleep(1)


async def _drained(one: Shift) -> float:
    """Seconds until everything that is stored is published; the load goes on, so a moment's lead is allowed."""
    began = time.monotonic()
    while await unpublished(one, older_than=now_ms() - 1000) and time.monotonic() - began < 60:
        await asyncio.sleep(0.2)
    return time.monotonic() - began


def _told(asked: Sequence[Asked], since: int, until: int) -> list[str]:
    """What the documentation promises for the time of an outage."""
    during = [one for one in asked if since <= one.at and one.at + 1000 * one.took <= until]
    pool = [one for one in during if one.service == "routing"]
    others = [one for one in during if one.service != "routing"]
    wrong = [
        f"{one.service} {one.path}: {one.status} after {one.took:.1f} s" for one in others if not 0 < one.status < 500
    ]
    wrong += [f"pool command: {one.status}" for one in pool if one.status != 503 or not one.retry_after]
    wrong += [f"pool command: 503 after {one.took:.1f} s" for one in pool if one.took > WITHIN_S]
    return wrong if pool and others else [*wrong, "nothing was asked during the outage"]


async def _eventually_taken(by: Bystander, wrong: list[str]) -> float | None:
    """The offer stands after the outage: seconds until it could be taken."""
    began = time.monotonic()
    while time.monotonic() - began < DRAINED_WITHIN_S:
        if (status := await by.accept()) == 200:
            return time.monotonic() - began
        if status != 503:
            wrong.append(f"the offer that stood when the broker went: {status}")
            return None
        await asyncio.sleep(0.3)
    wrong.append(f"the offer could not be taken {DRAINED_WITHIN_S:.0f} s after the outage")
    return None


async def _leave(one: Shift, by: Bystander) -> None:
    await by.visitor.send("end", {})
    one.book.contacts |= {by.visitor.contact, *by.contacts}


def _slowest(asked: Sequence[Asked]) -> str:
    refusals = [one.took for one in asked if one.status == 503]
    return f"{len(refusals)} times 503, the slowest after {max(refusals, default=0):.2f} s"


async def database_away(one: Shift, outage: Outage) -> Figures:
    """Everything says not now within a second, and goes on within ten once the node is back."""
    async with bystander(one) as by:
        since = now_ms()
        await asyncio.to_thread(outage.begin)
        gone = now_ms()
        await _try_for(by, outage.seconds)
        before_start = now_ms()
        await asyncio.to_thread(outage.end)
        back = now_ms()
        recovered = await _answers_again(by, back)
        await _leave(one, by)
    one.outages.append((since, now_ms()))
    everything = [*one.book.asked, *by.asked]
    during = [asked for asked in everything if gone <= asked.at and asked.at + 1000 * asked.took <= before_start]
    wrong = [f"{asked.service} {asked.path}: {asked.status}" for asked in during if asked.status in (0, 500, 502)]
    wrong += [f"{asked.service}: 503 after {asked.took:.1f} s" for asked in during if asked.took > WITHIN_S]
    wrong += [f"{asked.service}: no Retry-After" for asked in during if asked.status == 503 and not asked.retry_after]
    refusing = {asked.service for asked in during if asked.status == 503}
    wrong += [f"{service} never said not now" for service in ASKED - refusing]
    wrong += [f"recovered after {recovered:.1f} s"] if recovered > RECOVERED_WITHIN_S else []
    figures = await finished(outage.name, one)
    figures.wrong += wrong[:10]
    figures.contradictions += len(wrong)
    figures.note += f"{(before_start - gone) / 1000:.0f} s away, back after {recovered:.1f} s, " + _slowest(during)
    return figures


async def _answers_again(by: Bystander, back: int) -> float:
    """Seconds until each service that is asked answered something other than not now."""
    while time.time() * 1000 < back + 60_000:
        await by.try_all()
        if {asked.service for asked in by.asked if asked.at > back and 200 <= asked.status < 500} >= ASKED:
            break
        await asyncio.sleep(0.2)
    return time.time() - back / 1000
