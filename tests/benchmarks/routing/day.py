"""``python -m benchmarks.routing.day CONTACTS FILE``: a day on paper as a pool stores it, then decided again, as JSON.

The day has 24 hours, ten queues with a skill each, and as many agents as its load wants. FILE gets every fact in the
bytes of the pool's stream, each with its length and when it was recorded; replaying reads them from there.
"""

from __future__ import annotations

import json
import struct
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from heapq import merge
from pathlib import Path
from typing import IO, Any

import psutil

from contactcenter.agent.v1 import events_pb2 as agent_pb
from contactcenter.contact.v1 import events_pb2 as contact_pb
from contactcenter.contact.v1.types_pb2 import CHANNEL_VOICE
from routing import wire
from routing.app.paper.chance import Stream, drawn
from routing.app.paper.engine import Engine, Told
from routing.app.paper.world import Arrival, Cue, Shift, in_order, presence
from routing.domain import observed as seen
from routing.domain.commands import DefineQueue
from routing.domain.events import AgentObserved, ContactObserved, Event, Queue
from routing.domain.observed import Capacity
from routing.domain.replay import Recorded, replay
from routing.domain.state import Board

QUEUES, SKILLS_EACH, HOURS, TALK_S, PATIENCE_S = 10, 2, 24.0, 240, 120
START = 1_767_571_200_000  # 2026-01-05T00:00:00Z
LENGTH = struct.Struct("<IQ")
CALLS = Capacity((("voice", 1),))


def day(contacts: int) -> tuple[Board, Iterator[Arrival], Iterator[Cue], int]:
    """An empty board, who comes, who is there, and how many are there."""
    per_queue = contacts / HOURS / QUEUES
    agents = round(per_queue * QUEUES / 3600 * TALK_S * 1.02) + 5
    talk, patience = drawn(f"exp:{TALK_S}"), drawn(f"exp:{PATIENCE_S}")
    named = [(f"q{n}", f"c{n}-") for n in range(QUEUES)]
    streams = [Stream(per_queue / 3_600_000, talk, HOURS, queue, patience=patience, name=name) for queue, name in named]
    arrivals = merge(*(stream.arrivals(1, START) for stream in streams), key=lambda arrival: arrival.at)
    shifts = [Shift(f"a{n:05d}", START, None, CALLS, skills=_skills(n)) for n in range(agents)]
    queues = [Queue(f"q{n}", required_skills=((f"s{n}", 1 + n % 2),), auto_accept=True) for n in range(QUEUES)]
    orders = [(START, DefineQueue(queue, f"define-{queue.id}")) for queue in queues]
    return Board("t1", "p1"), arrivals, in_order(orders, presence(shifts, "p1")), agents


def _skills(n: int) -> seen.Skills:
    return tuple(sorted((f"s{(n * SKILLS_EACH + k) % QUEUES}", 2 + n % 2) for k in range(SKILLS_EACH)))


def write(told: Iterable[Told], file: IO[bytes]) -> int:
    """The facts in the bytes of the pool's stream; how many."""
    count = 0
    for turn in told:
        for event in turn.events:
            value = wire.CODEC.write(_with_raw(event)).SerializeToString()
            file.write(LENGTH.pack(len(value), turn.at) + value)
            count += 1
    return count


def read(file: IO[bytes]) -> Iterator[Recorded]:
    while head := file.read(LENGTH.size):
        size, at = LENGTH.unpack(head)
        event = wire.CODEC.read(wire.CODEC.parse(file.read(size)))
        assert event is not None
        yield event, at


def main(contacts: int, path: Path) -> dict[str, Any]:
    board, arrivals, cues, agents = day(contacts)
    engine = Engine(board, now=START)
    with path.open("wb") as file:
        began = time.process_time()
        events = write(engine.run(arrivals, cues), file)
        written = time.process_time() - began
    with path.open("rb") as file:
        began, wall = time.process_time(), time.perf_counter()
        divergence = replay(read(file), Board("t1", "p1"))
        replayed, wall = time.process_time() - began, time.perf_counter() - wall
    with path.open("rb") as file:
        began = time.process_time()
        for _ in read(file):
            pass
        reading = time.process_time() - began
    return {
        "identical": divergence is None,
        "divergence": repr(divergence)[:2000],
        "events": events,
        "agents": agents,
        "simulated_and_written_s": written,
        "replayed_s": replayed,
        "replayed_wall_s": wall,
        "reading_alone_s": reading,
        "file_mb": path.stat().st_size / 2**20,
        "memory_mb": psutil.Process().memory_info().rss / 2**20,
    }


# -- facts as their services publish them ------------------------------------------------------------------------------


def _with_raw(event: Event) -> Event:
    match event:
        case ContactObserved(source, version, fact):
            return replace(event, raw=_contact(source, version, fact).SerializeToString())
        case AgentObserved(source, version, fact):
            return replace(event, raw=_agent(source, version, fact).SerializeToString())
        case _:
            return event


def _contact(source: str, version: int, fact: seen.ContactFact) -> contact_pb.ContactEvent:
    message = contact_pb.ContactEvent()
    message.meta.stream, message.meta.version = source.partition("/")[2], version
    match fact:
        case seen.ContactQueued():
            message.meta.occurred_at.FromMilliseconds(fact.queued_at)
            queued = contact_pb.ContactQueued(leg=fact.leg, queue=fact.queue, pool=fact.pool, channel=CHANNEL_VOICE)
            message.contact_queued.CopyFrom(queued)
            message.contact_queued.arrived_at.FromMilliseconds(fact.arrived_at)
        case seen.AgentConnected(leg=leg, agent=agent, at=at):
            message.meta.occurred_at.FromMilliseconds(at)
            message.agent_connected.leg, message.agent_connected.agent = leg, agent
        case seen.ContactAbandoned(at=at):
            message.meta.occurred_at.FromMilliseconds(at)
            message.contact_abandoned.SetInParent()
        case _:
            raise ValueError(f"no such fact in this day: {fact}")
    return message


def _agent(source: str, version: int, fact: seen.AgentFact) -> agent_pb.AgentEvent:
    message = agent_pb.AgentEvent()
    message.meta.stream, message.meta.version = source.partition("/")[2], version
    match fact:
        case seen.JoinedPool(agent, pool):
            message.joined_pool.agent, message.joined_pool.pool = agent, pool
            standing = message.joined_pool.standing
            standing.state = agent_pb.AGENT_STATE_SIGNED_IN
            standing.skills.extend(agent_pb.Skill(skill=skill, level=level) for skill, level in fact.skills)
            standing.capacities.add(channel=CHANNEL_VOICE, slots=1)
        case seen.AgentCheckedIn(agent):
            message.agent_checked_in.agent = agent
        case seen.AgentReady(agent):
            message.agent_ready.agent = agent
        case seen.WorkEnded(agent, contact, leg):
            message.work_ended.agent, message.work_ended.contact, message.work_ended.leg = agent, contact, leg
        case _:
            raise ValueError(f"no such fact in this day: {fact}")
    return message


if __name__ == "__main__":
    print(json.dumps(main(int(sys.argv[1]), Path(sys.argv[2]))))
