"""The helpers themselves: a test that cannot fail is none."""

from dataclasses import dataclass

import pytest

from switchlog.decider import Decider, Rejected
from switchlog.testing import DeciderTest, eventually


@dataclass(frozen=True)
class Opened:
    at: int


def decide(command, state, now):
    if command == "refuse":
        raise Rejected("NO", invalid=True)
    if command == "break it":
        state.append(now)
    return [] if state else [Opened(now)]


door = DeciderTest(Decider((), decide, lambda state, event: (*state, event)))


def test_then_compares_what_happened():
    door.when("open", now=5).then(Opened(5)).then_state((Opened(5),))
    door.given(Opened(1)).when("open").then_nothing()
    with pytest.raises(AssertionError, match="happened"):
        door.when("open", now=5).then(Opened(6))
    with pytest.raises(AssertionError, match="state"):
        door.when("open", now=5).then_state(lambda state: len(state) == 2)


def test_then_rejected_compares_the_reason():
    door.when("refuse").then_rejected("NO", invalid=True)
    with pytest.raises(AssertionError, match="refused for NO"):
        door.when("refuse").then_rejected("OTHER")
    with pytest.raises(AssertionError, match="not refused"):
        door.when("open").then_rejected("NO")
    with pytest.raises(AssertionError, match="refused: NO"):
        door.when("refuse").then_nothing()


def test_a_decision_that_changes_its_state_is_caught():
    breaking = DeciderTest(Decider([], decide, lambda state, event: [*state, event]))
    with pytest.raises(AssertionError, match="changed the state"):
        breaking.when("break it")


async def test_eventually_waits_and_says_what_was_the_case():
    seen = []
    assert await eventually(lambda: seen.append(1) or len(seen) > 2, every_s=0.001) is True
    with pytest.raises(AssertionError, match="still 0"):
        await eventually(lambda: 0, within_s=0.02)

    def never():
        raise AssertionError("the reason")

    with pytest.raises(AssertionError, match="the reason"):
        await eventually(never, within_s=0.02)
