"""How each fact changes a customer reference."""

from __future__ import annotations

from dataclasses import replace
from typing import assert_never

from .events import (
    CustomerErased,
    CustomerEvent,
    CustomerKnown,
    CustomersMerged,
    ErasureRequested,
    IdentityLinked,
)
from .state import CustomerState, Erased, Known, Request, Unknown

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
        case IdentityLinked(_, identity):
            return replace(known, identities=known.identities | {identity})
        case CustomersMerged(kept, merged) if kept == known.customer_ref:
            return replace(known, absorbed=(*known.absorbed, merged))
        case CustomersMerged(kept):
            return replace(known, merged_into=kept)
        case ErasureRequested(_, request_id, by):
            return replace(known, erasure=Request(request_id, by))
        case CustomerErased(ref, request_id, requested_by, approved_by):
            return Erased(ref, Request(request_id, requested_by), approved_by, known.absorbed)
        case _:
            assert_never(event)
