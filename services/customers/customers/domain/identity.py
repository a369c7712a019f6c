"""An address becomes an HMAC: the same for every way of writing it, and worth nothing without the tenant's secret."""

from __future__ import annotations

import hmac
import re
import unicodedata

from switchlog.decider import Rejected

from .events import Identity

PHONE = "phone"
_KIND = re.compile(r"[a-z][a-z0-9_]{0,31}\Z")
_IN_NUMBERS = re.compile(r"[\s().\-/]")
MAX_ADDRESS = 320  # the longest e-mail address


def identity(secret: bytes, kind: str, address: str) -> Identity:
    """``address`` of ``kind`` as we may keep it; raises ``Rejected`` (bad input)."""
    if not _KIND.match(kind):
        raise Rejected("BAD_KIND", "a kind is lower-case letters, digits and _, at most 32", invalid=True)
    plain = normalised(kind, address)
    return Identity(kind, hmac.digest(secret, f"{kind}|{plain}".encode(), "sha256").hex())


def normalised(kind: str, address: str) -> str:
    """One spelling for one address: NFKC, no case, and of a number only its digits (international prefix as ``+``)."""
    plain = unicodedata.normalize("NFKC", address).strip().casefold()
    if kind == PHONE:
        plain = re.sub(r"^00", "+", _IN_NUMBERS.sub("", plain))
    if not plain or len(plain) > MAX_ADDRESS:
        raise Rejected("BAD_ADDRESS", f"an address has 1 to {MAX_ADDRESS} characters", invalid=True)
    return plain
