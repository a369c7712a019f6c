"""One record's way to its effect: drop what was seen, heal what is missing, hand over, remember (kernel rule 15)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from switchlog.bus.healing import Healer, missing
from switchlog.bus.progress import SeenVersions
from switchlog.bus.record import OF_THE_RECORD, Received
from switchlog.bus.tally import Tally
from switchlog.errors import NotFound, Poison, Rejected
from switchlog.log import get_logger
from switchlog.telemetry import process_span

log = get_logger(__name__)

Bootstrap = Literal["first", "full"]
Standing = Literal["next", "repeat", "first", "gap"]
BatchHandler = Callable[[Sequence[Received]], Awaitable[None]]


def standing(version: int, last: int, bootstrap: Bootstrap = "first", *, filtered: bool = False) -> Standing:
    """What ``version`` is to a stream read up to ``last`` (0 = never seen); a filtered one has no gaps (rule 21)."""
    if version <= last:
        return "repeat"
    if version == last + 1 or filtered:
        return "next"
    return "first" if last == 0 and bootstrap == "first" else "gap"


@dataclass(frozen=True)
class Applier:
    """Applies the records of one partition; ``seen=None`` leaves repeats and gaps to the handler's own progress."""

    group: str
    handle: BatchHandler
    seen: SeenVersions | None
    healer: Healer | None
    bootstrap: Bootstrap
    tally: Tally

    async def load(self, keys: set[str]) -> None:
        """Have the progress of these streams in memory."""
        if self.seen is not None:
            await self.seen.load(keys)

    def standing(self, received: Received, last: int | None = None) -> Standing:
        """How ``received`` follows what was applied, or version ``last``."""
        if self.seen is None or received.version == 0:
            return "next"
        known = self.seen[received.key] if last is None else last
        return standing(received.version, known, self.bootstrap, filtered=self.healer is None)

    async def one(self, received: Received) -> bool:
        """Have ``received`` take effect, and what is missing before it first; False for a repeat.

        Raises as the handler does, or ``NotNow``.
        """
        if self.seen is not None and received.key not in self.seen.memory:
            await self.load({received.key})
        place = self.standing(received)
        if place == "repeat":
            self.tally.add("repeat")
            return False
        if place == "gap":
            await self._heal(received)
        elif place == "first":
            self.tally.add("first_seen")
        await self._one(received)
        return True

    async def many(self, batch: Sequence[Received]) -> None:
        """Have ``batch``, in which everything is next, take effect at once."""
        await self._effect(batch)
        self.tally["handled"] += len(batch)
        if self.seen is not None:
            self.seen.advance_all({received.key: received.version for received in batch if received.version})

    async def _heal(self, received: Received) -> None:
        assert self.healer is not None and self.seen is not None
        self.tally.add("gap")
        earlier = await missing(self.healer, received, self.seen[received.key])
        log.warning("gap_healed", stream=received.key, version=received.version, missing=len(earlier))
        for healed in earlier:
            await self._healed(healed)

    async def _healed(self, received: Received) -> None:
        try:
            await self._one(received)
        except Poison as error:
            if error.reason in OF_THE_RECORD:  # the owner's log itself holds it: the stream fails, not a record
                raise Poison("UNREADABLE_AT_OWNER", str(error)) from error
            raise
        self.tally.add("healed")

    async def _one(self, received: Received) -> None:
        try:
            await self._effect((received,))
            self.tally["handled"] += 1
        except (Rejected, NotFound) as error:
            self.tally.add("refused")
            log.info("record_refused", reason=error.reason, stream=received.key, version=received.version)
        if self.seen is not None and received.version:
            self.seen.advance(received.key, received.version)

    async def _effect(self, batch: Sequence[Received]) -> None:
        first = batch[0]
        with process_span(
            first.topic,
            self.group,
            first.traceparent,
            partition=first.partition,
            offset=first.offset,
            messages=len(batch),
        ):
            await self.handle(batch)
