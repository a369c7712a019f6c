"""Given / when / then for rule books: ``DeciderTest(decider).given(...).when(Reserve(...)).then(Reserved(...))``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

from switchlog.decider import Decider, Rejected

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")

NOW = 1_750_000_000_000


@dataclass(frozen=True)
class DeciderTest(Generic[C, S, E]):
    """A rule book and what has happened so far; immutable, so a ``given`` can be shared by many tests."""

    decider: Decider[C, S, E]
    history: tuple[E, ...] = ()

    def given(self, *events: E) -> DeciderTest[C, S, E]:
        """The same with ``events`` added to the history."""
        return replace(self, history=self.history + events)

    def when(self, command: C, now: int = NOW) -> Outcome[S, E]:
        """Decide ``command`` at ``now`` (epoch ms)."""
        state = self.decider.fold(self.history)
        before = repr(state)
        try:
            events: Sequence[E] = self.decider.decide(command, state, now)
        except Rejected as refusal:
            outcome: Outcome[S, E] = Outcome(state, (), refusal, self.decider.evolve)
        else:
            outcome = Outcome(state, tuple(events), None, self.decider.evolve)
        assert repr(state) == before, "decide() changed the state that it was given"
        return outcome

    @property
    def state(self) -> S:
        """The state after the history."""
        return self.decider.fold(self.history)


@dataclass(frozen=True)
class Outcome(Generic[S, E]):
    """What the rule book said."""

    before: S
    events: tuple[E, ...]
    refusal: Rejected | None
    evolve: Callable[[S, E], S] = field(repr=False)

    def then(self, *expected: E) -> Outcome[S, E]:
        """Exactly these events happened, in this order."""
        assert self.refusal is None, f"refused: {self.refusal}"
        assert self.events == expected, f"\nhappened: {list(self.events)}\nexpected: {list(expected)}"
        return self

    def then_nothing(self) -> Outcome[S, E]:
        """It was true already."""
        return self.then()

    def then_rejected(self, reason: str, *, invalid: bool | None = None) -> Rejected:
        """It was refused for ``reason``."""
        assert self.refusal is not None, f"not refused, but: {list(self.events)}"
        assert self.refusal.reason == reason, f"refused for {self.refusal.reason}, not {reason}"
        assert invalid is None or self.refusal.invalid == invalid
        return self.refusal

    def then_state(self, expected: S | Callable[[S], Any]) -> Outcome[S, E]:
        """The state afterwards equals ``expected``, or satisfies it when it is a function."""
        assert self.refusal is None, f"refused: {self.refusal}"
        after = self.after
        assert expected(after) if callable(expected) else after == expected, f"state afterwards: {after!r}"
        return self

    @property
    def after(self) -> S:
        """The state after what happened."""
        state = self.before
        for event in self.events:
            state = self.evolve(state, event)
        return state
