"""One class a phase: an ``Approved`` erasure always has two people behind it."""

from __future__ import annotations

from dataclasses import dataclass

from .events import Identity


@dataclass(frozen=True, slots=True)
class Unknown:
    pass


@dataclass(frozen=True, slots=True)
class NotAsked:
    """Nobody wants the customer erased."""


@dataclass(frozen=True, slots=True)
class Requested:
    by: str


@dataclass(frozen=True, slots=True)
class Approved:
    requested_by: str
    approved_by: str


Erasure = NotAsked | Requested | Approved


@dataclass(frozen=True, slots=True)
class Known:
    """``merged_into`` is empty unless another reference stands for this person now."""

    customer_ref: str
    identities: frozenset[Identity] = frozenset()
    merged_into: str = ""
    absorbed: tuple[str, ...] = ()
    erasure: Erasure = NotAsked()


@dataclass(frozen=True, slots=True)
class Erased:
    """A later message of that person gets a new reference (kernel rule 18)."""

    customer_ref: str
    identities: frozenset[Identity] = frozenset()


CustomerState = Unknown | Known | Erased
