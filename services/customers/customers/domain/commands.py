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
    """Let this reference stand for the person known as ``merged_ref`` too; told to the kept stream first."""

    merged_ref: str


@dataclass(frozen=True, slots=True)
class MergeInto:
    """Give this reference up for ``kept_ref``."""

    kept_ref: str


@dataclass(frozen=True, slots=True)
class RequestErasure:
    request_id: str
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class ApproveErasure:
    by: str


@dataclass(frozen=True, slots=True)
class EraseAlong:
    """The customer ``kept_ref`` that absorbed this one has been erased."""

    kept_ref: str
    request_id: str
    requested_by: str
    approved_by: str


CustomerCommand = KnowCustomer | LinkIdentity | Absorb | MergeInto | RequestErasure | ApproveErasure | EraseAlong
