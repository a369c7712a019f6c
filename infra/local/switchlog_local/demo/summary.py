"""What the demo did, as `build/demo/summary.json` (its fields are fixed: people script against them)."""

import json
from typing import Any

from switchlog_local.demo.observer import percentiles
from switchlog_local.demo.screen import Picture

FORMULA = "sl_strict"
THRESHOLD_S = 20


def finish(picture: Picture) -> int:
    """Write the summary and say it in a sentence; the exit code."""
    found = summary(picture)
    path = picture.options.folder / "summary.json"
    path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
    restarts = sum(one["restarts"] for one in found["services"].values())
    waits = found["queued_to_offered_ms"]
    print(
        f"demo: {found['contacts_started']} contacts started, {found['contacts_answered']} answered, "
        f"{found['contacts_ended']} ended; queued to offered p50 {waits['p50']} ms, p99 {waits['p99']} ms; "
        f"{restarts} restarts; {path}"
    )
    if picture.options.seconds == 0:
        return 0
    return 0 if found["contacts_ended"] > 0 and restarts == 0 else 1


def summary(picture: Picture) -> dict[str, Any]:
    """The document."""
    facts, outcomes = picture.counts.facts, picture.counts.outcomes
    return {
        "seconds": round(picture.seconds, 1),
        "store": picture.options.store,
        "contacts_started": facts["contact_started"],
        "contacts_ended": facts["contact_ended"],
        "contacts_answered": outcomes["answered"],
        "contacts_abandoned": outcomes["abandoned"] + outcomes["short_abandoned"],
        "offers": facts["contact_offered"],
        "offers_expired": facts["offer_expired"],
        "queued_to_offered_ms": percentiles(picture.counts.queued_to_offered_ms),
        "offer_seen_ms": percentiles(picture.seen_ms),
        "services": {name: _service(one) for name, one in picture.supervisor.running.items()},
        "service_level": _level(picture),
        "errors": picture.errors[-100:],
    }


def _service(one: Any) -> dict[str, Any]:
    return {
        "pid": one.process.pid,
        "rss_mb": round(one.last_rss_mb, 1),
        "cpu_s": round(one.last_cpu_s, 2),
        "restarts": one.restarts,
    }


def _level(picture: Picture) -> dict[str, Any]:
    """Over all queues, from the read API's counts."""
    counts = [row.get("today", {}).get("counts", {}) for row in picture.queues.values()]
    met = sum(row.get("answered_in_threshold", 0) for row in counts)
    of = sum(row.get("answered", 0) + row.get("abandoned", 0) for row in counts)
    return {"formula": FORMULA, "threshold_s": THRESHOLD_S, "met": met, "of": of}
