"""The rule book of a customer reference, given / when / then."""

from __future__ import annotations

import pytest

from customers.domain.commands import (
    Absorb,
    ApproveErasure,
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
    ErasureRequested,
    Identity,
    IdentityLinked,
    Kind,
)
from customers.domain.identity import identity, normalised
from switchlog.decider import Rejected
from switchlog.testing import DeciderTest

PHONE = Identity(Kind.PHONE, "aa")
MAIL = Identity(Kind.EMAIL, "bb")
customer = DeciderTest(CUSTOMER)
known = customer.given(CustomerKnown("r1"), IdentityLinked("r1", PHONE))
requested = known.given(ErasureRequested("r1", "e1", "root"))
erased = requested.given(CustomerErased("r1", "e1", "root", "boss"))


def test_a_customer_becomes_known_with_or_without_an_address() -> None:
    customer.when(KnowCustomer("r1")).then(CustomerKnown("r1"))
    customer.when(KnowCustomer("r1", PHONE)).then(CustomerKnown("r1"), IdentityLinked("r1", PHONE))


def test_the_same_address_again_is_no_news() -> None:
    known.when(KnowCustomer("r1", PHONE)).then_nothing()
    known.when(KnowCustomer("r1")).then_nothing()
    known.when(LinkIdentity(PHONE)).then_nothing()


def test_a_second_address_is_linked() -> None:
    known.when(LinkIdentity(MAIL)).then(IdentityLinked("r1", MAIL))


def test_addresses_have_an_end() -> None:
    many = known.given(*(IdentityLinked("r1", Identity(Kind.PHONE, str(n))) for n in range(MAX_IDENTITIES - 1)))
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


def test_a_reference_that_was_given_up_is_erased_through_the_one_that_stands_for_it() -> None:
    given_up = customer.given(CustomerKnown("r2"), CustomersMerged("r1", "r2"))
    given_up.when(RequestErasure("e1", "root")).then_rejected("MERGED_ALREADY")
    given_up.when(EraseAlong("r1", "e1", "root", "boss")).then(CustomerErased("r2", "e1", "root", "boss"))


def test_a_merge_that_stopped_half_way_takes_nobody_along() -> None:
    known.when(EraseAlong("r0", "e1", "root", "boss")).then_nothing()


def test_erasure_needs_two_different_admins() -> None:
    """PL-5 P9"""
    known.when(ApproveErasure("boss")).then_rejected("ERASURE_NOT_REQUESTED")
    known.when(RequestErasure("e1", "root", "gdpr")).then(ErasureRequested("r1", "e1", "root", "gdpr"))
    requested.when(ApproveErasure("root")).then_rejected("SECOND_ADMIN_NEEDED")
    requested.when(ApproveErasure("boss")).then(CustomerErased("r1", "e1", "root", "boss"))


def test_asking_again_does_not_make_the_second_admin_the_first() -> None:
    """PL-5"""
    requested.when(RequestErasure("e2", "boss")).then_nothing()
    requested.when(ApproveErasure("root")).then_rejected("SECOND_ADMIN_NEEDED")


def test_what_was_absorbed_is_remembered_after_erasure() -> None:
    both = known.given(CustomersMerged("r1", "r2"), ErasureRequested("r1", "e1", "root"))
    both.when(ApproveErasure("boss")).then_state(lambda state: state.absorbed == ("r2",))


def test_after_erasure_nothing_changes_any_more() -> None:
    """kernel rule 18"""
    for again in (RequestErasure("e2", "x"), ApproveErasure("y"), EraseAlong("r1", "e2", "x", "y")):
        erased.when(again).then_nothing()
    for late in (KnowCustomer("r1", PHONE), LinkIdentity(MAIL), Absorb("r2"), MergeInto("r2")):
        erased.when(late).then_rejected("ERASED")


@pytest.mark.parametrize("spelling", ["+49 (171) 123-456", "0049171123456", " +49/171/123.456 ", "＋49171123456"])
def test_one_number_has_one_spelling(spelling: str) -> None:
    assert normalised(Kind.PHONE, spelling) == "+49171123456"


def test_an_address_is_kept_as_hmac_under_the_tenants_secret() -> None:
    kept = identity(b"secret", Kind.EMAIL, "Ann@Example.com")
    assert kept == identity(b"secret", Kind.EMAIL, "ann@example.com ")
    assert "ann" not in kept.address_hmac
    assert kept != identity(b"other secret", Kind.EMAIL, "ann@example.com")
    assert kept.address_hmac != identity(b"secret", Kind.ACCOUNT, "ann@example.com").address_hmac


@pytest.mark.parametrize("kind, address", [(Kind.PHONE, " -"), (Kind.QQ, ""), (Kind.EMAIL, "a" * 321)])
def test_bad_addresses_are_refused(kind: Kind, address: str) -> None:
    with pytest.raises(Rejected) as refusal:
        identity(b"secret", kind, address)
    assert refusal.value.invalid
