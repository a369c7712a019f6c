"""What people are shown of a customer: kinds of addresses, never the addresses."""

from __future__ import annotations

from typing import Any

from switchlog.envelope import timestamp

from ..domain.state import CustomerState, Erased, Known
from .ports import LastAgent


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


def shown_agent(by: LastAgent | None) -> dict[str, Any] | None:
    """Who served a customer last."""
    return {"agent": by.agent, "queue": by.queue, "served_at": timestamp(by.served_at)} if by else None
