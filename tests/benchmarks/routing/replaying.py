"""A day of a million contacts decided again from the bytes that a pool stores: identical, and how fast."""

from __future__ import annotations

from benchmarks.figures import Figure
from benchmarks.place import Place
from benchmarks.routing.decisions import told_by

CONTACTS = 1_000_000


async def run(place: Place) -> list[Figure]:
    contacts = place.scaled(CONTACTS) // 4 if place.quick else CONTACTS
    file = place.root / place.fresh("day")
    try:
        found = await told_by("benchmarks.routing.day", str(contacts), str(file))
    finally:
        file.unlink(missing_ok=True)
    if not found["identical"]:
        raise AssertionError(f"the day was decided differently: {found['divergence']}")
    seconds, deciding = found["replayed_s"], found["replayed_s"] - found["reading_alone_s"]
    what = f"{contacts:,} contacts, {found['events']:,} facts, {found['agents']:,} agents, identical"
    versions = {name: f"{value:.6g}" for name, value in found.items() if isinstance(value, int | float)}
    goal = "goal < 300 s for 1,000,000 contacts"
    return [
        Figure("replay_events", "events/s of CPU", [found["events"] / seconds], note=what, versions=versions),
        Figure("replay_seconds", "s of CPU", [seconds], lower_is_better=True, note=goal),
        Figure("replay_deciding_events", "events/s of CPU", [found["events"] / deciding], note="without reading them"),
    ]
