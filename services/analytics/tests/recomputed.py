"""The same figures by a way of its own: all facts at once, once each, without offsets, buckets, rows or batches."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from contactcenter.routing.v1.events_pb2 import DequeueOutcome, RoutingEvent

THRESHOLDS = (5, 20, 60)
QUARTER = 900_000


def unique(records: Iterable[Any]) -> list[RoutingEvent]:
    """Every event once, streams in order of version."""
    found = {}
    for record in records:
        event = RoutingEvent.FromString(record.value)
        found.setdefault((record.key, event.meta.version), event)
    return [found[key] for key in sorted(found)]


def recompute(records: Iterable[Any]) -> dict:
    """(tenant, queue, channel number, quarter) -> counts by name."""
    legs: dict = {}
    for event in unique(records):
        kind = event.WhichOneof("fact")
        fact = getattr(event, kind)
        if kind in ("contact_waiting", "contact_dequeued"):
            leg = legs.setdefault((event.meta.tenant_id, fact.contact, fact.leg), {"offers": defaultdict(int)})
            at = fact.queued_at.ToMilliseconds()
            leg["key"] = (event.meta.tenant_id, fact.queue, fact.channel, at - at % QUARTER)
            if kind == "contact_dequeued":
                leg["outcome"] = DequeueOutcome.Name(fact.outcome)[len("DEQUEUE_OUTCOME_") :].lower()
                leg["waited"] = fact.left_at.ToMilliseconds() - at
        elif kind.startswith("offer_") or kind == "contact_offered":
            leg = legs.get((event.meta.tenant_id, fact.contact, fact.leg))
            if leg and "outcome" not in leg:
                leg["offers"][kind.removeprefix("offer_").replace("contact_offered", "made")] += 1
    groups: dict = defaultdict(list)
    for leg in legs.values():
        groups[leg["key"]].append(leg)
    return {key: _counts(found) for key, found in groups.items()}


def _counts(legs: list[dict]) -> dict:
    ended = [leg for leg in legs if "outcome" in leg]
    counts: dict[str, int] = {"offered": len(legs), "waiting": len(legs) - len(ended)}
    for leg in ended:
        counts[leg["outcome"]] = counts.get(leg["outcome"], 0) + 1
        counts["ms"] = counts.get("ms", 0) + leg["waited"]
        for threshold in THRESHOLDS:
            name = f"{leg['outcome']}<={threshold}"
            counts[name] = counts.get(name, 0) + (leg["waited"] <= threshold * 1000)
    for leg in legs:
        for what, n in leg["offers"].items():
            counts[f"offers:{what}"] = counts.get(f"offers:{what}", 0) + n
    return {name: n for name, n in counts.items() if n}


def folded(cells: Iterable[Any], channels: dict[str, int]) -> dict:
    """The rows that were stored, in the same words."""
    found = {}
    for cell in cells:
        for channel, tally in cell.channels.items():
            counts = {"offered": tally.offered}
            counts["waiting"] = sum(of == channel for of, _ in cell.waiting.values())
            for outcome, waits in tally.waits.items():
                if outcome != "accepted":
                    counts[outcome] = sum(waits.values())
                    counts["ms"] = counts.get("ms", 0) + tally.sums_ms[outcome]
                    for threshold in THRESHOLDS:
                        within = sum(n for seconds, n in waits.items() if seconds <= threshold)
                        counts[f"{outcome}<={threshold}"] = within
            counts |= {f"offers:{what}": n for what, n in tally.offers.items()}
            found[cell.tenant, cell.queue, channels[channel], cell.start] = {k: n for k, n in counts.items() if n}
    return found
