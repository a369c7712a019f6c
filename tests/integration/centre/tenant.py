"""One tenant's centre, set up by its admin through the public APIs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx

from switchlog_local.issuer import Issuer

from .api import Api
from .log import Fact, Log
from .people import Agent, Visitor
from .plan import Plan

POOL = "front"
QUEUE = "help"
TEAM = "team-1"


@dataclass(frozen=True)
class Tenant:
    """Its pool is ``front``; queues, doors and agents are made as a story needs them."""

    id: str
    plan: Plan
    issuer: Issuer
    log: Log
    http: httpx.AsyncClient

    def api(self, subject: str, roles: Iterable[str], teams: Iterable[str] = ()) -> Api:
        """The APIs with a token of this tenant."""
        return Api(self.plan, self.http, self.issuer.issue(subject, roles, teams, self.id))

    @property
    def admin(self) -> Api:
        return self.api("admin-1", ["admin"])

    @property
    def second_admin(self) -> Api:
        return self.api("admin-2", ["admin"])

    @property
    def supervisor(self) -> Api:
        return self.api("supervisor-1", ["supervisor"], [TEAM])

    @property
    def analyst(self) -> Api:
        return self.api("analyst-1", ["analyst"])

    @property
    def stranger(self) -> Api:
        """Anybody, without a token."""
        return Api(self.plan, self.http)

    async def queue(self, queue: str = QUEUE, **more: Any) -> None:
        """A queue of the pool, with a public door of its own."""
        told = {"name": queue, "pool": POOL, "offer_timeout_s": 20, "service_level_threshold_s": 20, **more}
        await self._put("routing", f"/v1/queues/{queue}", told)
        await self.door(queue)

    async def door(self, queue: str = QUEUE, **more: Any) -> None:
        told = {"site_key": self.site_key(queue), "queue": queue, "reconnect_grace_s": 20, **more}
        await self._put("ingress_chat", f"/v1/entry-points/{queue}", told)

    def site_key(self, queue: str = QUEUE) -> str:
        return f"site-{self.id}-{queue}"

    async def visitor(self, queue: str = QUEUE, **more: Any) -> Visitor:
        """Somebody at the door of ``queue``."""
        return await Visitor.arrive(self.stranger, self.site_key(queue), **more)

    async def hire(self, agent: str = "ann", **more: Any) -> Api:
        """Make the agent; the APIs with its token."""
        told = {
            "name": agent,
            "team": TEAM,
            "pool": POOL,
            "capacity": [{"channel": "chat", "slots": 1}, {"channel": "voice", "slots": 1}],
            "wrap_up_s": 60,
            **more,
        }
        await self._put("agent_state", f"/v1/agents/{agent}", told)
        return self.api(agent, ["agent"], [told["team"]])

    async def agent(self, agent: str = "ann", **more: Any) -> Agent:
        """Hired, and ready at the desk."""
        return await Agent.arrive(agent, await self.hire(agent, **more))

    def facts(self, stream: str = "", *names: str) -> list[Fact]:
        return self.log.of(self.id, stream, *names)

    async def fact(self, stream: str, name: str, count: int = 1, within_s: float = 10) -> Fact:
        """Wait for the ``count``-th fact of this name."""
        return await self.log.until(self.id, stream, name, count, within_s)

    async def _put(self, service: str, path: str, body: dict[str, Any]) -> None:
        answer = await self.admin.put(service, path, body)
        assert answer.is_success, f"{service} {path}: {answer.status_code} {answer.text}"
