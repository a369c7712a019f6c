"""Routing: decisions in one process, and a pool through Kafka and a store."""

from benchmarks.place import Benchmark
from benchmarks.routing import decisions, pool, replaying, simulating

IN_PROCESS: dict[str, Benchmark] = {
    "routing-decisions": decisions.run,
    "routing-simulate": simulating.run,
    "routing-replay": replaying.run,
}
BENCHMARKS: dict[str, Benchmark] = {**IN_PROCESS, "routing-pool": pool.run}
