"""The whole contact centre as its real processes, with simulated people in it."""

from benchmarks.place import Benchmark
from benchmarks.system import contacts

BENCHMARKS: dict[str, Benchmark] = {"contacts": contacts.run}
