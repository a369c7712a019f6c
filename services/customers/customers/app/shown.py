"""What people are shown of a customer: kinds of addresses, never the addresses."""

from __future__ import annotations

from typing import Any

from ..domain.state import CustomerState, Erased, Known


def shown_customer(state: CustomerState, version: int) -> dict[str, Any]:
    """``erased`` is the marker: what was sealed for this reference can be read no more (promise P9)."""
    match state:
        case Known(ref, identities, merged_into, absorbed, erasure):
            return {
                "customer_ref": ref,
                "version": version,
                "erased": False,
                "identities": sorted(identity.kind.value for identity in identities),
                "merged_into": merged_into or None,
                "absorbed": list(absorbed),
                "erasure_request_id": erasure.id if erasure else None,
            }
        case Erased(ref):
            return {"customer_ref": ref, "version": version, "erased": True}
        case _:
            return {}
