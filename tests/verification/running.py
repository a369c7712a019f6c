"""What must run before anything can be compared: the servers used last, the issuer of tokens, analytics itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import httpx2 as httpx

from contactcenter.topics import create_topics
from switchlog_local import Server, stores
from switchlog_local.demo import plan
from switchlog_local.demo.supervisor import Supervisor
from switchlog_local.issuer import Issuer
from switchlog_local.servers import start_all, stop_all

Say = Callable[[str], None]


@dataclass(frozen=True)
class Place:
    """Where the topics and the live figures are; ``token(tenant)`` is an analyst's of that tenant."""

    bootstrap: str
    url: str
    issuer: Issuer

    def token(self, tenant: str) -> str:
        return self.issuer.issue("verify-figures", ["analyst"], tenant=tenant)


@asynccontextmanager
async def running(say: Say) -> AsyncIterator[Place]:
    """What runs already is used as it is; what does not is started, and stopped at the end."""
    options = plan.Options(store=_store())
    bootstrap = f"{plan.HOST}:{options.settings.kafka_port}"
    async with AsyncExitStack() as stack:
        await _serve(options, say, stack)
        await create_topics(bootstrap)
        issuer = Issuer.in_folder(options.data / "secrets" / "issuer", plan.url("issuer"))
        supervisor = Supervisor(say)
        stack.push_async_callback(supervisor.stop)
        for one in (plan.issuer(options), *(one for one in plan.services(options) if one.name == "analytics")):
            if not await _answers(one.ready_url):
                say(f"{one.name} does not run: starting it")
                issuer.write_service_token("analytics", options.data / "secrets" / "tokens" / "analytics.token")
                await supervisor.start([one])
        yield Place(bootstrap, plan.url("analytics"), issuer)


async def _serve(options: plan.Options, say: Say, stack: AsyncExitStack) -> None:
    found = stores.servers(stores.Store(options.store), options.settings)
    missing = [server for server in found if not server.ready()]
    if missing:
        say(f"{' and '.join(server.name for server in missing)} of STORE={options.store}: starting")
        stores.refuse_two(stores.Store(options.store), options.settings)
        await asyncio.to_thread(start_all, missing)
        stack.push_async_callback(_stop, missing)


async def _stop(servers: list[Server]) -> None:
    await asyncio.to_thread(stop_all, servers)


def _store() -> str:
    return str(stores.last_used(plan.Options().settings))


async def _answers(url: str) -> bool:
    try:
        async with httpx.AsyncClient(timeout=3, trust_env=False) as http:
            return (await http.get(url)).status_code == 200
    except httpx.HTTPError:
        return False
