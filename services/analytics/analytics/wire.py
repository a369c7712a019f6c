"""Protobuf facts into folds, counts into published rows: the only place besides rpc/ that knows the contracts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from google.protobuf.message import DecodeError
from google.protobuf.timestamp_pb2 import Timestamp

from contactcenter.agent.v1 import events_pb2 as agent_pb
from contactcenter.analytics.v1 import rows_pb2 as rows
from contactcenter.contact.v1 import types_pb2 as types
from contactcenter.routing.v1 import config_pb2 as config_pb
from contactcenter.routing.v1 import events_pb2 as routing_pb
from switchlog.envelope import timestamp
from switchlog.errors import Poison
from switchlog.outlet import Record

from .app.histograms import encoded
from .app.publishing import Standing
from .domain import board as boards
from .domain import floor, levels
from .domain.board import At, Board, Queue
from .domain.formulas import FORMULAS, level, thresholds_of
from .domain.formulas import OUTCOMES as OUTCOME_WORDS
from .domain.levels import CellKey

ROUTING = "routing.events.v1"
LEVELS = "analytics.service-levels.v1"
FEEDS, ALERTS = "external.events.v1", "analytics.alerts.v1"


def _words(enum: Any, prefix: str) -> dict[int, str]:
    return {number: name.removeprefix(prefix).lower() for name, number in enum.items()}


CHANNELS = _words(types.Channel, "CHANNEL_")
CHANNEL_NUMBERS = {word: number for number, word in CHANNELS.items()}
OUTCOMES = _words(routing_pb.DequeueOutcome, "DEQUEUE_OUTCOME_")
STATES = _words(agent_pb.AgentState, "AGENT_STATE_")
STEPS = _words(rows.Step, "STEP_")
STEP_NUMBERS = {word: number for number, word in STEPS.items()}
ATTRIBUTIONS = _words(rows.Attribution, "ATTRIBUTION_")
COHORT = rows.ATTRIBUTION_COHORT


def milliseconds(at: Timestamp) -> int:
    """Epoch milliseconds."""
    return at.seconds * 1000 + at.nanos // 1_000_000


# --- routing facts: message -> fold ----------------------------------------------------------------------------------


def read_routing(value: bytes | None) -> routing_pb.RoutingEvent:
    """The value as an event; raises ``Poison("UNDECODABLE")``."""
    try:
        return routing_pb.RoutingEvent.FromString(value or b"")
    except DecodeError as error:
        raise Poison("UNDECODABLE", str(error)) from error


def at_of(event: routing_pb.RoutingEvent, offset: int) -> At:
    meta = event.meta
    return At(meta.tenant_id, meta.stream.removeprefix("pool-"), offset, milliseconds(meta.recorded_at))


def cell_needed(event: routing_pb.RoutingEvent) -> CellKey | None:
    """The cell that must be in memory before the fact is folded; those in which somebody waits always are."""
    kind = event.WhichOneof("fact")
    if kind in ("contact_waiting", "contact_dequeued"):
        fact = getattr(event, kind)
        return event.meta.tenant_id, fact.queue, levels.quarter(milliseconds(fact.queued_at))
    if kind == "timer_elapsed" and event.timer_elapsed.kind == routing_pb.TIMER_KIND_FINALITY:
        elapsed = event.timer_elapsed
        return event.meta.tenant_id, elapsed.queue, milliseconds(elapsed.interval_end) - levels.QUARTER_MS
    return None


def fold(board: Board, event: routing_pb.RoutingEvent, offset: int) -> None:
    """Change ``board`` by what happened; a fact that is not counted moves only its pool's clock."""
    at, kind = at_of(event, offset), event.WhichOneof("fact") or ""
    board.tick(at)
    if kind in _ROUTING:
        _ROUTING[kind](board, at, getattr(event, kind))


def _defined(board: Board, at: At, fact: routing_pb.QueueDefined) -> None:
    board.define(at, _queue(at, fact.definition, fact.removed))


def _queue(at: At, said: config_pb.QueueDefinition, removed: bool = False) -> Queue:
    return Queue(
        said.queue,
        at.pool,
        said.name,
        threshold_s=said.service_level_threshold_ms // 1000 or 20,
        thresholds_s=list(said.thresholds_s),
        short_abandon_ms=said.short_abandon_ms,
        required={skill.skill: skill.min_level for skill in said.required_skills},
        removed=removed,
    )


def _carried(board: Board, at: At, fact: routing_pb.PoolCarried) -> None:
    """Whoever begins to read in the middle of a pool's life learns its queues and agents from what a day carries."""
    for said in fact.queues:
        if not board.queue(at, said.queue).defined_at:
            board.define(at, _queue(at, said))
    arrived = {one.agent for one in fact.agents if _carried_agent(board, at, one)}
    for work in fact.contacts:
        if work.agent in arrived and work.state in _HELD and (agent := board.agent(at, work.agent)):
            leg, wrap_up = (
                levels.leg_key(work.contact, work.leg),
                work.state == routing_pb.CARRIED_CONTACT_STATE_WRAP_UP,
            )
            floor.work_on(agent, leg, wrap_up)


def _carried_agent(board: Board, at: At, one: routing_pb.CarriedAgent) -> bool:
    agent = board.agent(at, one.agent)
    if agent is None or agent.here:
        return False
    standing = one.standing
    activity = STATES.get(standing.state, "")
    floor.join(agent, one.team, _skills(standing.skills), list(standing.queues), activity, standing.takes_offers)
    return True


_HELD = (
    routing_pb.CARRIED_CONTACT_STATE_ASSIGNED,
    routing_pb.CARRIED_CONTACT_STATE_CONNECTED,
    routing_pb.CARRIED_CONTACT_STATE_WRAP_UP,
)


def _waiting(board: Board, at: At, fact: routing_pb.ContactWaiting) -> None:
    channel, queued_at = CHANNELS.get(fact.channel, "unspecified"), milliseconds(fact.queued_at)
    boards.waiting(board, at, fact.contact, fact.leg, fact.queue, channel, queued_at)


def _dequeued(board: Board, at: At, fact: routing_pb.ContactDequeued) -> None:
    outcome, channel = OUTCOMES.get(fact.outcome, "failed"), CHANNELS.get(fact.channel, "unspecified")
    queued_at, accepted_ms = milliseconds(fact.queued_at), -1
    if outcome == "answered" and fact.HasField("accepted_at"):
        accepted_ms = max(0, milliseconds(fact.accepted_at) - queued_at)
    waited_ms = max(0, milliseconds(fact.left_at) - queued_at)
    boards.dequeued(board, at, fact.contact, fact.leg, fact.queue, channel, queued_at, outcome, waited_ms, accepted_ms)


def _offered(board: Board, at: At, fact: routing_pb.ContactOffered) -> None:
    boards.offered(board, at, fact.contact, fact.leg, fact.agent, fact.offer_id)


def _ended(how: str) -> Callable[[Board, At, Any], None]:
    def ended(board: Board, at: At, fact: Any) -> None:
        boards.offer_ended(board, at, fact.contact, fact.leg, fact.agent, fact.offer_id, how)

    return ended


def _assigned(board: Board, at: At, fact: routing_pb.ContactAssigned) -> None:
    boards.assigned(board, at, fact.contact, fact.leg, fact.agent, fact.offer_id)


def _released(board: Board, at: At, fact: routing_pb.AgentReleased) -> None:
    if agent := board.agent(at, fact.agent):
        floor.leave(agent)


def _elapsed(board: Board, at: At, fact: routing_pb.TimerElapsed) -> None:
    if fact.kind == routing_pb.TIMER_KIND_FINALITY:
        boards.verdicts_final(board, at, fact.queue, milliseconds(fact.interval_end), fact.threshold_ms)


def _day(board: Board, at: At, fact: routing_pb.PoolDayStarted) -> None:
    board.pools[at.tenant, at.pool].time_zone = fact.time_zone


def _observed(board: Board, at: At, fact: routing_pb.AgentObserved) -> None:
    kind = fact.fact.WhichOneof("fact") or ""
    if kind in _AGENTS:
        said = getattr(fact.fact, kind)
        if agent := board.agent(at, said.agent):
            _AGENTS[kind](agent, said)


_ROUTING: Mapping[str, Callable[[Board, At, Any], None]] = {
    "queue_defined": _defined,
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


# --- service levels: counts -> published row -------------------------------------------------------------------------


def level_record(standing: Standing) -> Record:
    """The record of ``standing`` on ``analytics.service-levels.v1``."""
    tenant, queue, start = standing.key
    row = _level_row(standing)
    key = f"{tenant}/{queue}/{standing.channel}/15m/cohort/{timestamp(start)}"
    headers = (
        ("ce_dataschema", row.DESCRIPTOR.full_name.encode()),
        ("ce_source", b"/switchlog/analytics"),
        ("content-type", b"application/protobuf"),
    )
    return Record(key.encode(), row.SerializeToString(deterministic=True), headers)


def _level_row(standing: Standing) -> rows.ServiceLevelRow:
    (tenant, queue, start), tally = standing.key, standing.tally
    found = level(tally, standing.waited_ms, standing.queue.threshold_s)
    row = rows.ServiceLevelRow(
        tenant_id=tenant,
        queue=queue,
        channel=CHANNEL_NUMBERS.get(standing.channel, 0),  # type: ignore[arg-type]  # an enum's number
        step=rows.STEP_15M,
        attribution=rows.ATTRIBUTION_COHORT,
        start=stamp(start),
        end=stamp(start + levels.QUARTER_MS),
        revision=standing.revision,
        verdicts_final=standing.final_ms >= 0,
        final=standing.final,
        target_threshold_s=standing.queue.threshold_s,
        short_abandon_s=standing.queue.short_abandon_ms // 1000,
        thresholds=[_threshold(standing, seconds) for seconds in thresholds_of(standing.queue)],
        longest_wait_ms=tally.longest_ms,
        formulas=sorted(FORMULAS),
        written_at=stamp(standing.now),
        pool=standing.pool,
        wait_answered_histogram=encoded([tally.buckets.get("answered", {})]),
        wait_abandoned_histogram=encoded([tally.buckets.get(word, {}) for word in ("abandoned", "short_abandoned")]),
        wait_histogram=encoded([tally.buckets.get(word, {}) for word in OUTCOME_WORDS]),
    )
    for name in _SUMS:
        setattr(row, name, getattr(found, name))
    for name, what in _OFFERS.items():
        setattr(row, name, tally.offers.get(what, 0))
    return row


_SUMS = (
    "offered", "answered", "abandoned", "short_abandoned", "flowed_out", "callback", "timed_out", "blocked", "failed",
    "waiting", "wait_answered_ms", "wait_accepted_ms", "wait_abandoned_ms", "wait_other_ms",
)  # fmt: skip
_OFFERS = {
    "offers": "made",
    "offers_accepted": "accepted",
    "offers_declined": "declined",
    "offers_expired": "expired",
    "offers_withdrawn": "withdrawn",
}


def _threshold(standing: Standing, seconds: int) -> rows.ThresholdCount:
    found = level(standing.tally, standing.waited_ms, seconds)
    return rows.ThresholdCount(
        threshold_s=seconds,
        answered_in=found.answered_in,
        abandoned_in=found.abandoned_in,
        callback_in=found.callback_in,
        removed_in=found.removed_in,
        waiting_over=found.waiting_over,
        verdicts_final=standing.final or seconds * 1000 <= standing.final_ms,
        answered_accept_in=found.accepted_in,
    )


def stamp(at: int) -> Timestamp:
    made = Timestamp()
    made.FromMilliseconds(at)
    return made
