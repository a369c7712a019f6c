"""Records ``a-busy-quarter.jsonl`` anew: ``python -m tests.histories.record`` in services/routing, only for new facts.

A history once recorded stays: later rules must decide it as it was decided.
"""

from __future__ import annotations

import asyncio
import random
import sys
from pathlib import Path

from google.protobuf import json_format

from contactcenter.agent.v1 import events_pb2 as agent_pb
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT
from routing import wire
from routing.domain.commands import AcceptOffer, DeclineOffer, DefineQueue
from routing.domain.events import ContactOffered, Queue

from ..bench import Bench

CHANCE = random.Random(20250616)
AGENTS = [f"a{n}" for n in range(8)]


async def main() -> None:
    bench = Bench()
    owner, world = bench.owner(), bench.world
    answered: set[str] = set()
    async with bench.running(owner):
        define = world.order(DefineQueue(Queue("q1", offer_timeout_ms=12_000, short_abandon_ms=5_000), "0" * 32))
        await bench.give(owner, define)
        for n, agent in enumerate(AGENTS):
            await bench.give(owner, *world.joined(agent, slots=1 + n % 2, skills=(("en", 1 + n % 3),)))
        for n in range(120):
            bench.advance(CHANCE.randrange(50, 4_000))
            owner._awake.set()
            await bench.give(owner, *step(bench, n, await offers(bench), answered))
    rows = [row.value for row in await bench.rows()]
    lines = [json_format.MessageToJson(wire.CODEC.parse(row), indent=None) for row in rows]
    Path(__file__).with_name("a-busy-quarter.jsonl").write_text("".join(f"{line}\n" for line in lines))
    sys.stdout.write(f"{len(lines)} facts\n")


def step(bench: Bench, n: int, open_offers: list[ContactOffered], answered: set[str]) -> list:
    world, agent = bench.world, CHANCE.choice(AGENTS)
    match CHANCE.randrange(10):
        case 0 | 1 | 2:
            return world.queued(f"c{n}", priority=CHANCE.randrange(2), skills=(("en", 1 + n % 3),))
        case 3 | 4 | 5 if offer := next((o for o in open_offers if o.offer_id not in answered), None):
            answered.add(offer.offer_id)
            kind = DeclineOffer if CHANCE.random() < 0.2 else AcceptOffer
            return [world.order(kind(offer.offer_id, offer.agent, f"{n:032x}")), *world.connected(offer.contact, "x")]
        case 6:
            return world.not_ready(agent)
        case 7:
            return world.ready(agent)
        case 8:
            capacity = agent_pb.CapacitySet(agent=agent, pool="p1")
            capacity.capacities.add(channel=CHANNEL_CHAT, slots=CHANCE.randrange(1, 3))
            return world.agent(agent, capacity_set=capacity)
        case _ if open_offers:
            gone = CHANCE.choice(open_offers)
            return [*world.work_ended(gone.agent, gone.contact), *world.abandoned(gone.contact)]
        case _:
            return world.queued(f"c{n}")


async def offers(bench: Bench) -> list[ContactOffered]:
    return [event for event, _ in await bench.history() if isinstance(event, ContactOffered)][-6:]


if __name__ == "__main__":
    asyncio.run(main())
