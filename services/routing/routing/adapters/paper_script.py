"""A day on paper as it is asked for in words (files, distributions, a configuration), read and checked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..app.paper.chance import Human, Stream, drawn, rate
from ..app.paper.intervals import STEPS
from ..app.paper.simulation import Asked, Day
from ..app.paper.world import Arrival, People, Shift, presence
from ..domain.commands import ChoosePolicy, DefineQueue, Order
from ..domain.events import DEFAULT_POLICY, Queue
from ..domain.policies import POLICIES
from ..domain.state import Board
from .cel import Cel
from .config_files import read_config
from .paper_files import RINGS_ON_MS, Times, read_arrivals, read_roster
from .yaml_marks import Mistakes

TENANT, POOL = "paper", "paper"


class Wrong(Exception):
    """What was asked cannot be done; the text says why, a line a mistake."""


@dataclass(frozen=True)
class Wanted:
    """The command line as given, times and distributions still in words."""

    arrivals: Path | None
    roster: Path
    out: Path
    config: Path | None = None
    pool: str = ""
    policy: str = ""
    until: str = ""
    seed: int = 0
    poisson: str = ""
    service: str = ""
    patience: str = ""
    wrap_up: str = ""
    hours: float = 0.0
    queue: str = ""
    channel: str = "voice"
    answer: str = ""
    connect: str = ""
    decline: float = 0.0
    missed: float = 0.0
    offer_timeout: float = 0.0
    step: str = "30m"
    tz: str = "UTC"
    threshold: int = 20


@dataclass(frozen=True)
class Script:
    """What is to be run: ``expected`` arrivals, or about as many."""

    day: Day
    asked: Asked
    times: Times
    expected: int


def prepared(wanted: Wanted) -> Script:
    """Everything read and checked before anything runs; raises ``Wrong``, ``BadFile`` or ``BadChance``."""
    _check(wanted)
    pool, orders = _configured(wanted)
    defined = [order.queue.id for order in orders if isinstance(order, DefineQueue)]
    times = Times()
    listed = read_arrivals(wanted.arrivals, times, defined) if wanted.arrivals else []
    roster = read_roster(wanted.roster, times, defined)
    until = _until(wanted.until, times)
    start = min((begin for begin in (*(a.at for a in listed[:1]), *(s.begin for s in roster))), default=0)
    stream = None if wanted.arrivals else _stream(wanted, defined or _queues(listed, roster))
    if not defined:
        named = {*_queues(listed, roster), *((stream.queue,) if stream else ())}
        orders = [*_plain(sorted(named), wanted), *orders]
    day = Day(
        board=Board(TENANT, pool, expressions=Cel()),
        arrivals=stream.arrivals(wanted.seed, start) if stream else listed,
        cues=presence(roster, pool),
        orders=orders,
        people=_people(wanted),
        start=start,
        until=until,
    )
    asked = Asked(wanted.step, ZoneInfo(wanted.tz), wanted.threshold)
    return Script(day, asked, times, stream.expected if stream else len(listed))


def _check(wanted: Wanted) -> None:
    if bool(wanted.arrivals) == bool(wanted.poisson):
        raise Wrong("give either --arrivals A.csv or --poisson 360/h")
    if wanted.poisson and not (wanted.service and wanted.hours > 0):
        raise Wrong("--poisson needs --service, such as exp:240, and --hours")
    if wanted.policy and wanted.policy not in POLICIES:
        raise Wrong(f"--policy {wanted.policy}: one of {', '.join(sorted(POLICIES))}")
    if wanted.step not in STEPS:
        raise Wrong(f"--step {wanted.step}: one of {', '.join(STEPS)}")
    if not (0 <= wanted.decline <= 1 and 0 <= wanted.missed <= 1 and wanted.decline + wanted.missed <= 1):
        raise Wrong("--decline and --missed are shares of offers, together at most 1")
    if wanted.missed and not (wanted.config or wanted.offer_timeout):
        raise Wrong("--missed needs --offer-timeout (or a --config), else a missed offer would ring for ever")
    try:
        ZoneInfo(wanted.tz)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Wrong(f"--tz {wanted.tz}: an IANA zone such as Asia/Shanghai") from None


def _configured(wanted: Wanted) -> tuple[str, list[Order]]:
    """The pool and what it is told first; --policy has the last word."""
    pool, orders = POOL, list[Order]()
    if wanted.config:
        pools = _read(wanted.config)
        if not pools or (len(pools) > 1 and not wanted.pool):
            raise Wrong(f"{wanted.config}: --pool is one of {', '.join(sorted(pools)) or 'none: it has no queues'}")
        pool = wanted.pool or next(iter(pools))
        if pool not in pools:
            raise Wrong(f"--pool {pool}: one of {', '.join(sorted(pools))}")
        orders = list(pools[pool])
    if wanted.policy or not wanted.config:
        orders.append(ChoosePolicy(wanted.policy or DEFAULT_POLICY, "policy"))
    return pool, orders


def _read(path: Path) -> dict[str, Sequence[Order]]:
    try:
        return {pool: orders for pool, orders in read_config(path).orders.items() if orders}
    except Mistakes as error:
        raise Wrong("\n".join(f"{path}:{one.line}:{one.column}: {one.text}" for one in error.found)) from None


def _queues(listed: Sequence[Arrival], roster: Sequence[Shift]) -> list[str]:
    return sorted({*(arrival.queue for arrival in listed), *chain.from_iterable(shift.queues for shift in roster)})


def _plain(queues: Iterable[str], wanted: Wanted) -> Iterator[Order]:
    """Queues as there are without a configuration: accepted at once, no offer timeout, T = 20 s, S = 0."""
    timeout, at_once = round(wanted.offer_timeout * 1000) or RINGS_ON_MS, not _takes_time(wanted)
    for id in queues:
        yield DefineQueue(Queue(id, offer_timeout_ms=timeout, auto_accept=at_once), f"queue-{id}")


def _stream(wanted: Wanted, queues: Sequence[str]) -> Stream:
    queue = wanted.queue or (queues[0] if len(queues) == 1 else "")
    if not queue:
        raise Wrong(f"--queue is one of {', '.join(queues)}" if queues else "--queue NAME: the roster names none")
    return Stream(
        per_ms=rate(wanted.poisson),
        talk=drawn(wanted.service),
        hours=wanted.hours,
        queue=queue,
        channel=wanted.channel,
        patience=drawn(wanted.patience) if wanted.patience else None,
        wrap_up=drawn(wanted.wrap_up) if wanted.wrap_up else None,
    )


def _people(wanted: Wanted) -> People | None:
    if not (_takes_time(wanted) or wanted.connect):
        return None
    after, connect = drawn(wanted.answer or "fixed:0"), drawn(wanted.connect or "fixed:0")
    return Human(wanted.seed, after, connect, wanted.decline, wanted.missed)


def _takes_time(wanted: Wanted) -> bool:
    """Whether agents do anything else than accept at once."""
    return bool(wanted.answer or wanted.decline or wanted.missed)


def _until(text: str, times: Times) -> int | None:
    if not text:
        return None
    try:
        return times.read(text)
    except ValueError as error:
        raise Wrong(f"--until: {error}") from None
