"""The pure shape of every rule book: decide, evolve, initial. The only module a domain may import."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Generic, TypeVar

from switchlog.errors import Rejected

__all__ = ["Decider", "Rejected"]

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Decider(Generic[C, S, E]):
    """A rule book.

    ``decide(command, state, now)`` returns what happened, ``[]`` when it is already true, or raises ``Rejected``;
    ``now`` is epoch milliseconds. ``evolve(state, event)`` is the next state.
    """

    initial: S
    decide: Callable[[C, S, int], Sequence[E]]
    evolve: Callable[[S, E], S]

    def fold(self, events: Iterable[E], state: S | None = None) -> S:
        """The state after ``events``, from ``state`` or from the beginning."""
        return reduce(self.evolve, events, self.initial if state is None else state)
