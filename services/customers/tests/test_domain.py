"""The rule book of a customer reference, given / when / then."""

from __future__ import annotations

import pytest

from customers.domain.commands import (
    Absorb,
    ApproveErasure,
    CompleteErasure,
    EraseAlong,
    KnowCustomer,
    LinkIdentity,
    MergeInto,
    RequestErasure,
)
from customers.domain.decide import CUSTOMER, MAX_IDENTITIES
from customers.domain.events import (
    CustomerErased,
    CustomerKnown,
    CustomersMerged,
    ErasureApproved,
    ErasureRequested,
    Identity,
    IdentityLinked,
)
from customers.domain.identity import identity, normalised
from switchlog.decider import Rejected
from switchlog.testing import DeciderTest

PHONE = Identity("phone", "aa")
MAIL = Identity("email", "bb")
customer = DeciderTest(CUSTOMER)
known = customer.given(CustomerKnown("r1"), IdentityLinked(PHONE))
requested = known.given(ErasureRequested("root"))
approved = requested.given(ErasureApproved("boss"))
erased = approved.given(CustomerErased("r1", "root", "boss"))


def test_a_customer_becomes_known_with_or_without_an_address() -> None:
    customer.when(KnowCustomer("r1")).then(CustomerKnown("r1"))
    customer.when(KnowCustomer("r1", PHONE)).then(CustomerKnown("r1"), IdentityLinked(PHONE))


def test_the_same_address_again_is_no_news() -> None:
    known.when(KnowCustomer("r1", PHONE)).then_nothing()
    known.when(KnowCustomer("r1")).then_nothing()
    known.when(LinkIdentity(PHONE)).then_nothing()


def test_a_second_address_is_linked() -> None:
    known.when(LinkIdentity(MAIL)).then(IdentityLinked(MAIL))


def test_addresses_have_an_end() -> None:
    many = known.given(*(IdentityLinked(Identity("phone", str(n))) for n in range(MAX_IDENTITIES - 1)))
    many.when(LinkIdentity(MAIL)).then_rejected("TOO_MANY_IDENTITIES")


def test_nothing_is_linked_to_a_stranger() -> None:
    customer.when(LinkIdentity(PHONE)).then_rejected("CUSTOMER_UNKNOWN")


def test_merging_writes_the_same_fact_into_both_streams() -> None:
    merged = CustomersMerged("r1", "r2")
    known.when(Absorb("r2")).then(merged)
    known.given(merged).when(Absorb("r2")).then_nothing()
    other = customer.given(CustomerKnown("r2"))
    other.when(MergeInto("r1")).then(merged)
    other.given(merged).when(MergeInto("r1")).then_nothing()


def test_a_reference_is_given_up_once_and_never_in_a_circle() -> None:
    given_up = customer.given(CustomerKnown("r2"), CustomersMerged("r1", "r2"))
    given_up.when(MergeInto("r3")).then_rejected("MERGED_ALREADY")
    given_up.when(Absorb("r3")).then_rejected("MERGED_ALREADY")
    known.given(CustomersMerged("r1", "r2")).when(MergeInto("r2")).then_rejected("MERGE_LOOP")
    known.when(Absorb("r1")).then_rejected("MERGE_WITH_ITSELF", invalid=True)


def test_erasure_needs_two_different_admins() -> None:
    """PL-5"""
    known.when(ApproveErasure("boss")).then_rejected("ERASURE_NOT_REQUESTED")
    known.when(RequestErasure("root")).then(ErasureRequested("root"))
    requested.when(RequestErasure("boss")).then_nothing()
    requested.when(ApproveErasure("root")).then_rejected("SECOND_ADMIN_NEEDED")
    requested.when(ApproveErasure("boss")).then(ErasureApproved("boss"))


def test_asking_again_by_the_second_admin_is_no_approval() -> None:
    asked_twice = requested.when(RequestErasure("boss"))
    requested.given(*asked_twice.events).when(CompleteErasure()).then_rejected("ERASURE_NOT_APPROVED")


def test_the_marker_names_both() -> None:
    """P9"""
    requested.when(CompleteErasure()).then_rejected("ERASURE_NOT_APPROVED")
    approved.when(ApproveErasure("third")).then_nothing()
    approved.when(CompleteErasure()).then(CustomerErased("r1", "root", "boss"))


def test_what_was_absorbed_is_erased_along() -> None:
    known.when(EraseAlong("root", "boss")).then(CustomerErased("r1", "root", "boss"))


def test_after_erasure_nothing_changes_any_more() -> None:
    """kernel rule 18"""
    for again in (RequestErasure("x"), ApproveErasure("y"), CompleteErasure(), EraseAlong("x", "y")):
        erased.when(again).then_nothing()
    for late in (KnowCustomer("r1", PHONE), LinkIdentity(MAIL), Absorb("r2"), MergeInto("r2")):
        erased.when(late).then_rejected("ERASED")


@pytest.mark.parametrize("spelling", ["+49 (171) 123-456", "0049171123456", " +49/171/123.456 ", "＋49171123456"])
def test_one_number_has_one_spelling(spelling: str) -> None:
    assert normalised("phone", spelling) == "+49171123456"


def test_an_address_is_kept_as_hmac_under_the_tenants_secret() -> None:
    kept = identity(b"secret", "email", "Ann@Example.com")
    assert kept == identity(b"secret", "email", "ann@example.com ")
    assert "ann" not in kept.address_hmac
    assert kept != identity(b"other secret", "email", "ann@example.com")
    assert kept.address_hmac != identity(b"secret", "app", "ann@example.com").address_hmac


@pytest.mark.parametrize("kind, address", [("Phone", "1"), ("", "1"), ("phone", " "), ("email", "a" * 321)])
def test_bad_addresses_are_refused(kind: str, address: str) -> None:
    with pytest.raises(Rejected) as refusal:
        identity(b"secret", kind, address)
    assert refusal.value.invalid
