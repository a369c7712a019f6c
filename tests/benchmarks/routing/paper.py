"""``python -m benchmarks.routing.paper CONTACTS AGENTS PER_HOUR TALK PATIENCE SEED OUT``: M/M/n+M on paper, as JSON.

With OUT ``-`` only the engine runs: decisions and deadlines, nothing kept or written.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from routing.adapters.paper_script import Script, Wanted, prepared
from routing.adapters.simulating import written
from routing.app.paper.engine import Engine
from routing.app.paper.world import in_order


def script_of(contacts: int, agents: int, per_hour: float, talk: float, patience: float, seed: int) -> Script:
    with TemporaryDirectory() as folder:
        roster = Path(folder) / "R.csv"
        roster.write_text("agent_id,from,to,queues,voice\n" + "".join(f"a{n:03d},,,q1,1\n" for n in range(agents)))
        return prepared(
            Wanted(
                arrivals=None,
                roster=roster,
                out=Path(),
                seed=seed,
                poisson=f"{per_hour:g}/h",
                service=f"exp:{talk:g}",
                patience=f"exp:{patience:g}",
                hours=contacts / per_hour,
                step="1h",
            )
        )


def whole(script: Script, out: Path) -> dict[str, int]:
    found, _ = written(script, out)
    counts = found.total["counts"]
    return {"contacts": counts["offered"], "answered": counts["answered"], "abandoned": counts["abandoned"]}


def engine_alone(script: Script) -> dict[str, int]:
    day = script.day
    engine = Engine(day.board, day.people, day.start, script.asked.tz)
    facts = 0
    for told in engine.run(day.arrivals, in_order([(day.start, order) for order in day.orders], day.cues)):
        facts += len(told.events)
    return {"contacts": script.expected, "facts": facts}


def timed(call: Callable[[], dict[str, int]]) -> dict[str, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    found: dict[str, Any] = dict(call())
    found |= {"cpu_s": time.process_time() - cpu, "wall_s": time.perf_counter() - wall}
    return found | {"memory_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def main(contacts: str, agents: str, per_hour: str, talk: str, patience: str, seed: str, out: str) -> None:
    script = script_of(int(contacts), int(agents), float(per_hour), float(talk), float(patience), int(seed))
    print(json.dumps(timed(lambda: engine_alone(script) if out == "-" else whole(script, Path(out)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
