"""Somebody else's calls: taken into the log, and folded into figures."""

from benchmarks.feeding import feed
from benchmarks.place import Benchmark

BENCHMARKS: dict[str, Benchmark] = {"feed": feed.run}
