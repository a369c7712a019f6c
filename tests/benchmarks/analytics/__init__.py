"""Real-time figures: the Faust pipeline beside the bare loop, how fresh figures are, ten million contacts."""

from benchmarks.analytics import freshness, keeping, millions, stages, throughput
from benchmarks.place import Benchmark

BENCHMARKS: dict[str, Benchmark] = {
    "figures_throughput": throughput.run,
    "figures_stages": stages.run,
    "figures_queues": throughput.by_queues,
    "figures_fresh": freshness.run,
    "figures_answers": freshness.answers,
    "figures_kept": keeping.run,
    "figures_millions": millions.run,
}
