"""How much one tenant may ask for: token buckets, so that a noisy one is told 429 and the others notice nothing."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from switchlog.errors import NotNow

MAX_BUCKETS = 10_000


class RateLimited(NotNow):
    """More than the stated rate: HTTP 429 with Retry-After, gRPC RESOURCE_EXHAUSTED."""

    reason = "RATE_LIMITED"


@dataclass(slots=True)
class TokenBucket:
    """``burst`` at once, ``per_s`` in the long run; ``filled_at`` is monotonic seconds."""

    per_s: float
    burst: float
    tokens: float
    filled_at: float

    def wait_for_one(self, now: float) -> float:
        """Takes one and returns 0, or takes none and returns the seconds until there is one."""
        self.tokens = min(self.burst, self.tokens + (now - self.filled_at) * self.per_s)
        self.filled_at = now
        if self.tokens >= 1:
            self.tokens -= 1
            return 0.0
        return (1 - self.tokens) / self.per_s if self.per_s else 60.0


@dataclass
class RateLimits:
    """One bucket a tenant, in this process; ``of_tenant`` overrides ``(per_s, burst)`` by tenant."""

    per_s: float = 200.0
    burst: float = 1000.0
    of_tenant: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    _buckets: OrderedDict[str, TokenBucket] = field(default_factory=OrderedDict)

    def take(self, tenant: str) -> None:
        """Count one command of ``tenant``; raises ``RateLimited``."""
        bucket = self._buckets.get(tenant) or self._new_bucket(tenant)
        wait = bucket.wait_for_one(self.clock())
        if wait:
            raise RateLimited(retry_after_s=wait)

    def _new_bucket(self, tenant: str) -> TokenBucket:
        per_s, burst = self.of_tenant.get(tenant, (self.per_s, self.burst))
        bucket = self._buckets[tenant] = TokenBucket(per_s, burst, burst, self.clock())
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return bucket
