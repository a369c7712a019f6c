"""Rounds of kills on the kernel alone: at every crash point, at random times, and of two processes that race."""

from __future__ import annotations

import asyncio
import random
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count

from switchlog.bus import clients as bus
from switchlog.store import Store
from switchlog.store.settings import StoreSettings

from .checks import Found, Topics, check
from .clients import Clients
from .lives import Address, Being, Died, born, import_root
from .patience import open_patiently
from .points import Fuse, points
from .report import Figures
from .victim import World

REACHED_WITHIN_S = 30.0


@dataclass
class Bench:
    """One world with its store and topics, open for checking."""

    world: World
    store: Store
    topics: Topics
    address: Address = field(default_factory=Address)
    quiet_within_s: float = 20.0
    numbers: Iterator[int] = field(default_factory=count)

    async def round(self, name: str, kill: Callable[[Address], Awaitable[int]], planted: str = "") -> Figures:
        """Load, kills, rest, check: on streams of this round's own."""
        clients = Clients(self.address, name.replace(".", "-").replace(" ", "-"))
        clients.start()
        kills = await kill(self.address)
        last = await born(self.world, planted=planted)
        self.address.now([last])
        await clients.finish()
        await clients.ask_again()
        found = await check(self.world, self.store, self.topics, clients, self.quiet_within_s)
        last.kill()
        await last.gone(5)
        return self._figures(name, kills, clients, found)

    def _figures(self, name: str, kills: int, clients: Clients, found: Found) -> Figures:
        book = clients.book
        return Figures(
            name,
            kills=kills,
            commands=len(book.versions),
            refused=book.refused.total(),
            later=book.later,
            unknown=book.unknown,
            stored_before=book.stored_before,
            done_by_retry=book.done_by_retry,
            events=found.events,
            repeats=found.repeats,
            lost=len(found.lost),
            duplicates=len(found.duplicates),
            holes=len(found.holes),
            contradictions=len(found.contradictions),
            wrong=found.all()[:10],
        )

    # -- ways to kill --------------------------------------------------------------------------------------------------

    def at(self, point: str, most: int, times: int, planted: str = "") -> Callable[[Address], Awaitable[int]]:
        """``times`` lives that end at ``point``; one that never gets there fails, as it would prove nothing."""

        async def kill(address: Address) -> int:
            chance = random.Random(f"{point} {next(self.numbers)}")
            for _ in range(times):
                await self._die_at(address, Fuse(point, chance.randint(1, most)), planted)
            return times

        return kill

    async def _die_at(self, address: Address, fuse: Fuse, planted: str) -> None:
        try:
            being = await born(self.world, fuse, planted)
        except Died:  # some points lie before it serves
            return
        address.now([being])
        if not await being.gone(REACHED_WITHIN_S):
            being.kill()
            raise AssertionError(f"{fuse} was not reached in {REACHED_WITHIN_S:.0f} s")

    def at_each(self, named: Mapping[str, int]) -> Callable[[Address], Awaitable[int]]:
        """One life that ends early at each of the ``named`` points."""

        async def kill(address: Address) -> int:
            return sum([await self.at(point, 1 + most // 5, 1)(address) for point, most in named.items()])

        return kill

    def at_random(self, times: int, planted: str = "") -> Callable[[Address], Awaitable[int]]:
        """``times`` lives of random length."""

        async def kill(address: Address) -> int:
            for n in range(times):
                being = await born(self.world, planted=planted)
                address.now([being])
                await asyncio.sleep(random.Random(f"{n}").uniform(0.02, 1.5))
                await _killed(being)
            return times

        return kill

    def racing(self, times: int) -> Callable[[Address], Awaitable[int]]:
        """Two processes on the same streams; one or the other is killed and replaced."""

        async def kill(address: Address) -> int:
            pair = [await born(self.world), await born(self.world)]
            address.now(pair)
            for n in range(times):
                await asyncio.sleep(random.Random(f"race {n}").uniform(0.3, 1.2))
                await _killed(pair[n % 2])
                pair[n % 2] = await born(self.world)
                address.now(pair)
            await asyncio.gather(*map(_killed, pair))
            return times + len(pair)

        return kill


async def _killed(being: Being) -> None:
    being.kill()
    await being.gone(5)


@asynccontextmanager
async def bench(bootstrap: str, store: StoreSettings) -> AsyncIterator[Bench]:
    """Topics and a store of its own, both gone at the end."""
    import_root()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        world = World(bootstrap, store, f"faults-{uuid.uuid4().hex[:8]}", folder)
        for topic in (world.counts, world.mirrors):
            await bus.ensure_topic(bootstrap, topic, 3, replication=1)
        opened, topics = await open_patiently(store, "faults"), Topics(world)
        await topics.open()
        try:
            yield Bench(world, opened, topics)
        finally:
            await topics.close()
            await opened.close()
            await _delete(world)


async def _delete(world: World) -> None:
    admin = bus.admin(world.bootstrap)
    await admin.start()
    await admin.delete_topics([world.counts, world.mirrors])
    await admin.close()


# the mistake, where it is killed, and how it must show
PLANTED = {
    "append-late": ("publish.after", "lost"),
    "watermark-early": ("publish.before", "lost"),
    "no-sweeper": ("append.after", "lost"),
    "commit-early": ("handle.before", "lost"),
    "forgetful-reaction": ("handle.after", "duplicates"),
}


async def every_round(one: Bench, kills: int, say: Callable[[str], None]) -> list[Figures]:
    """``kills`` at each crash point, five times as many at random, and as many of two processes that race."""
    rounds = {point: one.at(point, most, kills) for point, most in points(one.world.store.kind).items()}
    rounds |= {"random": one.at_random(5 * kills), "race": one.racing(5 * kills)}
    return [await _said(one.round(name, kill), say) for name, kill in rounds.items()]


async def planted_round(one: Bench, planted: str, kills: int = 3, rounds: int = 4) -> Figures:
    """A process with a classic mistake; what is wrong has to show, at the latest in the last of ``rounds``."""
    point, shows_as = PLANTED[planted]
    one.quiet_within_s = 3.0
    for n in range(rounds):
        figures = await one.round(f"planted {planted} {n}", one.at(point, 25, kills, planted), planted)
        if getattr(figures, shows_as):
            break
    return figures


async def _said(round_of: Awaitable[Figures], say: Callable[[str], None]) -> Figures:
    figures = await round_of
    say(f"faults: {figures.name}: {figures.kills} kills, wrong: {figures.wrong or 'nothing'}")
    return figures
