"""What happens to a customer reference, as facts in the past tense; no personal data in any of them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What kind of address identifies a customer."""

    PHONE = "phone"
    EMAIL = "email"
    WECHAT = "wechat"
    WECOM = "wecom"
    WEIBO = "weibo"
    QQ = "qq"
    ACCOUNT = "account"
    COOKIE = "cookie"


@dataclass(frozen=True, slots=True, order=True)
class Identity:
    """An address as we may keep it: its HMAC under the tenant's secret, in hex."""

    kind: Kind
    address_hmac: str


@dataclass(frozen=True, slots=True)
class CustomerKnown:
    customer_ref: str


@dataclass(frozen=True, slots=True)
class IdentityLinked:
    customer_ref: str
    identity: Identity


@dataclass(frozen=True, slots=True)
class CustomersMerged:
    """``customer_ref`` stays, ``merged_ref`` is followed to it; the same fact stands in both streams."""

    customer_ref: str
    merged_ref: str


@dataclass(frozen=True, slots=True)
class ErasureRequested:
    customer_ref: str
    request_id: str
    requested_by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class CustomerErased:
    """The marker (promise P9): what was sealed for this reference is unreadable from here on."""

    customer_ref: str
    request_id: str
    requested_by: str
    approved_by: str


CustomerEvent = CustomerKnown | IdentityLinked | CustomersMerged | ErasureRequested | CustomerErased
