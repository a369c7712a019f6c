"""Routing in one process, without a bus or a store: decisions, days on paper, and a day decided again."""

from benchmarks.place import Benchmark
from benchmarks.routing import decisions

BENCHMARKS: dict[str, Benchmark] = {
    "routing-decisions": decisions.run,
}
