"""What a customer's stream answers to each command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from switchlog.decider import Decider, Rejected

from .commands import (
    Absorb,
    ApproveErasure,
    CustomerCommand,
    EraseAlong,
    KnowCustomer,
    LinkIdentity,
    MergeInto,
    RequestErasure,
)
from .events import (
    CustomerErased,
    CustomerEvent,
    CustomerKnown,
    CustomersMerged,
    ErasureRequested,
    Identity,
    IdentityLinked,
)
from .evolve import INITIAL, evolve
from .state import CustomerState, Erased, Known, Request, Unknown

MAX_IDENTITIES = 100


def decide(command: CustomerCommand, state: CustomerState, now: int) -> Sequence[CustomerEvent]:
    """The facts that ``command`` causes; ``[]`` when it is already true; raises ``Rejected``."""
    match state:
        case Unknown():
            return _first(command)
        case Known():
            return _of_known(command, state)
        case Erased():
            return _of_erased(command)


def _first(command: CustomerCommand) -> Sequence[CustomerEvent]:
    match command:
        case KnowCustomer(ref, None):
            return [CustomerKnown(ref)]
        case KnowCustomer(ref, Identity() as identity):
            return [CustomerKnown(ref), IdentityLinked(ref, identity)]
        case _:
            raise Rejected("CUSTOMER_UNKNOWN")


def _of_erased(command: CustomerCommand) -> Sequence[CustomerEvent]:
    match command:
        case RequestErasure() | ApproveErasure() | EraseAlong():
            return []
        case _:
            raise Rejected("ERASED")


def _of_known(command: CustomerCommand, known: Known) -> Sequence[CustomerEvent]:
    match command:
        case KnowCustomer(_, identity):
            return _link(identity, known) if identity else []
        case LinkIdentity(identity):
            return _link(identity, known)
        case Absorb() | MergeInto():
            return _merge(command, known)
        case RequestErasure() | ApproveErasure() | EraseAlong():
            return _erase(command, known)
        case _:
            assert_never(command)


def _link(identity: Identity, known: Known) -> Sequence[CustomerEvent]:
    if identity in known.identities:
        return []
    if len(known.identities) >= MAX_IDENTITIES:
        raise Rejected("TOO_MANY_IDENTITIES")
    return [IdentityLinked(known.customer_ref, identity)]


def _merge(command: Absorb | MergeInto, known: Known) -> Sequence[CustomerEvent]:
    match command:
        case Absorb(other) | MergeInto(other) if other == known.customer_ref:
            raise Rejected("MERGE_WITH_ITSELF", invalid=True)
        case Absorb(merged) if merged in known.absorbed:
            return []
        case MergeInto(kept) if kept == known.merged_into:
            return []
        case _ if known.merged_into:
            raise Rejected("MERGED_ALREADY", "this reference was given up for another")
        case Absorb(merged):
            return [CustomersMerged(known.customer_ref, merged)]
        case MergeInto(kept) if kept in known.absorbed:
            raise Rejected("MERGE_LOOP", "each would stand for the other")
        case MergeInto(kept):
            return [CustomersMerged(kept, known.customer_ref)]


def _erase(command: RequestErasure | ApproveErasure | EraseAlong, known: Known) -> Sequence[CustomerEvent]:
    ref = known.customer_ref
    match command, known.erasure:
        case EraseAlong(kept_ref, request_id, requested_by, approved_by), _:
            # only if this one agrees that it was given up: a merge may have stopped half way
            agreed = kept_ref == known.merged_into
            return [CustomerErased(ref, request_id, requested_by, approved_by)] if agreed else []
        case _ if known.merged_into:
            raise Rejected("MERGED_ALREADY", "erase the reference that stands for this person")
        case RequestErasure(request_id, by, reason), None:
            return [ErasureRequested(ref, request_id, by, reason)]
        case RequestErasure(), _:
            return []
        case ApproveErasure(by), Request(_, requested_by) if by == requested_by:
            raise Rejected("SECOND_ADMIN_NEEDED", "who asked for the erasure cannot approve it")
        case ApproveErasure(by), Request(request_id, requested_by):
            return [CustomerErased(ref, request_id, requested_by, by)]
        case _:
            raise Rejected("ERASURE_NOT_REQUESTED")


CUSTOMER: Decider[CustomerCommand, CustomerState, CustomerEvent] = Decider(INITIAL, decide, evolve)
