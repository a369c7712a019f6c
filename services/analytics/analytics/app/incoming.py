"""What is new in a batch of records: repeats out, gaps filled by the owner's log, what counts nowhere not parsed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from switchlog.bus.record import Raw
from switchlog.errors import Poison
from switchlog.log import get_logger

from .patience import patient
from .ports import Bury, Facts, Missing, Read

log = get_logger(__name__)

HALT_AFTER = 10
"""So many undecodable records in a row mean a bad deploy, not bad records."""
STREAMS_KEPT = 50_000
TYPE, VERSION = 2, 8
"""Where our relays put these two headers; any other place only costs time."""

Stream = tuple[str, str, str]
"""(key, tenant, stream) as text."""


class Halted(Exception):
    """Nothing can be read any more."""


@dataclass
class Incoming:
    """Reads the records of one partition; ``ignored`` are the types (``ce_type``) of facts that count nowhere."""

    where: str
    facts: Facts
    missing: Missing
    bury: Bury
    ignored: frozenset[bytes] = frozenset()
    streams: dict[bytes | None, Stream] = field(default_factory=dict)
    poisoned: int = 0

    def keys(self, records: Iterable[Raw]) -> set[str]:
        """The streams that ``records`` are of."""
        if len(self.streams) > STREAMS_KEPT:
            self.streams.clear()
        return {self._stream(key)[0] for key in {record.key for record in records}}

    async def fresh(self, records: Sequence[Raw], known: dict[str, int]) -> tuple[list[Read], dict[str, int]]:
        """What has not been folded before, and the last version of each stream in it; ``known`` are those before."""
        found: list[Read] = []
        seen: dict[str, int] = {}
        skipped: dict[str, Raw] = {}
        streams, ignored, parse, make = self.streams, self.ignored, self.facts.read, _made
        for record in records:
            key, tenant, name = streams[record.key]
            event, kind = None, ""
            version = _skippable(record, ignored) if ignored else 0
            if not version:
                try:
                    event = parse(record.value)
                    meta = event.meta
                    version = meta.version
                    if meta.stream != name or meta.tenant_id != tenant or version < 1 or not tenant:
                        raise Poison("FORGED", "the key names another stream than the value")
                except Poison as error:
                    await self._poison(record, error)
                    continue
                kind = event.WhichOneof("fact") or ""
                self.poisoned = 0
            last = seen.get(key) or known.get(key, 0)
            if version != last + 1:
                if version <= last:
                    continue
                if not await self._heal(record, key, version, last, found):
                    continue
            seen[key] = version
            if event is None:
                skipped[key] = record
            else:
                found.append(make(Read, (event, kind, key, record.offset)))
                if skipped:
                    skipped.pop(key, None)
        # the time of a stream is that of its last fact, counted or not
        found += [Read(parse(record.value), "", key, record.offset) for key, record in skipped.items()]
        return found, seen

    async def _heal(self, record: Raw, key: str, version: int, last: int, found: list[Read]) -> bool:
        """Fill the gap before ``record``; False when it is forged."""
        if not last:
            log.info("stream_begins_late", stream=key, version=version)
            return True
        try:
            values = await patient(lambda: self.missing(record, last))
            events = [self.facts.read(value) for value in values]
        except Poison as error:
            await self._poison(record, error)
            return False
        log.warning("gap_healed", key=key, after=last, events=len(values))
        found += [Read(event, event.WhichOneof("fact") or "", key, record.offset) for event in events]
        return True

    async def _poison(self, record: Raw, error: Poison) -> None:
        self.poisoned += 1
        log.error("record_buried", where=self.where, offset=record.offset, reason=error.reason)
        if self.poisoned >= HALT_AFTER:
            raise Halted(f"{HALT_AFTER} records in a row cannot be read, the last at {self.where} {record.offset}")
        await patient(lambda: self.bury(record, error.reason, error.detail))

    def _stream(self, key: bytes | None) -> Stream:
        found = self.streams.get(key)
        if found is None:
            text = (key or b"").decode(errors="replace")
            tenant, _, name = text.partition("/")
            found = self.streams[key] = (text, tenant, name)
        return found


def _skippable(record: Raw, ignored: frozenset[bytes]) -> int:
    """The version of a fact that need not be parsed; 0 of all others."""
    headers = record.headers
    if len(headers) <= VERSION or headers[TYPE][1] not in ignored or headers[TYPE][0] != "ce_type":
        return 0
    name, digits = headers[VERSION]
    return int(digits) if name == "ce_streamversion" and digits.isdigit() else 0


_made: Callable[[type[Read], tuple[Any, str, str, int]], Read] = tuple.__new__
"""``Read`` without the cost of naming its fields."""
