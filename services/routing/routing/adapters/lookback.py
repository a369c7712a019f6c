"""``why``, ``replay`` and ``what-if`` on the command line: from the store, service running or not, or by the API."""

from __future__ import annotations

import asyncio
import gc
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

import orjson
from cyclopts import App, Parameter

from switchlog.config import ConfigError
from switchlog.envelope import StreamId, timestamp
from switchlog.errors import NotFound, NotNow, Rejected
from switchlog.store.settings import StoreSettings

from ..app import why_shown
from ..app.replays import replay_day
from ..app.what_if import told
from ..app.what_if.compared import compared
from ..app.what_if.people import Unserved
from ..app.why import Why
from ..config import settings
from . import asking, telling
from .looking import chosen
from .progress import told_progress
from .trying import Asked, trial

DONE, DIVERGED, BAD_INPUT = 0, 1, 2

Shown = dict[str, Any]
How = Literal["bar", "json", "none"]
Open = Callable[[StoreSettings], AbstractAsyncContextManager[Why]]


@Parameter(name="*")
@dataclass(frozen=True)
class Source:
    """Where the log is, as on every command line here."""

    store: Annotated[str, Parameter(help="sqlite, cassandra, or a folder; the one used last when not given.")] = ""
    tenant: Annotated[str, Parameter(help="Whose; needed only when several tenants have a pool of that name.")] = ""
    url: Annotated[str, Parameter(help="Ask the service there in place of the store.")] = ""
    token: Annotated[str, Parameter(help="A bearer token for --url; SWITCHLOG_TOKEN when not given.")] = ""

    def known(self, env: Mapping[str, str]) -> str:
        """The token to ask with."""
        return self.token or env.get("SWITCHLOG_TOKEN", "")


HERE = Source()


@dataclass(frozen=True)
class Command:
    """What all commands share: how a store is opened, and the environment that says where it is."""

    open: Open
    env: Mapping[str, str]

    @property
    def zone(self) -> ZoneInfo:
        return settings(self.env).zone

    def run(self, work: Callable[[], Coroutine[Any, Any, int]]) -> int:
        """Its exit code; what cannot be answered is told in one line."""
        _spare_collections()
        try:
            return asyncio.run(work())
        except (ConfigError, NotFound, NotNow, Rejected, Unserved, ValueError, OSError) as error:
            sys.stderr.write("".join(f"routing: {line}\n" for line in _words(error).splitlines()))
            return BAD_INPUT

    async def pool(self, why: Why, pool: str, tenant: str) -> StreamId:
        """The only pool of that name; raises ``NotFound``, or ``ValueError`` when several tenants have one."""
        found = [one for one in await why.history.pools.all() if one.name == f"pool-{pool}"]
        found = [one for one in found if tenant in ("", one.tenant)]
        if len(found) > 1:
            raise ValueError(f"several tenants have a pool {pool}: name one with --tenant")
        if not found:
            raise NotFound(detail=f"pool {pool}")
        return found[0]


def _spare_collections() -> None:
    """A board has no cycles worth looking for: looking through it again and again cost a quarter of a replay."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


def add_commands(app: App, open: Open, env: Mapping[str, str]) -> None:
    """``why``, ``replay`` and ``what-if`` become commands of ``app``."""
    command = Command(open, env)

    @app.command
    def why(
        contact: str = "",
        *,
        queue: str = "",
        at: str = "",
        agent: str = "",
        last: int = 10,
        lang: Literal["zh", "en"] = "en",
        json: bool = False,
        where: Source = HERE,
    ) -> int:
        """Why a contact was treated as it was: its decisions, executed again from the log.

        Parameters
        ----------
        contact
            The contact's id; in its place --queue with --at, or --agent.
        queue
            Why contacts waited in this queue at the time --at.
        at
            RFC 3339, or local time as 2026-11-25T09:30:00.
        agent
            The last decisions that name this agent.
        last
            How many of them; with --queue: how many offers before --at.
        lang
            Words in Chinese or English.
        """
        return command.run(lambda: _why(command, Question(contact, queue, at, agent, last, lang), where, json))

    @app.command
    def replay(
        pool: str,
        date: str,
        *,
        json: bool = False,
        where: Source = HERE,
        progress: How = "bar",
    ) -> int:
        """Decide a whole local day of a pool again: identical (0), or the first divergence with both decisions (1).

        Parameters
        ----------
        pool
            The pool's id.
        date
            The local day, YYYY-MM-DD.
        progress
            How progress is told on stderr.
        """
        if where.url:
            return command.run(lambda: _job(command, where, f"{pool}/replays", {"date": date}, json, progress))
        return command.run(lambda: _replay(command, pool, date, where, json, progress))

    @app.command(name="what-if")
    def what_if(
        pool: str,
        date: str,
        *,
        policy: str = "",
        roster: Path | None = None,
        config: Path | None = None,
        seeds: int = 10,
        threshold: int = 20,
        json: bool = False,
        where: Source = HERE,
        progress: How = "bar",
    ) -> int:
        """A recorded day under other rules, side by side with what it was; without any, to see it come out the same.

        Parameters
        ----------
        pool
            The pool's id.
        date
            The local day, YYYY-MM-DD.
        policy
            Such as round-robin@1, for the pool.
        roster
            CSV as of simulate: other agents, or at other times (RFC 3339, or seconds from the local midnight).
        config
            YAML as of config apply: other queues, hours, workflows, policies.
        seeds
            How often what is not known is drawn: patience of those answered, service of those not.
        threshold
            T of the figures, seconds.
        progress
            How progress is told on stderr.
        """
        asked = Asked(policy, roster, config, seeds, threshold)
        if where.url:
            return command.run(lambda: _job(command, where, f"{pool}/what-ifs", _body(date, asked), json, progress))
        return command.run(lambda: _what_if(command, pool, date, asked, where, json, progress))


@dataclass(frozen=True, slots=True)
class Question:
    """As on the command line. Raises ``ValueError`` unless it is exactly one question."""

    contact: str
    queue: str
    at: str
    agent: str
    last: int
    lang: Literal["zh", "en"]

    def __post_init__(self) -> None:
        if sum(map(bool, (self.contact, self.queue, self.agent))) != 1 or bool(self.queue) != bool(self.at):
            raise ValueError("ask about a CONTACT, or --queue Q --at TIME, or --agent A")
        if self.last < 1:
            raise ValueError("--last is at least 1")


def instant(text: str, zone: ZoneInfo) -> int:
    """Epoch milliseconds of RFC 3339 or of a local time; raises ``ValueError``."""
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text!r} is no time: RFC 3339, or local as 2026-11-25T09:30:00") from None
    aware = read if read.tzinfo else read.replace(tzinfo=zone)
    return round(aware.timestamp() * 1000)


async def _why(command: Command, asked: Question, where: Source, json: bool) -> int:
    if where.url:
        return _why_told(await _asked_of_api(command, asked, where), json)
    async with command.open(chosen(where.store, command.env)) as why:
        return _why_told(await _answer(why, asked, where.tenant, command.zone), json)


async def _answer(why: Why, asked: Question, tenant: str, zone: ZoneInfo) -> Shown:
    if asked.contact:
        return why_shown.decisions(await why.contact(asked.contact, tenant), asked.lang, zone)
    if asked.agent:
        return why_shown.decisions(await why.agent(asked.agent, asked.last, tenant), asked.lang, zone)
    standing = await why.queue(asked.queue, instant(asked.at, zone), asked.last, tenant)
    return why_shown.queue(standing, asked.lang, zone)


async def _asked_of_api(command: Command, asked: Question, where: Source) -> Shown:
    given: dict[str, str] = {"lang": asked.lang, "last": str(asked.last)}
    if asked.contact:
        path = f"/v1/contacts/{asked.contact}/why"
    elif asked.agent:
        path = f"/v1/agents/{asked.agent}/why"
    else:
        path = f"/v1/queues/{asked.queue}/why"
        given["at"] = timestamp(instant(asked.at, command.zone))
    return await asking.get(f"{where.url}{path}", given, where.known(command.env))


def _why_told(shown: Shown, json: bool) -> int:
    _print_json(shown) if json else telling.why(shown)
    return DONE if shown["identical"] else DIVERGED


async def _replay(command: Command, pool: str, date: str, where: Source, json: bool, progress: How) -> int:
    async with command.open(chosen(where.store, command.env)) as why:
        stream, began = await command.pool(why, pool, where.tenant), time.monotonic()
        with told_progress(progress, f"replay {pool} {date}") as tell:
            found = await replay_day(why.history, stream, date, tell)
        seconds = time.monotonic() - began
    shown = why_shown.replayed(found)
    shown |= {"seconds": round(seconds, 3), "events_per_s": round(found.events / seconds) if seconds else 0}
    _print_json(shown) if json else telling.replayed(shown)
    return DONE if found.identical else DIVERGED


async def _what_if(
    command: Command, pool: str, date: str, asked: Asked, where: Source, json: bool, progress: How
) -> int:
    async with command.open(chosen(where.store, command.env)) as why:
        stream = await command.pool(why, pool, where.tenant)
        day = await why.history.day(stream, date)
        tried = trial(asked, pool, date, command.zone)
        with told_progress(progress, f"what-if {pool} {date}") as tell:
            found = await compared(why.history, stream, day, tried, tell)
    shown = told.shown(found, str(asked), asked.threshold_s, asked.same)
    _print_json(shown) if json else telling.what_if(shown)
    return DIVERGED if asked.same and not found.identical else DONE


def _body(date: str, asked: Asked) -> Shown:
    """What is asked, with the files' texts."""
    files = (("roster", asked.roster), ("config", asked.config))
    texts = {name: path.read_text(encoding="utf-8") for name, path in files if path}
    return {"date": date, "policy": asked.policy, "seeds": asked.seeds, "threshold_s": asked.threshold_s} | texts


async def _job(command: Command, where: Source, what: str, body: Shown, json: bool, progress: How) -> int:
    """Start it, follow its progress, tell its result as if it had been done here."""
    with told_progress(progress, what) as tell:
        shown, code = await asking.job(f"{where.url}/v1/pools/{what}", body, where.known(command.env), tell)
    if json:
        _print_json(shown)
    else:
        telling.result(shown)
    return code


def _print_json(shown: Shown) -> None:
    sys.stdout.buffer.write(orjson.dumps(shown, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE))
    sys.stdout.flush()


def _words(error: Exception) -> str:
    detail = getattr(error, "detail", "")
    if isinstance(error, NotFound):
        return f"not found: {detail}"
    return detail or telling.in_words(error) or type(error).__name__
