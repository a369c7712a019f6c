"""Routing: decisions in one process, and a pool through Kafka and a store."""

from benchmarks.place import Benchmark
from benchmarks.routing import decisions, pool

IN_PROCESS: dict[str, Benchmark] = {
    "routing-decisions": decisions.run,
}
BENCHMARKS: dict[str, Benchmark] = {**IN_PROCESS, "routing-pool": pool.run}
