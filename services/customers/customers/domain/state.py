"""One class a phase: only a ``Known`` customer has identities to find it by."""

from __future__ import annotations

from dataclasses import dataclass

from .events import Identity


@dataclass(frozen=True, slots=True)
class Unknown:
    pass


@dataclass(frozen=True, slots=True)
class Request:
    """An erasure that waits for a second admin."""

    id: str
    by: str


@dataclass(frozen=True, slots=True)
class Known:
    """``merged_into`` is empty unless another reference stands for this person now; ``absorbed`` are the others."""

    customer_ref: str
    identities: frozenset[Identity] = frozenset()
    merged_into: str = ""
    absorbed: tuple[str, ...] = ()
    erasure: Request | None = None


@dataclass(frozen=True, slots=True)
class Erased:
    """A later message of that person gets a new reference (kernel rule 18)."""

    customer_ref: str
    request: Request
    approved_by: str
    absorbed: tuple[str, ...] = ()


CustomerState = Unknown | Known | Erased
