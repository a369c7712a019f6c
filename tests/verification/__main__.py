"""``make verify-figures``: live against batch on what the topics hold; on empty topics a seeded day is made first."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import date

from switchlog_local import LocalError

from .compare import AS_OF, Difference
from .day import Day, fed, made
from .day.publish import publish
from .live import live
from .running import running
from .verifying import Outcome, verify

FEWEST_CELLS = 1000
SHOWN, EACH = 60, 4
REPEATED = 0.02
DAYS = (Day(), Day(tenant="seeded-2", seed=2, tz="Asia/Shanghai", begins=date(2025, 10, 31)))
"""A local day of 25 hours, and a change of months."""


def say(line: str) -> None:
    print(f"verify-figures: {line}", flush=True)


async def main() -> int:
    """0 when at least 1 000 cells were compared and none differs."""
    async with running(say) as place:
        if place.empty:
            await _seed(place.bootstrap)
        async with live(place.url, place.token) as asked:
            outcome = await verify(place.bootstrap, asked)
    return told(outcome, made=place.empty)


async def _seed(bootstrap: str) -> None:
    for day in DAYS:
        count = await publish(bootstrap, made(day), repeats=REPEATED, seed=day.seed)
        say(f"made a seeded day of tenant {day.tenant} in {day.tz}, {count} records")
    count = await publish(bootstrap, fed.made(), repeats=REPEATED, seed=1)
    say(f"made a seeded feed of another switch, {count} records")


def told(outcome: Outcome, made: bool = False) -> int:
    """Print what was found; the exit code. Of ``made`` days there is an answer as of any instant too."""
    report = outcome.report
    say(f"{outcome.records} records ({outcome.repeats} repeats, identical) of {outcome.tenants} tenants on the topics")
    for what, times in sorted(report.refused.items()):
        say(f"not answered by live: {what}" + (f" ({times} tenants)" if times > 1 else ""))
    if report.unanswered:
        say(f"open in live or without a definition here, so not compared: {', '.join(sorted(report.unanswered))}")
    if report.differences:
        by_name = Counter(difference.name for difference in report.differences)
        say(f"differ: {', '.join(f'{name} {count}' for name, count in by_name.most_common())}")
    for difference in _shown(report.differences):
        say(f"differs: {difference}")
    families = ", ".join(f"{count} {name}" for name, count in sorted(report.by_family.items()))
    say(f"compared {report.compared} cells ({families}) in {outcome.seconds:.1f} s")
    say(f"differences: {len(report.differences)}")
    if report.compared < FEWEST_CELLS:
        say(f"fewer than {FEWEST_CELLS} cells: that proves nothing")
    if lacking := made and not report.differences and report.by_family[AS_OF] < FEWEST_CELLS:
        say(f"fewer than {FEWEST_CELLS} cells {AS_OF}")
    return 0 if report.compared >= FEWEST_CELLS and not report.differences and not lacking else 1


def _shown(differences: Sequence[Difference]) -> list[Difference]:
    """The first few of each name: one mistake shows in many cells."""
    found: dict[str, list[Difference]] = {}
    for one in differences:
        found.setdefault(one.name, []).append(one)
    return [one for some in found.values() for one in some[:EACH]][:SHOWN]


if __name__ == "__main__":
    try:
        sys.exit(asyncio.run(main()))
    except LocalError as error:
        sys.exit(f"verify-figures: {error}")
