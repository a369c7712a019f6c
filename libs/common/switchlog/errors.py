"""The exceptions of Switchlog: each says whether to refuse, wait, park or crash."""

from __future__ import annotations


class SwitchlogError(Exception):
    """Root of everything raised on purpose."""

    reason = "ERROR"

    def __init__(self, reason: str = "", detail: str = "") -> None:
        super().__init__(f"{reason or self.reason}: {detail}" if detail else reason or self.reason)
        self.reason = reason or self.reason
        self.detail = detail


class Rejected(SwitchlogError):
    """The rule book said no: HTTP 409, or 422 when the input itself is bad (``invalid=True``)."""

    reason = "REJECTED"

    def __init__(self, reason: str = "", detail: str = "", *, invalid: bool = False) -> None:
        super().__init__(reason, detail)
        self.invalid = invalid


class NotFound(SwitchlogError):
    """No such thing for this tenant: HTTP 404."""

    reason = "NOT_FOUND"


class Unauthenticated(SwitchlogError):
    """No token, or one that does not verify: HTTP 401."""

    reason = "UNAUTHENTICATED"


class Forbidden(SwitchlogError):
    """A good token without the right: HTTP 403."""

    reason = "FORBIDDEN"


class TooLarge(SwitchlogError):
    """More bytes than the stated limit: HTTP 413."""

    reason = "TOO_LARGE"


class VersionConflict(SwitchlogError):
    """Somebody wrote first; ``head`` is the version that stands (-1 when not known)."""

    reason = "VERSION_CONFLICT"

    def __init__(self, head: int = -1, detail: str = "") -> None:
        super().__init__("", detail or f"head is {head}")
        self.head = head


class NotNow(SwitchlogError):
    """A dependency is away or busy: HTTP 503 with Retry-After; a consumer rewinds and waits."""

    reason = "NOT_NOW"

    def __init__(self, reason: str = "", detail: str = "", *, retry_after_s: float = 1.0) -> None:
        super().__init__(reason, detail)
        self.retry_after_s = retry_after_s


class OutcomeUnknown(NotNow):
    """A write was sent and no answer came: it may or may not stand (kernel rule 5)."""

    reason = "OUTCOME_UNKNOWN"


class Poison(SwitchlogError):
    """Can never be handled: dead-letter an undecodable record, park a failing stream."""

    reason = "POISON"
