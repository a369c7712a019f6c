"""What the reactions remember between two facts of one pool."""

from __future__ import annotations

from typing import Protocol


class Holders(Protocol):
    """Which agent holds a leg that routing has assigned and that is not yet connected.

    ``version`` is that of the pool's stream, whose facts alone write here.
    """

    async def hold(self, tenant: str, contact: str, leg: int, agent: str, version: int) -> None: ...

    async def holder(self, tenant: str, contact: str, leg: int) -> str | None: ...

    async def let_go(self, tenant: str, contact: str, leg: int, version: int) -> None: ...
