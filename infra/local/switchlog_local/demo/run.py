"""Starts everything, shows it, stops it: the demo from the first line to the summary."""

import asyncio
import contextlib
import json
import signal
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

from rich.console import Console

from contactcenter.topics import create_topics
from switchlog_local import stores
from switchlog_local.demo import plan, summary
from switchlog_local.demo.compare import compare
from switchlog_local.demo.observer import Counts, observer
from switchlog_local.demo.people import Crowd
from switchlog_local.demo.screen import Picture, ask_queues, draw, show
from switchlog_local.demo.seed import SITE_KEYS, seed
from switchlog_local.demo.supervisor import Supervisor
from switchlog_local.issuer import PEOPLE, Issuer
from switchlog_local.servers import start_all, stop_all


def agent_ids(options: plan.Options) -> list[str]:
    """agent-1 is also the one in tokens.json."""
    return [f"agent-{n + 1}" for n in range(options.agents)]


async def demo(options: plan.Options) -> int:
    """Run it; the exit code. With `seconds` 0 is only for contacts that ended and no process that died."""
    console, began = Console(), time.monotonic()
    supervisor = Supervisor(say)
    stop = _stop_on_signals()
    async with _servers(options):
        try:
            issuer = _secrets(options)
            await create_topics(f"{plan.HOST}:{options.settings.kafka_port}")
            await compare(plan.environment("customers", options), say)
            await supervisor.start([plan.issuer(options)])
            await supervisor.start(plan.services(options))
            await seed(_token(issuer, "admin"), agent_ids(options), options)
            say(f"everything runs after {time.monotonic() - began:.1f} s")
            picture = await _live(options, supervisor, issuer, stop, console)
        finally:
            await supervisor.stop()
    return summary.finish(picture)


def say(line: str) -> None:
    """Progress for a person."""
    print(f"demo: {line}", file=sys.stderr, flush=True)


async def _live(
    options: plan.Options, supervisor: Supervisor, issuer: Issuer, stop: asyncio.Event, console: Console
) -> Picture:
    counts = Counts()
    picture = Picture(options, supervisor, counts)
    if console.is_terminal:
        supervisor.say = picture.lines.append
    facts = observer(f"{plan.HOST}:{options.settings.kafka_port}", counts)
    async with _background(facts.run(), ask_queues(picture, _token(issuer, "analyst"))):
        await facts.caught_up.wait()
        async with _people(options, issuer, picture), _background(show(picture, console)):
            await _until(stop, options.seconds)
            if options.picture is not None:
                draw(picture, options.picture)
        await asyncio.sleep(1)  # the last facts are on their way to the topics
    return picture


@contextlib.asynccontextmanager
async def _background(*doing: Any) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(one) for one in doing]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                say(f"{type(outcome).__name__}: {outcome}")


@contextlib.asynccontextmanager
async def _people(options: plan.Options, issuer: Issuer, picture: Picture) -> AsyncIterator[None]:
    """The simulated crowd as a process of its own, its diary read line by line."""
    tokens = {
        agent: issuer.issue(agent, ["agent"], [f"team-{1 + n % 2}"]) for n, agent in enumerate(agent_ids(options))
    }
    crowd = Crowd(options.rate, tokens, tuple(SITE_KEYS.values()), options.contact_seconds)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "switchlog_local.demo.people",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=(options.folder / "logs" / "people.log").open("wb"),
        start_new_session=True,
        limit=2**22,
    )
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(json.dumps(vars(crowd)).encode())
    process.stdin.write_eof()
    reading = asyncio.create_task(_read(process.stdout, picture))
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGINT)
        try:
            await asyncio.wait_for(process.wait(), 6)
        except TimeoutError:
            process.kill()
        await reading


async def _read(lines: asyncio.StreamReader, picture: Picture) -> None:
    async for line in lines:
        told = json.loads(line)
        picture.did = told["did"]
        picture.errors += told["errors"]
        picture.lines.extend(told["errors"])
        picture.saw_offers([(offer, arrived) for offer, arrived in told["offers_seen"]])


async def _until(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds or None)


def _stop_on_signals() -> asyncio.Event:
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    return stop


def _token(issuer: Issuer, person: str) -> str:
    return issuer.issue(PEOPLE[person].subject, PEOPLE[person].roles)


def _secrets(options: plan.Options) -> Issuer:
    """Keys and tokens of this demo, made on first use, readable by their owner only."""
    folder = options.data / "secrets"
    issuer = Issuer.in_folder(folder / "issuer", plan.url("issuer"))
    for service in plan.SERVICES:
        issuer.write_service_token(service, folder / "tokens" / f"{service}.token")
    issuer.write_tokens(options.folder / "tokens.json")
    return issuer


@contextlib.asynccontextmanager
async def _servers(options: plan.Options) -> AsyncIterator[None]:
    """Kafka, and Cassandra with STORE=cassandra: those that run already stay, those started here are stopped."""
    store = stores.Store(options.store)
    stores.refuse_two(store, options.settings)
    missing = [server for server in stores.servers(store, options.settings) if not server.ready()]
    if missing:
        say(f"starting {' and '.join(server.name for server in missing)}")
    await asyncio.to_thread(start_all, missing)
    stores.remember(store, options.settings)
    try:
        yield
    finally:
        await asyncio.to_thread(stop_all, missing)
