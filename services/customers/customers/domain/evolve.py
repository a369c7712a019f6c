"""How each fact changes a customer reference."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from .events import (
    CustomerErased,
    CustomerEvent,
    CustomerKnown,
    CustomersMerged,
    ErasureApproved,
    ErasureRequested,
    IdentityLinked,
)
from .state import Approved, CustomerState, Erased, Known, Requested, Unknown

INITIAL: CustomerState = Unknown()


def evolve(state: CustomerState, event: CustomerEvent) -> CustomerState:
    """The state after ``event``."""
    if isinstance(event, CustomerKnown):
        return Known(event.customer_ref)
    if not isinstance(state, Known):
        raise ValueError(f"{type(event).__name__} in {type(state).__name__}")
    return _change(state, event)


def _change(known: Known, event: CustomerEvent) -> CustomerState:
    match event:
        case CustomerKnown():
            return known
        case IdentityLinked(identity):
            return replace(known, identities=known.identities | {identity})
        case CustomersMerged(kept, absorbed) if kept == known.customer_ref:
            return replace(known, absorbed=(*known.absorbed, absorbed))
        case CustomersMerged(kept):
            return replace(known, merged_into=kept)
        case ErasureRequested(by):
            return replace(known, erasure=Requested(by))
        case ErasureApproved(by):
            return replace(known, erasure=Approved(_requested_by(known), by))
        case CustomerErased(ref):
            return Erased(ref, known.identities)
        case _:
            assert_never(event)


def _requested_by(known: Known) -> str:
    if not isinstance(known.erasure, Requested):
        raise ValueError("an approval without a request")
    return known.erasure.by
