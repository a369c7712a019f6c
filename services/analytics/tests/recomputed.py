"""The same figures by a way of its own: all facts at once, once each, without offsets, buckets, rows or batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from contactcenter.routing.v1.events_pb2 import DequeueOutcome, RoutingEvent

ATTRIBUTIONS = ("cohort", "event")
THRESHOLDS = (5, 20, 60)
QUARTER = 900_000
WORK = ("work_ended", "wrap_up_started", "wrap_up_ended")


def unique(records: Iterable[Any]) -> list[RoutingEvent]:
    """Every event once, streams in order of version."""
    found = {}
    for record in records:
        event = RoutingEvent.FromString(record.value)
        found.setdefault((record.key, event.meta.version), event)
    return [found[key] for key in sorted(found)]


def recompute(records: Iterable[Any], attribution: str = "cohort") -> dict:
    """(tenant, queue, channel number, quarter) -> counts by name."""
    legs: dict = {}
    for event in unique(records):
        kind = event.WhichOneof("fact")
        _tell(legs, event, kind, getattr(event, kind))
    counts: dict = defaultdict(lambda: defaultdict(int))
    for leg in legs.values():
        for (queue, channel), at, name, amount in _counted(leg, attribution):
            counts[leg["tenant"], queue, channel, at - at % QUARTER][name] += amount
    found = {key: {name: n for name, n in one.items() if n} for key, one in counts.items()}
    return {key: one for key, one in found.items() if one}


def _tell(legs: dict, event: RoutingEvent, kind: str, fact: Any) -> None:
    tenant, at = event.meta.tenant_id, event.meta.recorded_at.ToMilliseconds()
    if kind in ("contact_waiting", "contact_dequeued"):
        leg = legs.setdefault((tenant, fact.contact, fact.leg), {"tenant": tenant, "offers": [], "work": {}})
        leg["queued"], leg["key"] = fact.queued_at.ToMilliseconds(), (fact.queue, fact.channel)
        if kind == "contact_dequeued":
            leg["outcome"] = DequeueOutcome.Name(fact.outcome)[len("DEQUEUE_OUTCOME_") :].lower()
            leg["left"], leg["agent"] = fact.left_at.ToMilliseconds(), fact.agent
    elif kind == "contact_offered":
        leg = legs[tenant, fact.contact, fact.leg]
        leg["offers"].append([fact.offer_id, (fact.queue, fact.channel), at, None])
    elif kind.startswith("offer_"):
        for offer in legs[tenant, fact.contact, fact.leg]["offers"]:
            if offer[0] == fact.offer_id and offer[3] is None:
                offer[3] = kind.removeprefix("offer_")
    elif kind == "agent_observed" and (what := fact.fact.WhichOneof("fact")) in WORK:
        said = getattr(fact.fact, what)
        if what == "work_ended":
            if said.wrap_up_follows:
                return
            what = "wrap_up_ended"
        work = legs.get((tenant, said.contact, said.leg), {"work": {}})["work"]
        if (said.agent, "wrap_up_ended") not in work:
            work.setdefault((said.agent, what), fact.fact.meta.occurred_at.ToMilliseconds())


def _counted(leg: dict, attribution: str) -> Iterable[tuple]:
    cohort, key, queued = attribution == "cohort", leg["key"], leg["queued"]
    yield key, queued, "offered", 1
    for _, offered_as, made, end in leg["offers"]:
        yield offered_as, queued if cohort else made, "offers:made", 1
        yield offered_as, queued if cohort else made, f"offers:{end}", int(end is not None)
    if "outcome" not in leg:
        yield key, queued, "waiting", int(cohort)
        return
    waited, at = leg["left"] - queued, queued if cohort else leg["left"]
    yield key, at, leg["outcome"], 1
    yield key, at, "ms", waited
    for threshold in THRESHOLDS:
        yield key, at, f"{leg['outcome']}<={threshold}", int(waited <= threshold * 1000)
    if leg["outcome"] == "answered":
        yield key, at, f"answered@{leg['agent']}", 1
        yield from _worked(leg, cohort)


def _worked(leg: dict, cohort: bool) -> Iterable[tuple]:
    began = leg["work"].get((leg["agent"], "wrap_up_started"))
    ended = leg["work"].get((leg["agent"], "wrap_up_ended"))
    if ended is None:
        return
    yield leg["key"], leg["queued"] if cohort else ended, "handled", 1
    if began is None:
        return
    if cohort:
        yield leg["key"], leg["queued"], "wrap_up_ms", max(0, ended - began)
    for edge in range(began - began % QUARTER, ended, QUARTER):
        if not cohort:
            yield leg["key"], edge, "wrap_up_ms", min(ended, edge + QUARTER) - max(began, edge)


def folded(cells: Iterable[Any], channels: dict[str, int]) -> dict:
    """The rows that were stored, in the same words."""
    counts: dict = defaultdict(lambda: defaultdict(int))
    for cell in cells:
        for group, tally in cell.groups.items():
            channel, agent, _ = group.split("/")
            _fold(counts[cell.tenant, cell.queue, channels[channel], cell.start], tally, agent)
        for said in cell.waiting.values():
            counts[cell.tenant, cell.queue, channels[said.channel], cell.start]["waiting"] += 1
    found = {key: {name: n for name, n in one.items() if n} for key, one in counts.items()}
    return {key: one for key, one in found.items() if one}


def _fold(counts: dict, tally: Any, agent: str) -> None:
    counts["offered"] += tally.offered
    for outcome, waits in tally.waits.items():
        if outcome == "accepted":
            continue
        counts[outcome] += sum(waits.values())
        counts["ms"] += tally.sums_ms[outcome]
        if outcome == "answered":
            counts[f"answered@{agent}"] += sum(waits.values())
        for threshold in THRESHOLDS:
            counts[f"{outcome}<={threshold}"] += sum(n for seconds, n in waits.items() if seconds <= threshold)
    for what, n in tally.offers.items():
        counts[f"offers:{what}"] += n
    for name, n in tally.counts.items():
        counts[name] += n
