"""Millions of contacts straight into the folds, in a process of its own: exact, and how much memory that took."""

from __future__ import annotations

import asyncio
import json
import os
import sys

from benchmarks.figures import Figure
from benchmarks.place import ROOT, Place

COUNTING = "from benchmarks.analytics.counting import main; main()"
MILLIONS = 2
"""Unless the environment says otherwise: ten take a core a quarter of an hour."""


async def run(place: Place) -> list[Figure]:
    """Raises ``RuntimeError`` when one count differs from the plan of what was made."""
    contacts = place.scaled(float(os.environ.get("MILLIONS", "") or MILLIONS) * 1e6)
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-c", COUNTING, str(contacts), str(place.root / place.fresh("millions"))),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    lines = [line async for line in process.stdout]
    if await process.wait():
        raise RuntimeError("counting broke")
    told = json.loads(lines[-1])
    if told["differences"]:
        raise RuntimeError(f"{told['differences']} of {told['compared']} cells differ, such as {told['such_as']}")
    note = f"{told['compared']} cells compared with the plan, 0 differ; {told['cells']} rows stored"
    return [
        Figure(f"figures: {contacts} contacts, resident memory at each tenth", "MB", told["rss_mb"], None, True, note),
        Figure(f"figures: {contacts} contacts, most resident memory", "MB", [max(told["rss_mb"])], None, True, note),
        Figure(f"figures: {contacts} contacts, facts folded a CPU second", "1/s/core", [told["facts"] / told["cpu_s"]]),
    ]
