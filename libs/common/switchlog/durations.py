"""Histograms of seconds that are recorded many at once: an instrument's deep call is dear alone and cheap in a row."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Final

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Histogram, MeterProvider, Observation
from opentelemetry.util.types import AttributeValue

# Buckets that OpenTelemetry's conventions advise for durations in seconds.
BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10)
MANY: Final = 64

Labels = dict[str, AttributeValue]

_kept: deque[tuple[Histogram, float, Labels]] = deque()


class Durations:
    """Instrument ``name``; ``record`` keeps ``labels``, which the caller leaves alone from then on."""

    def __init__(self, name: str, description: str) -> None:
        self._histogram = metrics.get_meter("switchlog").create_histogram(
            name, "s", description, explicit_bucket_boundaries_advisory=list(BUCKETS)
        )

    def record(self, seconds: float, labels: Labels) -> None:
        _kept.append((self._histogram, seconds, labels))
        if len(_kept) >= MANY:
            record_kept()


def record_kept() -> None:
    """Whatever is kept, now; safe from any thread."""
    while True:
        try:
            histogram, seconds, labels = _kept.popleft()
        except IndexError:
            return
        histogram.record(seconds, labels)


def record_before_each_look(meters: MeterProvider) -> None:
    """Have the readers of ``meters`` find nothing missing: callbacks run before sums are collected."""
    meters.get_meter("switchlog").create_observable_gauge("switchlog.durations.kept", [_nothing])


def _nothing(_: CallbackOptions) -> Iterable[Observation]:
    record_kept()
    return ()
