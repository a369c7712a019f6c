"""What may be asked of a customer's stream."""

from __future__ import annotations

from dataclasses import dataclass

from .events import Identity


@dataclass(frozen=True, slots=True)
class KnowCustomer:
    """Make the reference known, with an identity unless the person is anonymous."""

    customer_ref: str
    identity: Identity | None = None


@dataclass(frozen=True, slots=True)
class LinkIdentity:
    identity: Identity


@dataclass(frozen=True, slots=True)
class Absorb:
    """Keep this reference for the person known as ``absorbed``; told to the kept stream first."""

    absorbed: str


@dataclass(frozen=True, slots=True)
class MergeInto:
    """Give this reference up for ``kept``."""

    kept: str


@dataclass(frozen=True, slots=True)
class RequestErasure:
    by: str


@dataclass(frozen=True, slots=True)
class ApproveErasure:
    by: str


@dataclass(frozen=True, slots=True)
class CompleteErasure:
    """The key of this reference, and those of all it absorbed, are gone."""


@dataclass(frozen=True, slots=True)
class EraseAlong:
    """The customer that absorbed this one is being erased."""

    requested_by: str
    approved_by: str


CustomerCommand = (
    KnowCustomer | LinkIdentity | Absorb | MergeInto | RequestErasure | ApproveErasure | CompleteErasure | EraseAlong
)
