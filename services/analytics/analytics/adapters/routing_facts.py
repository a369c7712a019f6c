"""Facts of pools (``routing.events.v1``) into folds of their board."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from google.protobuf.message import DecodeError

from contactcenter.agent.v1 import events_pb2 as agent_pb
from contactcenter.routing.v1 import config_pb2 as config_pb
from contactcenter.routing.v1 import events_pb2 as pb
from switchlog.errors import Poison

from ..app.ports import Read
from ..domain import board as boards
from ..domain import floor, levels
from ..domain.board import At, Board, Queue
from ..domain.levels import COHORT, EVENT, QUARTER_MS, CellKey, Waiting
from ..domain.targets import TimedTarget, minutes
from ..wire import CHANNELS, OUTCOMES, STATES, happened_at, milliseconds

TOPIC = "routing.events.v1"
QUARTER_S = QUARTER_MS // 1000

Handler = Callable[[Board, At, Any], None]


def read(value: bytes | None) -> pb.RoutingEvent:
    """The value as an event; raises ``Poison("UNDECODABLE")``."""
    try:
        return pb.RoutingEvent.FromString(value or b"")
    except DecodeError as error:
        raise Poison("UNDECODABLE", str(error)) from error


def needed(found: Iterable[Read]) -> set[CellKey]:
    """The cells that must be in memory before the facts are folded; those in which somebody waits always are."""
    cohorts: set[_Quarter] = set()
    events: set[_Quarter] = set()
    for event, kind, key, _ in found:
        if kind == "contact_waiting":
            fact = event.contact_waiting
            place = (key, fact.queue, fact.queued_at.seconds // QUARTER_S)
            cohorts.add(place)
            events.add(place)
        elif kind == "contact_dequeued":
            fact = event.contact_dequeued
            queue = fact.queue
            cohorts.add((key, queue, fact.queued_at.seconds // QUARTER_S))
            events.add((key, queue, fact.left_at.seconds // QUARTER_S))
        elif kind == "contact_offered":
            events.add((key, event.contact_offered.queue, happened_at(event.meta) // QUARTER_MS))
        elif kind == "timer_elapsed" and event.timer_elapsed.kind == pb.TIMER_KIND_FINALITY:
            fact = event.timer_elapsed
            cohorts.add((key, fact.queue, fact.interval_end.seconds // QUARTER_S - 1))
    return {*_cells(cohorts, COHORT), *_cells(events, EVENT)}


_Quarter = tuple[str, str, int]
"""(stream key, queue, number of a quarter hour): cheap to make, and few are left of a batch."""


def _cells(quarters: Iterable[_Quarter], attribution: str) -> Iterator[CellKey]:
    for key, queue, number in quarters:
        yield key[: key.index("/")], queue, number * QUARTER_MS, attribution


def fold(board: Board, found: Iterable[Read]) -> None:
    """Change ``board`` by what happened; a fact that is not counted moves only its pool's clock."""
    last: dict[str, Read] = {}
    places: dict[str, At] = {}
    facts = _FACTS
    for one in found:
        event, kind, key, offset = one
        last[key] = one
        handler = facts.get(kind)
        if handler is None:
            continue
        at = places.get(key)
        if at is None:
            at = places[key] = _place(key)
        at.offset = offset
        if kind in _TIMED:
            at.recorded_at, at.occurred_at = milliseconds(event.meta.recorded_at), happened_at(event.meta)
        handler(board, at, getattr(event, kind))
    for event, _, key, offset in last.values():
        at = _place(key)
        at.offset, at.recorded_at = offset, milliseconds(event.meta.recorded_at)
        board.tick(at)


def _place(key: str) -> At:
    tenant, _, stream = key.partition("/")
    return At(tenant, stream.removeprefix("pool-"))


def _defined(board: Board, at: At, fact: pb.QueueDefined) -> None:
    board.define(at, _queue(at, fact.definition, fact.removed))


def _hours(board: Board, at: At, fact: pb.HoursDefined) -> None:
    board.tick(at)
    board.pools[at.tenant, at.pool].zones[fact.definition.hours] = fact.definition.time_zone


def _queue(at: At, said: config_pb.QueueDefinition, removed: bool = False) -> Queue:
    return Queue(
        said.queue,
        at.pool,
        said.name,
        threshold_s=said.service_level_threshold_ms // 1000 or 20,
        thresholds_s=list(said.thresholds_s),
        short_abandon_ms=said.short_abandon_ms,
        required={skill.skill: skill.min_level for skill in said.required_skills},
        share=said.service_level_target,
        targets=[_timed(one) for one in said.interval_targets],
        hours=said.hours,
        removed=removed,
    )


def _timed(said: config_pb.IntervalTarget) -> TimedTarget:
    return TimedTarget(
        minutes(said.from_time),
        minutes(said.to_time),
        said.service_level_threshold_ms // 1000,
        said.service_level_target,
        list(said.days),
    )


def _carried(board: Board, at: At, fact: pb.PoolCarried) -> None:
    """Whoever begins to read in the middle of a pool's life learns its queues and agents from what a day carries."""
    for said in fact.queues:
        if not board.queue(at, said.queue).defined_at:
            board.define(at, _queue(at, said))
    if fact.hours:
        board.tick(at)
        board.pools[at.tenant, at.pool].zones |= {one.hours: one.time_zone for one in fact.hours}
    arrived = {one.agent for one in fact.agents if _carried_agent(board, at, one)}
    for work in fact.contacts:
        if work.agent in arrived and work.state in _HELD and (agent := board.agent(at, work.agent)):
            wrap_up = work.state == pb.CARRIED_CONTACT_STATE_WRAP_UP
            floor.work_on(agent, levels.leg_key(work.contact, work.leg), wrap_up)


def _carried_agent(board: Board, at: At, one: pb.CarriedAgent) -> bool:
    agent = board.agent(at, one.agent)
    if agent is None or agent.here:
        return False
    standing = one.standing
    activity = STATES.get(standing.state, "")
    floor.join(agent, one.team, _skills(standing.skills), list(standing.queues), activity, standing.takes_offers)
    return True


_HELD = (
    pb.CARRIED_CONTACT_STATE_ASSIGNED,
    pb.CARRIED_CONTACT_STATE_CONNECTED,
    pb.CARRIED_CONTACT_STATE_WRAP_UP,
)


def _waiting(board: Board, at: At, fact: pb.ContactWaiting) -> None:
    queued_at = milliseconds(fact.queued_at)
    arrived_at = milliseconds(fact.arrived_at) if fact.HasField("arrived_at") else queued_at
    channel = CHANNELS.get(fact.channel, "unspecified")
    said = Waiting(channel, queued_at, arrived_at, fact.estimated_wait_p50_ms, fact.estimated_wait_p90_ms)
    boards.waiting(board, at, fact.contact, fact.leg, fact.queue, said)


def _dequeued(board: Board, at: At, fact: pb.ContactDequeued) -> None:
    outcome, channel = OUTCOMES.get(fact.outcome, "failed"), CHANNELS.get(fact.channel, "unspecified")
    queued_at, left_at, accepted_ms = milliseconds(fact.queued_at), milliseconds(fact.left_at), -1
    key = f"{channel}//"
    if outcome == "answered":
        key = levels.group(channel, fact.agent, fact.team)
        if fact.HasField("accepted_at"):
            accepted_ms = max(0, milliseconds(fact.accepted_at) - queued_at)
    boards.dequeued(board, at, fact.contact, fact.leg, fact.queue, key, queued_at, left_at, outcome, accepted_ms)


def _offered(board: Board, at: At, fact: pb.ContactOffered) -> None:
    channel = CHANNELS.get(fact.channel, "unspecified")
    boards.offered(board, at, fact.contact, fact.leg, fact.queue, channel, fact.agent, fact.team, fact.offer_id)


def _ended(how: str) -> Handler:
    return lambda board, at, fact: boards.offer_ended(board, at, fact.agent, fact.offer_id, how)


def _assigned(board: Board, at: At, fact: pb.ContactAssigned) -> None:
    boards.assigned(board, at, fact.contact, fact.leg, fact.agent, fact.offer_id)


def _released(board: Board, at: At, fact: pb.AgentReleased) -> None:
    if agent := board.agent(at, fact.agent):
        floor.leave(agent)


def _elapsed(board: Board, at: At, fact: pb.TimerElapsed) -> None:
    if fact.kind == pb.TIMER_KIND_FINALITY:
        boards.verdicts_final(board, at, fact.queue, milliseconds(fact.interval_end), fact.threshold_ms)


def _day(board: Board, at: At, fact: pb.PoolDayStarted) -> None:
    board.tick(at)
    board.pools[at.tenant, at.pool].time_zone = fact.time_zone


def _observed(board: Board, at: At, fact: pb.AgentObserved) -> None:
    event = fact.fact
    kind = event.WhichOneof("fact") or ""
    handler = _AGENTS.get(kind)
    if handler is not None:
        said = getattr(event, kind)
        if agent := board.agent(at, said.agent):
            handler(agent, said)
    if kind in _WORK:
        _WORK[kind](board, at, event)


_FACTS: Mapping[str, Handler] = {
    "queue_defined": _defined,
    "hours_defined": _hours,
    "contact_waiting": _waiting,
    "contact_dequeued": _dequeued,
    "contact_offered": _offered,
    "offer_accepted": _ended("accepted"),
    "offer_declined": _ended("declined"),
    "offer_expired": _ended("expired"),
    "offer_withdrawn": _ended("withdrawn"),
    "contact_assigned": _assigned,
    "agent_released": _released,
    "agent_observed": _observed,
    "timer_elapsed": _elapsed,
    "pool_day_started": _day,
    "pool_carried": _carried,
}


_TIMED = frozenset({"queue_defined", "hours_defined", "contact_offered", "pool_day_started", "pool_carried"})
"""Facts for which it matters when they were recorded or happened."""
IGNORED = frozenset(
    field.message_type.full_name.encode()
    for field in pb.RoutingEvent.DESCRIPTOR.oneofs_by_name["fact"].fields
    if field.name not in _FACTS and field.message_type is not None
)
"""The types of facts that count nowhere."""


# --- agents' facts as a pool saw them --------------------------------------------------------------------------------


def _joined(agent: floor.Agent, fact: agent_pb.JoinedPool) -> None:
    standing = fact.standing
    activity = STATES.get(standing.state, "")
    floor.join(agent, fact.team, _skills(standing.skills), list(standing.queues), activity, standing.takes_offers)


def _registered(agent: floor.Agent, fact: agent_pb.AgentRegistered) -> None:
    agent.queues = list(fact.queues)


def _skilled(agent: floor.Agent, fact: agent_pb.SkillsAssigned) -> None:
    agent.skills = _skills(fact.skills)


def _teamed(agent: floor.Agent, fact: agent_pb.TeamAssigned) -> None:
    agent.team = fact.team


def _skills(skills: Iterable[agent_pb.Skill]) -> dict[str, int]:
    return {skill.skill: skill.level for skill in skills}


def _work_ended(agent: floor.Agent, fact: agent_pb.WorkEnded) -> None:
    leg = levels.leg_key(fact.contact, fact.leg)
    if fact.wrap_up_follows:
        floor.work_on(agent, leg, wrap_up=True)
    else:
        floor.done_with(agent, leg)


_AGENTS: Mapping[str, Callable[[floor.Agent, Any], None]] = {
    "joined_pool": _joined,
    "agent_registered": _registered,
    "skills_assigned": _skilled,
    "team_assigned": _teamed,
    "agent_signed_in": lambda agent, fact: floor.be_present(agent, floor.IN),
    "agent_checked_in": lambda agent, fact: floor.be_present(agent, floor.CHECKED_IN),
    "agent_checked_out": lambda agent, fact: floor.be_present(agent, floor.IN),
    "agent_signed_out": lambda agent, fact: floor.be_present(agent, floor.OUT),
    "agent_ready": lambda agent, fact: floor.be_ready(agent, True),
    "agent_not_ready": lambda agent, fact: floor.be_ready(agent, False, fact.reason),
    "work_started": lambda agent, fact: floor.work_on(agent, levels.leg_key(fact.contact, fact.leg)),
    "work_ended": _work_ended,
    "wrap_up_started": lambda agent, fact: floor.work_on(agent, levels.leg_key(fact.contact, fact.leg), wrap_up=True),
    "wrap_up_ended": lambda agent, fact: floor.done_with(agent, levels.leg_key(fact.contact, fact.leg)),
}


def _wrap_up(board: Board, at: At, event: agent_pb.AgentEvent) -> None:
    fact = event.wrap_up_started
    leg = levels.leg_key(fact.contact, fact.leg)
    boards.wrap_up_started(board, at, fact.agent, leg, happened_at(event.meta))


def _wrapped_up(board: Board, at: At, event: agent_pb.AgentEvent) -> None:
    fact = event.wrap_up_ended
    boards.work_ended(board, at, fact.agent, levels.leg_key(fact.contact, fact.leg), happened_at(event.meta))


def _worked(board: Board, at: At, event: agent_pb.AgentEvent) -> None:
    fact = event.work_ended
    if not fact.wrap_up_follows:
        boards.work_ended(board, at, fact.agent, levels.leg_key(fact.contact, fact.leg), happened_at(event.meta))


_WORK: Mapping[str, Callable[[Board, At, agent_pb.AgentEvent], None]] = {
    "wrap_up_started": _wrap_up,
    "wrap_up_ended": _wrapped_up,
    "work_ended": _worked,
}
