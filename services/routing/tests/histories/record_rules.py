"""Records ``a-day-of-rules.jsonl`` anew: ``python -m tests.histories.record_rules`` in services/routing.

Only for facts that no history has yet: what was recorded once is decided so for ever.
"""

from __future__ import annotations

import asyncio
import gzip
import random
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from contactcenter.agent.v1 import events_pb2 as agent_pb
from contactcenter.contact.v1.types_pb2 import Attribute
from routing import wire
from routing.app.ports import Arrived
from routing.domain.commands import (
    AcceptOffer,
    ChoosePolicy,
    DeclineOffer,
    DefineHours,
    DefineQueue,
    DefineWorkflow,
    MoveContact,
    PullContact,
    RaisePriority,
    RemoveQueue,
    RequestCallback,
    SetQueueOpen,
)
from routing.domain.definitions import (
    Action,
    Hours,
    IntervalTarget,
    OverflowRule,
    Queue,
    Relaxation,
    Span,
    Target,
    Trigger,
    Workflow,
)
from routing.domain.events import OverflowObserved
from routing.domain.members import Phase, refusal
from switchlog.envelope import Cause
from switchlog.ids import derived

from ..bench import Bench
from ..plain import Plain
from ..world import POOL

NAME = "a-day-of-rules.jsonl.gz"
CHANCE = random.Random(20251125)
AGENTS = [f"a{n}" for n in range(9)]
TEAMS = ["gold", "blue", "reserve"]
QUEUES = ["in", "vip", "plain", "many"]
HOURS = Hours("office", "Asia/Shanghai", tuple((day, Span(0, 21 * 60)) for day in range(1, 8)), (("2025-06-18", ()),))
FLOW = Workflow(
    "flow",
    (
        Target("vip", 20_000, 2, "agent.team == contact.team"),
        Target("vip", 40_000, skip_if="queue.agents_signed_in < 2"),
        Target("", 70_000, 5, order_by="least-loaded@1"),
        Target("plain"),
    ),
)
DEFINED = (
    Queue(
        "in",
        name="In",
        required_skills=(("en", 3),),
        relaxations=(Relaxation(10_000, "en", 2), Relaxation(30_000, "en", 1)),
        overflows=(
            OverflowRule("full", Trigger.LENGTH, 6, Action.QUEUE, "plain"),
            OverflowRule("more", Trigger.WAIT, 25_000, Action.GROUP, to_team="reserve"),
            OverflowRule("shut", Trigger.CLOSED, 0, Action.CALLBACK),
            OverflowRule("none", Trigger.NOBODY_SIGNED_IN, 0, Action.VOICEMAIL),
            OverflowRule("away", Trigger.WAIT, 90_000, Action.QUEUE, "far", "p2"),
        ),
        workflow="flow",
        hours="office",
        offer_timeout_ms=9_000,
        interval_targets=(IntervalTarget((), 20 * 60 + 15, 23 * 60, 60_000, 700_000),),
    ),
    Queue("vip", required_skills=(("en", 1),), offer_timeout_ms=12_000, weight=3, preferred_agent_ms=15_000),
    Queue(
        "plain",
        max_length=4,
        max_wait_ms=60_000,
        offer_timeout_ms=9_000,
        weight=1,
        ring_agents=2,
        relaxations=(Relaxation(4_000, "zh"),),
    ),
    Queue("many", auto_accept=True, policy="round-robin@1", parameters=(("ageing_ms_per_priority", "5000"),)),
    Queue("old"),
)


async def main() -> None:
    bench = Bench()
    owner = bench.owner()
    owner._tools = replace(owner._tools, expressions=Plain())
    async with bench.running(owner):
        for one in begin(bench):
            await bench.give(owner, one)
        for n in range(420):
            bench.advance(CHANCE.randrange(50, 3_000))
            owner._awake.set()
            await bench.give(owner, *step(bench, owner._board, n))
            if n == 250:  # over midnight, with whoever waits
                bench.advance(11 * 3_600_000 + 50 * 60_000)
    rows = [row.value for row in await bench.rows()]
    lines = [json_format.MessageToJson(wire.CODEC.parse(row), indent=None) for row in rows]
    whole = "".join(f"{line}\n" for line in lines).encode()
    Path(__file__).with_name(NAME).write_bytes(gzip.compress(whole, 9, mtime=0))
    sys.stdout.write(f"{len(lines)} facts\n")


def begin(bench: Bench) -> Iterator[Arrived]:
    orders: list[Any] = [DefineHours(HOURS, "1" * 32), DefineWorkflow(FLOW, "2" * 32)]
    orders += [DefineQueue(queue, f"{n:032x}") for n, queue in enumerate(DEFINED, 3)]
    yield from (bench.world.order(order) for order in orders)
    for n, agent in enumerate(AGENTS):
        joined = join(bench, agent, n)
        yield from bench.world.agent(agent, joined_pool=joined)


def join(bench: Bench, agent: str, n: int) -> agent_pb.JoinedPool:
    (arrived,) = bench.world.joined(agent, slots=1 + n % 2, skills=(("en", 1 + (n + 1) % 3),), priority=n % 4)
    fact = agent_pb.AgentEvent.FromString(arrived.item.raw).joined_pool  # type: ignore[union-attr]
    fact.team = TEAMS[n % 3]
    fact.standing.queues.extend(["far"] if fact.team == "reserve" else [])
    return fact


def step(bench: Bench, board: Any, n: int) -> list[Arrived]:
    world, agent, id = bench.world, CHANCE.choice(AGENTS), f"{n + 4096:032x}"
    waiting = [contact.id for contact in board.contacts.values() if contact.phase is not Phase.ASSIGNED]
    one = CHANCE.choice(waiting) if waiting else "nobody"
    if n % 60 == 30:
        return [world.order(SetQueueOpen("in", True, id, reason="again"))]
    if n % 90 == 45:
        return [*newcomer(bench, f"new{n}"), *queued(bench, n, "in"), pull(bench, f"c{n}", f"new{n}", id)]
    match CHANCE.randrange(20):
        case 0 | 1 | 2 | 3 | 4 | 5:
            return queued(bench, n)
        case 6 | 7 | 8 | 9 if board.offers:
            return answered(bench, board, id)
        case 10:
            return world.not_ready(agent)
        case 11 | 12:
            away = [a.id for a in board.agents.values() if not (a.ready and a.checked_in)]
            return back(bench, CHANCE.choice(away)) if away else queued(bench, n)
        case 13 if board.agents[agent].work:
            work = next(iter(board.agents[agent].work.values()))
            return world.work_ended(agent, work.contact)
        case 14:
            return world.abandoned(one)
        case 15:
            return [overflow_from_elsewhere(bench, n)]
        case 16 | 17:
            free = [a.id for a in board.agents.values() if not refusal(a, "chat")]
            return [world.order(supervision(one, free[0] if free else agent, n, id))]
        case 18 if CHANCE.random() < 0.4:
            return world.agent(agent, agent_checked_out=agent_pb.AgentCheckedOut(agent=agent, pool="p1"))
        case _:
            busy = [(a.id, w.contact) for a in board.agents.values() for w in a.work.values()]
            return world.work_ended(*busy[0]) if busy else queued(bench, n)


def answered(bench: Bench, board: Any, id: str) -> list[Arrived]:
    offer_id, contact = CHANCE.choice(sorted(board.offers.items()))
    agent = board.contacts[contact].rings[offer_id].agent
    if CHANCE.random() < 0.25:
        return [bench.world.order(DeclineOffer(offer_id, agent, id, reason="busy"))]
    if CHANCE.random() < 0.1:
        return [bench.world.order(AcceptOffer(offer_id, "somebody", id))]
    return [bench.world.order(AcceptOffer(offer_id, agent, id)), *bench.world.connected(contact, agent)]


def back(bench: Bench, agent: str) -> list[Arrived]:
    checked_in = agent_pb.AgentCheckedIn(agent=agent, pool="p1")
    return [*bench.world.agent(agent, agent_checked_in=checked_in), *bench.world.ready(agent)]


def newcomer(bench: Bench, agent: str) -> list[Arrived]:
    """Whom no policy would choose: without any skill."""
    return bench.world.joined(agent)


def pull(bench: Bench, contact: str, agent: str, id: str) -> Arrived:
    return bench.world.order(PullContact(contact, agent, id, reason="pull", teams=("team1", "gold")))


def queued(bench: Bench, n: int, queue: str = "") -> list[Arrived]:
    attributes = [Attribute(key="team", value=CHANCE.choice(TEAMS))]
    options: dict[str, Any] = {"priority": CHANCE.randrange(3), "attributes": attributes}
    if CHANCE.random() < 0.3:
        options["preferred_agent"] = CHANCE.choice(AGENTS)
    if CHANCE.random() < 0.4:
        options["skills"] = (("zh", 1),)
    if queue:
        return bench.world.queued(f"c{n}", queue=queue, **options)
    if CHANCE.random() < 0.1:
        return bench.world.queued(f"far{n // 2}", leg=2, queue=CHANCE.choice(QUEUES), **options)
    return bench.world.queued(f"c{n}", queue=CHANCE.choice(QUEUES), **options)


def overflow_from_elsewhere(bench: Bench, n: int) -> Arrived:
    heard = OverflowObserved("t1/pool-p2", n + 1, f"far{n // 2}", "their-queue", "vip", 0)
    return Arrived(POOL, heard, Cause(derived("far", str(n)), "", "routing"), 0)


def supervision(contact: str, agent: str, n: int, id: str) -> Any:
    teams = CHANCE.choice([None, None, ("gold",), ("nobody",)])
    queue = CHANCE.choice(QUEUES)
    orders: list[Any] = [
        MoveContact(contact, queue, "p1", id, reason="move", teams=teams),
        MoveContact(contact, "far", "p2", id, reason="far", teams=teams),
        PullContact(contact, agent, id, reason="pull", teams=teams),
        RaisePriority(contact, n % 7, 1_000 * n, id, reason="raise", teams=teams),
        RequestCallback(contact, id, reason="call", teams=teams),
        SetQueueOpen(queue, CHANCE.random() < 0.7, id, reason="switch", teams=teams),
        ChoosePolicy(CHANCE.choice(["longest-idle@1", "least-cost@1", "none@9"]), id, queue=queue, teams=teams),
        ChoosePolicy("best-skill@1", id, parameters=(("ageing_ms_per_priority", "9000"),), reason="pool"),
        RemoveQueue(CHANCE.choice(["old", "in"]), "", id, reason="old", teams=None),
        DefineHours(HOURS, id, removed=True),
        DefineWorkflow(replace(FLOW, targets=FLOW.targets[1:]), id),
        DefineWorkflow(Workflow("bad", (Target("", expression="nonsense"),)), id),
    ]
    return orders[n % len(orders)]


if __name__ == "__main__":
    asyncio.run(main())
