"""The kernel alone: writer, relay and consumer beside what they are made of."""

from benchmarks.kernel import append_publish, consuming, latency, load_decide_append
from benchmarks.place import Benchmark

BENCHMARKS: dict[str, Benchmark] = {
    "append_publish": append_publish.run,
    "load_decide_append": load_decide_append.run,
    "consuming": consuming.run,
    "latency": latency.run,
}
