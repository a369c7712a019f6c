"""Poison waits here until a success shows that it is broken and not we: a bad deploy halts and skips nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from switchlog.bus.dead import DeadLetters
from switchlog.bus.parking import Parking
from switchlog.bus.patience import Leaving, patiently
from switchlog.bus.record import OF_THE_RECORD, Raw, Received, as_raw
from switchlog.bus.tally import Tally
from switchlog.errors import NotNow, Poison
from switchlog.log import get_logger

log = get_logger(__name__)

HALT_AFTER = 10
# a lone poison record on a quiet topic is settled after this long all the same
SETTLE_AFTER_S = 5.0
MAX_HELD = 500
KEPT_AT_ONCE = 100

Done = Callable[[], None]


class Halted(Exception):
    """Too many poison records in a row, or a stream that may not be parked: none was committed; fix and restart."""


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """A convicted record; ``done`` lets its offset be committed."""

    raw: Raw
    received: Received | None
    error: Poison
    done: Done


class Quarantine:
    """What can never be handled: the undecodable goes to dead letters, a failing stream is parked."""

    def __init__(
        self,
        dead: DeadLetters,
        parking: Parking | None,
        tally: Tally,
        *,
        halt_after: int = HALT_AFTER,
        settle_after_s: float = SETTLE_AFTER_S,
    ) -> None:
        self._dead, self.parking, self._tally = dead, parking, tally
        self._halt_after, self._settle_after_s = halt_after, settle_after_s
        self._pending: list[Verdict] = []
        self._cleared: list[Verdict] = []
        self._held: dict[str, list[Verdict]] = {}
        self._in_a_row = 0
        self._ready, self._keeping = asyncio.Event(), asyncio.Lock()

    @property
    def idle(self) -> bool:
        """No stream is laid aside."""
        return not self._held and not (self.parking and self.parking.streams)

    @property
    def _holding(self) -> int:
        return sum(map(len, self._held.values()))

    @property
    def halted(self) -> bool:
        """Nothing more is to be tried."""
        return self._in_a_row >= self._halt_after

    def covers(self, key: str) -> bool:
        """Whether records of this stream are laid aside."""
        return key in self._held or (self.parking is not None and self.parking.covers(key))

    def convict(self, raw: Raw, received: Received | None, error: Poison, done: Done) -> None:
        """``raw`` raised ``error``; raises ``Halted`` for the tenth in a row."""
        self._in_a_row += 1
        where = {"topic": raw.topic, "partition": raw.partition, "offset": raw.offset}
        log.error("record_poison", reason=error.reason, detail=error.detail[:300], in_a_row=self._in_a_row, **where)
        if self.halted:
            raise Halted(f"{self._in_a_row} poison records in a row, the last {error} at {where}")
        verdict = Verdict(raw, received, error, done)
        if not _buries(verdict):
            self._hold(verdict)
        self._pending.append(verdict)
        self._ready.set()

    def follow(self, received: Received, done: Done) -> None:
        """``received`` belongs to a stream that is laid aside: it will be kept behind what is held of it.

        Raises ``NotNow`` while too many wait to be kept.
        """
        if self._holding > MAX_HELD:
            self._clear()
            raise NotNow("PARKING_BUSY")
        self._held.setdefault(received.key, []).append(Verdict(as_raw(received), received, Poison(), done))
        if self.parking is not None and self.parking.covers(received.key):
            self._ready.set()

    async def keep_held(self, key: str) -> None:
        """Make durable what is held of a parked stream, in order."""
        assert self.parking is not None
        async with self._keeping:
            while held := self._held.get(key):
                batch = held[:KEPT_AT_ONCE]
                await self.parking.keep([verdict.received for verdict in batch if verdict.received])
                for verdict in batch:
                    verdict.done()
                del held[: len(batch)]
                self._tally.add("parked", len(batch))
            self._held.pop(key, None)

    def success(self) -> None:
        """Some record was handled, so those before it are to blame themselves."""
        if self._in_a_row:
            self._in_a_row = 0
            self._clear()

    def drop(self, partitions: set[tuple[str, int]]) -> None:
        """These partitions are no longer ours: their next owner judges for itself."""
        self._pending = [verdict for verdict in self._pending if _where(verdict) not in partitions]
        self._cleared = [verdict for verdict in self._cleared if _where(verdict) not in partitions]
        for key, held in list(self._held.items()):
            if held and _where(held[0]) in partitions:
                del self._held[key]

    async def settle_forever(self, closing: asyncio.Event) -> None:
        """Bury and park what is cleared, and after a while what nobody contradicted."""
        while True:
            await self._ready.wait()
            self._ready.clear()
            if self._pending:
                await self._a_while()
            try:
                await patiently(self._settle, closing, self._tally)
            except Leaving:
                return

    async def _a_while(self) -> None:
        try:
            await asyncio.wait_for(self._ready.wait(), self._settle_after_s)
        except TimeoutError:
            self._clear()

    def _clear(self) -> None:
        self._cleared += self._pending
        self._pending = []
        self._ready.set()

    def _hold(self, verdict: Verdict) -> None:
        if self.parking is None or verdict.received is None:
            raise Halted(f"a failing stream may not be parked here: {verdict.error}") from verdict.error
        self._held[verdict.received.key] = [verdict]

    async def _settle(self) -> None:
        while self._cleared:
            verdict = self._cleared[0]
            await (self._bury(verdict) if _buries(verdict) else self._park(verdict))
            if verdict in self._cleared:  # it may have been dropped meanwhile
                self._cleared.remove(verdict)
        for key in list(self._held):
            if self.parking is not None and self.parking.covers(key):
                await self.keep_held(key)

    async def _bury(self, verdict: Verdict) -> None:
        await self._dead.bury(verdict.raw, verdict.error.reason, verdict.error.detail)
        self._tally.add("dead")
        verdict.done()

    async def _park(self, verdict: Verdict) -> None:
        assert self.parking is not None and verdict.received is not None
        await self.parking.open(verdict.received, verdict.error.reason, verdict.error.detail)
        await self.keep_held(verdict.received.key)


def _where(verdict: Verdict) -> tuple[str, int]:
    return verdict.raw.topic, verdict.raw.partition


def _buries(verdict: Verdict) -> bool:
    # a plain row has no version to keep its place by
    plain = verdict.received is not None and verdict.received.version == 0
    return plain or verdict.error.reason in OF_THE_RECORD
