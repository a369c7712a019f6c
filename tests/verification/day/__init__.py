"""A seeded day: facts of a busy contact centre as its services publish them; the same seed, the same bytes."""

from __future__ import annotations

from .scene import Day, made
from .streams import Published

__all__ = ["Day", "Published", "made"]
