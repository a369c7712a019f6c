"""What must run before anything can be compared: servers, the issuer of tokens, analytics.

What the topics of the STORE used last hold is compared where it lies. Where they hold nothing, days are made for a
broker and an analytics of their own, which are gone afterwards: a demo begins with what it had before.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import httpx2 as httpx

from contactcenter.topics import create_topics
from switchlog.store.settings import StoreSettings
from switchlog.testing.places import drop_keyspace
from switchlog_local import Kafka, Server, free_ports, stores
from switchlog_local.demo import plan
from switchlog_local.demo.supervisor import Supervisor
from switchlog_local.files import exclusive
from switchlog_local.issuer import Issuer
from switchlog_local.servers import start_all, stop_all

from .oracle.topics import read
from .serving import serving

Say = Callable[[str], None]
TELLING = ("contact.events.v1", "routing.events.v1")
"""A centre without any of these has not begun."""


@dataclass(frozen=True)
class Place:
    """Where the topics and the live figures are; ``token(tenant)`` is an analyst's of that tenant.

    ``empty``: nothing is on the topics yet, and whatever is put there will be gone.
    """

    bootstrap: str
    url: str
    issuer: Issuer
    empty: bool = False

    def token(self, tenant: str) -> str:
        return self.issuer.issue("verify-figures", ["analyst"], tenant=tenant)


@asynccontextmanager
async def running(say: Say) -> AsyncIterator[Place]:
    """What runs already is used as it is; what does not is started, and stopped at the end."""
    options = plan.Options(store=str(stores.last_used(plan.Options().settings)))
    bootstrap = f"{plan.HOST}:{options.settings.kafka_port}"
    async with AsyncExitStack() as stack:
        await _serve(options, say, stack)
        if (await read(bootstrap, TELLING)).records:
            yield await _here(options, bootstrap, say, stack)
        else:
            yield await _apart(options, say, stack)


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


async def _here(options: plan.Options, bootstrap: str, say: Say, stack: AsyncExitStack) -> Place:
    """The topics as they are, and the analytics of the demo."""
    await create_topics(bootstrap)
    issuer = Issuer.in_folder(options.data / "secrets" / "issuer", plan.url("issuer"))
    supervisor = Supervisor(say)
    stack.push_async_callback(supervisor.stop)
    for one in (plan.issuer(options), *(one for one in plan.services(options) if one.name == "analytics")):
        if not await _answers(one.ready_url):
            say(f"{one.name} does not run: starting it")
            issuer.write_service_token("analytics", options.data / "secrets" / "tokens" / "analytics.token")
            await supervisor.start([one])
    return Place(bootstrap, plan.url("analytics"), issuer)


async def _apart(options: plan.Options, say: Say, stack: AsyncExitStack) -> Place:
    """A broker, rows and an analytics of its own under ``build/verify-figures``."""
    folder, settings = options.settings.build / "verify-figures", options.settings
    stack.enter_context(exclusive(settings.build / "verify-figures.lock"))
    stack.callback(shutil.rmtree, folder, ignore_errors=True)
    broker = Kafka(folder / "kafka", *free_ports(2), settings=settings)
    stack.callback(broker.wipe)
    broker.wipe()  # of a run that was killed
    say("the topics are empty: starting a broker and an analytics apart from them")
    await asyncio.to_thread(broker.start)
    await create_topics(broker.address)
    served = await stack.enter_async_context(serving(broker.address, folder, **_rows(options, stack)))
    return Place(broker.address, served.url, served.issuer, empty=True)


def _rows(options: plan.Options, stack: AsyncExitStack) -> dict[str, str]:
    """What leads analytics to rows of its own in the STORE."""
    port, prefix = options.settings.cassandra_port, f"v{uuid4().hex[:8]}_"
    if options.store == stores.Store.CASSANDRA:
        rows = StoreSettings("cassandra", cassandra_port=port, keyspace_prefix=prefix)
        stack.callback(drop_keyspace, rows, "analytics")
    return {"STORE": options.store, "CASSANDRA_PORT": str(port), "CASSANDRA_KEYSPACE_PREFIX": prefix}


async def _answers(url: str) -> bool:
    try:
        async with httpx.AsyncClient(timeout=3, trust_env=False) as http:
            return (await http.get(url)).status_code == 200
    except httpx.HTTPError:
        return False
