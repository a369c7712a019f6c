"""What a customer's stream answers to each command."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from switchlog.decider import Decider, Rejected

from .commands import (
    Absorb,
    ApproveErasure,
    CompleteErasure,
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
    ErasureApproved,
    ErasureRequested,
    Identity,
    IdentityLinked,
)
from .evolve import INITIAL, evolve
from .state import Approved, CustomerState, Erased, Known, NotAsked, Requested, Unknown

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
            return [CustomerKnown(ref), IdentityLinked(identity)]
        case _:
            raise Rejected("CUSTOMER_UNKNOWN")


def _of_erased(command: CustomerCommand) -> Sequence[CustomerEvent]:
    match command:
        case RequestErasure() | ApproveErasure() | CompleteErasure() | EraseAlong():
            return []
        case _:
            raise Rejected("ERASED")


def _of_known(command: CustomerCommand, known: Known) -> Sequence[CustomerEvent]:
    match command:
        case KnowCustomer(_, None):
            return []
        case KnowCustomer(_, Identity() as identity) | LinkIdentity(identity):
            return _link(identity, known)
        case Absorb() | MergeInto():
            return _merge(command, known)
        case RequestErasure() | ApproveErasure() | CompleteErasure() | EraseAlong():
            return _erase(command, known)
        case _:
            assert_never(command)


def _link(identity: Identity, known: Known) -> Sequence[CustomerEvent]:
    if identity in known.identities:
        return []
    if len(known.identities) >= MAX_IDENTITIES:
        raise Rejected("TOO_MANY_IDENTITIES")
    return [IdentityLinked(identity)]


def _merge(command: Absorb | MergeInto, known: Known) -> Sequence[CustomerEvent]:
    match command:
        case Absorb(other) | MergeInto(other) if other == known.customer_ref:
            raise Rejected("MERGE_WITH_ITSELF", invalid=True)
        case Absorb(absorbed) if absorbed in known.absorbed:
            return []
        case MergeInto(kept) if kept == known.merged_into:
            return []
        case _ if known.merged_into:
            raise Rejected("MERGED_ALREADY", "this reference was given up for another")
        case Absorb(absorbed):
            return [CustomersMerged(known.customer_ref, absorbed)]
        case MergeInto(kept) if kept in known.absorbed:
            raise Rejected("MERGE_LOOP", "each would stand for the other")
        case MergeInto(kept):
            return [CustomersMerged(kept, known.customer_ref)]


def _erase(
    command: RequestErasure | ApproveErasure | CompleteErasure | EraseAlong, known: Known
) -> Sequence[CustomerEvent]:
    match command, known.erasure:
        case EraseAlong(requested_by, approved_by), _:
            return [CustomerErased(known.customer_ref, requested_by, approved_by)]
        case RequestErasure(by), NotAsked():
            return [ErasureRequested(by)]
        case RequestErasure(), _:
            return []
        case ApproveErasure(by), Requested(requested_by) if by == requested_by:
            raise Rejected("SECOND_ADMIN_NEEDED", "who asked for the erasure cannot approve it")
        case ApproveErasure(by), Requested():
            return [ErasureApproved(by)]
        case CompleteErasure(), Approved(requested_by, approved_by):
            return [CustomerErased(known.customer_ref, requested_by, approved_by)]
        case ApproveErasure(), Approved():
            return []
        case _:
            raise Rejected("ERASURE_NOT_APPROVED" if isinstance(command, CompleteErasure) else "ERASURE_NOT_REQUESTED")


CUSTOMER: Decider[CustomerCommand, CustomerState, CustomerEvent] = Decider(INITIAL, decide, evolve)
