"""The clock that facts are stamped with."""

from types import SimpleNamespace

from switchlog import clock
from switchlog.clock import SystemClock


def test_a_process_that_had_to_wait_between_two_readings_is_not_late(monkeypatch):
    """The wall clock is 1 000 s ahead of the monotonic one; the process loses 80 ms in all looks but the fourth."""
    now, looks = [50.0], iter([0.08, 0.08, 0.08, 0.0] + [0.08] * 20)

    def wall() -> float:
        read = now[0] + 1000
        now[0] += next(looks)
        return read

    monkeypatch.setattr(clock, "time", SimpleNamespace(monotonic=lambda: now[0], time=wall))
    assert abs(SystemClock().now() - (now[0] + 1000) * 1000) <= 1


def test_it_never_runs_backwards():
    times = [one.now() for one in [SystemClock()] for _ in range(1000)]
    assert times == sorted(times)
