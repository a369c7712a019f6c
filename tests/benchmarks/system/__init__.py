"""The whole contact centre as its real processes, with simulated people in it."""

from benchmarks.place import Benchmark

BENCHMARKS: dict[str, Benchmark] = {}
