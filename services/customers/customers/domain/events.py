"""What happens to a customer reference, as facts in the past tense; no personal data in any of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """An address as we may keep it: ``kind`` such as ``phone``, and its HMAC under the tenant's secret, in hex."""

    kind: str
    address_hmac: str


@dataclass(frozen=True, slots=True)
class CustomerKnown:
    customer_ref: str


@dataclass(frozen=True, slots=True)
class IdentityLinked:
    identity: Identity


@dataclass(frozen=True, slots=True)
class CustomersMerged:
    """``absorbed`` and ``kept`` are one person; the same fact stands in both streams."""

    kept: str
    absorbed: str


@dataclass(frozen=True, slots=True)
class ErasureRequested:
    requested_by: str


@dataclass(frozen=True, slots=True)
class ErasureApproved:
    """By a second admin; the key is erased next."""

    approved_by: str


@dataclass(frozen=True, slots=True)
class CustomerErased:
    """The marker (promise P9): what was sealed for this reference is unreadable from here on."""

    customer_ref: str
    requested_by: str
    approved_by: str


CustomerEvent = CustomerKnown | IdentityLinked | CustomersMerged | ErasureRequested | ErasureApproved | CustomerErased
