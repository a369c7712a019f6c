"""Words of the contracts, and counts into published rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from google.protobuf.timestamp_pb2 import Timestamp

from contactcenter.agent.v1 import events_pb2 as agent_pb
from contactcenter.analytics.v1 import rows_pb2 as rows
from contactcenter.bus.v1.envelope_pb2 import EventMeta
from contactcenter.contact.v1 import events_pb2 as contact_pb
from contactcenter.contact.v1 import types_pb2 as types
from contactcenter.routing.v1 import events_pb2 as routing_pb
from switchlog.envelope import timestamp
from switchlog.outlet import Record

from .app.agent_time import Shift
from .app.histograms import encoded
from .app.publishing import Standing
from .domain import levels
from .domain.counters import Span
from .domain.formulas import OF_ROWS, level, thresholds_of
from .domain.formulas import OUTCOMES as OUTCOME_WORDS
from .domain.level import within

ROUTING = "routing.events.v1"
LEVELS = "analytics.service-levels.v1"
AGENT_TIME = "analytics.agent-time.v1"
FEEDS, ALERTS = "external.events.v1", "analytics.alerts.v1"


def _words(enum: Any, prefix: str) -> dict[int, str]:
    return {number: name.removeprefix(prefix).lower() for name, number in enum.items()}


CHANNELS = _words(types.Channel, "CHANNEL_")
CHANNEL_NUMBERS = {word: number for number, word in CHANNELS.items()}
OUTCOMES = _words(routing_pb.DequeueOutcome, "DEQUEUE_OUTCOME_")
STATES = _words(agent_pb.AgentState, "AGENT_STATE_")
STATE_NUMBERS = {word: number for number, word in STATES.items()}
MODES = _words(agent_pb.AgentMode, "AGENT_MODE_")
MODE_NUMBERS = {word: number for number, word in MODES.items()}
END_REASONS = _words(contact_pb.EndReason, "END_REASON_")
STEPS = _words(rows.Step, "STEP_")
STEP_NUMBERS = {word: number for number, word in STEPS.items()}
ATTRIBUTIONS = _words(rows.Attribution, "ATTRIBUTION_")
ATTRIBUTION_NUMBERS = {word: number for number, word in ATTRIBUTIONS.items()}
COHORT = rows.ATTRIBUTION_COHORT


def milliseconds(at: Timestamp) -> int:
    """Epoch milliseconds."""
    return at.seconds * 1000 + at.nanos // 1_000_000


def happened_at(meta: EventMeta) -> int:
    """When a fact happened, by the clock of whoever saw it; when it was recorded, where that is not told."""
    return milliseconds(meta.occurred_at if meta.HasField("occurred_at") else meta.recorded_at)


def stamp(at: int) -> Timestamp:
    """Of epoch milliseconds."""
    made = Timestamp()
    made.FromMilliseconds(at)
    return made


# --- service levels: counts -> published row -------------------------------------------------------------------------


def level_record(standing: Standing) -> Record:
    """The record of ``standing`` on ``analytics.service-levels.v1``."""
    tenant, queue, start, attribution = standing.key
    row = _level_row(standing)
    key = f"{tenant}/{queue}/{standing.channel}/15m/{attribution}/{timestamp(start)}"
    return _record(key, row)


def _record(key: str, row: rows.ServiceLevelRow | rows.AgentTimeRow) -> Record:
    headers = (
        ("ce_dataschema", row.DESCRIPTOR.full_name.encode()),
        ("ce_source", b"/switchlog/analytics"),
        ("content-type", b"application/protobuf"),
    )
    return Record(key.encode(), row.SerializeToString(deterministic=True), headers)


def _level_row(standing: Standing) -> rows.ServiceLevelRow:
    (tenant, queue, start, attribution), tally = standing.key, standing.tally
    found = level(tally, standing.waited_ms, standing.queue.threshold_s)
    row = rows.ServiceLevelRow(
        tenant_id=tenant,
        queue=queue,
        channel=CHANNEL_NUMBERS.get(standing.channel, 0),  # type: ignore[arg-type]  # an enum's number
        step=rows.STEP_15M,
        attribution=ATTRIBUTION_NUMBERS[attribution],  # type: ignore[arg-type]  # an enum's number
        start=stamp(start),
        end=stamp(start + levels.QUARTER_MS),
        revision=standing.revision,
        verdicts_final=standing.flags.verdicts_final,
        final=standing.flags.final,
        durations_final=standing.flags.durations_final,
        target_threshold_s=standing.queue.threshold_s,
        short_abandon_s=standing.queue.short_abandon_ms // 1000,
        thresholds=_thresholds(standing),
        longest_wait_ms=tally.longest_ms,
        formulas=sorted(OF_ROWS),
        freshness_ms=standing.freshness_ms,
        written_at=stamp(standing.now),
        pool=standing.pool,
        wait_answered_histogram=encoded([tally.buckets.get("answered", {})]),
        wait_abandoned_histogram=encoded([tally.buckets.get(word, {}) for word in ("abandoned", "short_abandoned")]),
        first_response_histogram=encoded([tally.buckets.get("first_response", {})]),
        scores=_scores(tally.counts),
        costs=_costs(tally.counts),
        wait_histogram=encoded([tally.buckets.get(word, {}) for word in OUTCOME_WORDS]),
    )
    counts = {name: getattr(found, name) for name in _SUMS}
    counts |= {name: tally.offers.get(what, 0) for name, what in _OFFERS.items()}
    counts |= {name: tally.counts.get(name, 0) for name in _COUNTS}
    counts |= {name: tally.counts.get(kept, 0) for name, kept in _ESTIMATES.items()}
    for name, count in counts.items():
        if count:
            setattr(row, name, count)
    return row


def _scores(counts: Mapping[str, int]) -> list[rows.ScoreSum]:
    scales = sorted(int(name.split("_")[1]) for name in counts if name.startswith("score_") and name.endswith("_n"))
    return [
        rows.ScoreSum(max_score=most, answers=counts[f"score_{most}_n"], sum=counts[f"score_{most}_sum"])
        for most in scales
    ]


def _costs(counts: Mapping[str, int]) -> list[rows.CostSum]:
    named = sorted(name for name in counts if name.startswith("cost_") and name.endswith("_micros"))
    return [rows.CostSum(currency=name.split("_")[1], amount_micros=counts[name]) for name in named]


_SUMS = (
    "offered", "answered", "abandoned", "short_abandoned", "flowed_out", "callback", "timed_out", "blocked", "failed",
    "waiting", "accepted", "wait_answered_ms", "wait_accepted_ms", "wait_abandoned_ms", "wait_other_ms",
)  # fmt: skip
_COUNTS = (
    "transferred", "talk_ms", "hold_ms", "wrap_up_ms", "trunk_ms", "handled", "trunk_seizures", "started",
    "system_connected", "complaints", "first_responses", "first_response_ms", "next_responses", "next_response_ms",
    "blocked_unqueued", "answered_by_system", "busy_ms", "slot_ms", "resolutions", "resolution_ms", "ivr_entered",
    "ivr_contained",
)  # fmt: skip
_ESTIMATES = {
    "estimates_told": "ewt_n",
    "estimate_p50_ms": "ewt_p50_ms",
    "estimate_p90_ms": "ewt_p90_ms",
    "estimates_scored": "ewt_scored",
    "within_estimate_p50": "ewt_p50_met",
    "within_estimate_p90": "ewt_p90_met",
}
_OFFERS = {
    "offers": "made",
    "offers_accepted": "accepted",
    "offers_declined": "declined",
    "offers_expired": "expired",
    "offers_withdrawn": "withdrawn",
}


def _thresholds(standing: Standing) -> list[rows.ThresholdCount]:
    return [
        rows.ThresholdCount(
            threshold_s=found.threshold_s,
            answered_in=found.answered,
            abandoned_in=found.abandoned,
            callback_in=found.callback,
            removed_in=found.removed,
            waiting_over=found.waiting_over,
            verdicts_final=standing.flags.final or found.threshold_s * 1000 <= standing.final_ms,
            answered_accept_in=found.accepted,
        )
        for found in within(standing.tally, standing.waited_ms, thresholds_of(standing.queue))
    ]


# --- agents' time: ledger -> published row ---------------------------------------------------------------------------


def shift_record(shift: Shift) -> Record:
    """The record of ``shift`` on ``analytics.agent-time.v1``."""
    day = datetime.fromtimestamp(shift.begin / 1000, shift.tz).date().isoformat()
    row = rows.AgentTimeRow(
        tenant_id=shift.tenant,
        agent=shift.agent,
        day=day,
        time_zone=shift.tz.key,
        team=shift.team,
        pool=shift.pool,
        revision=shift.revision,
        final=shift.final,
        sums=_state_sums(shift.spans),
        spans=[_span(span) for span in shift.spans],
        freshness_ms=shift.freshness_ms,
        written_at=stamp(shift.now),
    )
    known = [*shift.spans, *([shift.running] if shift.running else [])]
    if known:
        row.first_signed_in.CopyFrom(stamp(known[0][0]))
    if shift.running:
        row.spans.append(_span(shift.running, goes_on=True))
    elif shift.spans:
        row.last_signed_out.CopyFrom(stamp(shift.spans[-1][1]))
    for name in _DAY:
        setattr(row, name, shift.sums.get(name, 0))
    return _record(f"{shift.tenant}/{shift.agent}/{day}", row)


_DAY = (
    "signed_in_ms", "checked_in_ms", "ready_ms", "busy_ms", "talk_ms", "hold_ms", "wrap_up_ms", "slot_ms", "handled",
    "offers", "offers_declined", "offers_expired", "transferred", "help_requests", "help_wait_ms", "chat_busy_ms",
    "chat_slot_ms", "chat_capacity_ms", "scheduled_ms", "adherent_ms",
)  # fmt: skip


def _span(span: Span, goes_on: bool = False) -> rows.AgentTimeSpan:
    begin, end, state, reason, planned, mode, _, _ = span
    return rows.AgentTimeSpan(
        state=STATE_NUMBERS.get(state, 0),  # type: ignore[arg-type]  # an enum's number
        reason=reason,
        planned=planned,
        start=stamp(begin),
        end=None if goes_on else stamp(end),
        mode=MODE_NUMBERS.get(mode, 0),  # type: ignore[arg-type]  # an enum's number
    )


def _state_sums(spans: Sequence[Span]) -> list[rows.AgentTimeSum]:
    found: dict[tuple[str, str, bool], list[int]] = {}
    for begin, end, state, reason, planned, *_ in spans:
        found.setdefault((state, reason, planned), []).append(end - begin)
    return [
        rows.AgentTimeSum(
            state=STATE_NUMBERS.get(state, 0),  # type: ignore[arg-type]  # an enum's number
            reason=reason,
            planned=planned,
            duration_ms=sum(times),
            spans=len(times),
        )
        for (state, reason, planned), times in sorted(found.items())
    ]
