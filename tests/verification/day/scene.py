"""The day as a whole: who works, how many come at which hour, and the local midnights that pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from random import Random
from zoneinfo import ZoneInfo

from contactcenter.routing.v1 import events_pb2

from . import lives, queues, shifts
from .streams import Published, Streams
from .world import MINUTE, QUEUES, Agent, Contact, S, World

HOUR = 60 * MINUTE
SHARES = {"sales": 0.4, "care": 0.25, "web": 0.25, "second": 0.1}


@dataclass(frozen=True)
class Day:
    """``hours`` from the local midnight before ``begins`` on, by the clock on the wall of ``tz``.

    The default passes a midnight and the hour that is there twice: a local day of 100 quarter hours.
    """

    tenant: str = "seeded"
    seed: int = 1
    tz: str = "Europe/Berlin"
    begins: date = date(2025, 10, 25)
    from_hour: int = 21
    hours: int = 27
    contacts_an_hour: int = 110
    agents: int = 12

    @property
    def start(self) -> int:
        """Epoch milliseconds."""
        midnight = datetime.combine(self.begins, datetime.min.time(), ZoneInfo(self.tz))
        return round((midnight + timedelta(hours=self.from_hour)).timestamp() * 1000)

    @property
    def end(self) -> int:
        return self.start + self.hours * HOUR


def made(day: Day) -> Sequence[Published]:
    """Everything that is published on that day, in the order in which it was recorded."""
    streams = Streams(day.tenant)
    world = World(streams, Random(day.seed), day.start - HOUR)
    world.match = partial(queues.match, world)
    _open_pools(world, day)
    _hire(world, day)
    _customers(world, day)
    world.run()
    return streams.said


def _open_pools(world: World, day: Day) -> None:
    for pool in sorted({queue.pool for queue in QUEUES.values()}):
        world.pool(pool, events_pb2.PoolTaken(owner="seeded", generation=1))
        for at in (day.start - HOUR, *_midnights(day)):
            world.at(at, _begin_day, world, pool, day, at)
    for queue in QUEUES.values():
        queues.define(world, queue)


def _begin_day(world: World, pool: str, day: Day, at: int) -> None:
    local = datetime.fromtimestamp(at / 1000, ZoneInfo(day.tz)).date()
    world.pool(pool, events_pb2.PoolDayStarted(date=local.isoformat(), carry_id=f"carry-{local}", time_zone=day.tz))


def _midnights(day: Day) -> list[int]:
    zone, found = ZoneInfo(day.tz), []
    for n in range(1, 2 + day.hours // 24 + 1):
        at = round(datetime.combine(day.begins + timedelta(days=n), datetime.min.time(), zone).timestamp() * 1000)
        if day.start < at < day.end:
            found.append(at)
    return found


def _hire(world: World, day: Day) -> None:
    """Three in ten serve chats, two in ten the other pool; shifts overlap and some pass midnight."""
    for n in range(day.agents):
        channel, pool = ("chat", "front") if n % 10 in (2, 5, 8) else ("voice", "back" if n % 5 == 3 else "front")
        agent = Agent(f"agent-{n + 1}", f"team-{1 + n % 3}", pool, channel, 2 if channel == "chat" else 1)
        begins = day.start + (n % 3) * day.hours * HOUR // 4 + n * 7 * S
        shifts.hire(world, agent, begins, begins + day.hours * HOUR // 2 + n * MINUTE)


def _customers(world: World, day: Day) -> None:
    """A steady stream, twice as dense in the second half of each three hours."""
    at, n = float(day.start), 0
    names, weights = list(SHARES), list(SHARES.values())
    while at < day.end:
        dense = 2 if (at - day.start) % (3 * HOUR) > 1.5 * HOUR else 1
        at += world.chance.expovariate(day.contacts_an_hour * dense / 1.5 / HOUR)
        n += 1
        queue = QUEUES[world.chance.choices(names, weights)[0]]
        contact = Contact(f"c{day.seed}-{n}", queue.channel, queue)
        world.at(round(at), lives.begin, world, contact)
    for late in range(3):  # when everybody has gone home: these wait still
        queue = QUEUES[("web", "care", "web")[late]]
        contact = Contact(f"c{day.seed}-late-{late}", queue.channel, queue, patient=True)
        world.at(day.end + 2 * HOUR + late * 7 * MINUTE, lives.walk_in, world, contact)
