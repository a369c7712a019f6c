"""An address becomes an HMAC: the same for every way of writing it, and worth nothing without the tenant's secret."""

from __future__ import annotations

import hmac
import re
import unicodedata

from switchlog.decider import Rejected

from .events import Identity, Kind

_IN_NUMBERS = re.compile(r"[\s().\-/]")
MAX_ADDRESS = 320  # the longest e-mail address


def identity(secret: bytes, kind: Kind, address: str) -> Identity:
    """``address`` of ``kind`` as we may keep it; raises ``Rejected`` (bad input)."""
    plain = normalised(kind, address)
    return Identity(kind, hmac.digest(secret, f"{kind}|{plain}".encode(), "sha256").hex())


def normalised(kind: Kind, address: str) -> str:
    """One spelling for one address: NFKC; mail without case; of a number only the digits, ``+`` for the prefix 00."""
    plain = unicodedata.normalize("NFKC", address).strip()
    if kind == Kind.PHONE:
        plain = re.sub(r"^00", "+", _IN_NUMBERS.sub("", plain))
    if kind == Kind.EMAIL:
        plain = plain.casefold()
    if not plain or len(plain) > MAX_ADDRESS:
        raise Rejected("BAD_ADDRESS", f"an address has 1 to {MAX_ADDRESS} characters", invalid=True)
    return plain
