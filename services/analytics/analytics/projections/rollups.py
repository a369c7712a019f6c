"""The stored roll-ups, and whether they reflect what was noted of late changes.

Whoever folds notes an old day as ``late``, with the offset up to which its cells will be changed, then stores the
cells, then the progress. A roll-up has the notes that stood *before* its cells were read, and is right as long as the
very same stand; it is kept only if all that they announce had been stored by then, which the progress tells.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from ..app.rollups import Late, Of, Standing
from ..domain.intervals import Span
from ..domain.levels import DAY_MS
from ..domain.rollups import Rollup
from .rows import StoredRows, decoded, encode


class Kept(msgspec.Struct, array_like=True):
    """A roll-up with the notes that it reflects. Whoever changes what is kept gives the view another name."""

    late: dict[str, int]
    rollup: Rollup


@dataclass(frozen=True)
class StoredRollups:
    rows: StoredRows

    async def standing(self, of: Of, days: Sequence[Span]) -> Standing:
        noted = await self._noted(of, days[0][0], days[-1][1])
        late = {day: _of(noted, day) for day in days}
        kept = await self._kept(of, days[0][0], days[-1][1])
        found = {day: kept[day].rollup for day in days if day in kept and kept[day].late == late[day]}
        missing = [day for day in days if day not in found]
        reached = await self._reached() if any(late[day] for day in missing) else {}
        return Standing(found, {day: late[day] if _stored(late[day], reached) else None for day in missing})

    async def keep(self, of: Of, made: Iterable[tuple[Span, Late, Rollup]]) -> None:
        """Notes only grow: so does the version."""
        partition = _partition(of)
        rows = [
            (partition, f"{begin:015d}/{end:015d}", encode(Kept(dict(late), rollup)), 1 + sum(late.values()))
            for (begin, end), late, rollup in made
        ]
        await self.rows.put("rollups", rows)

    async def _noted(self, of: Of, begin: int, end: int) -> dict[int, dict[str, int]]:
        """By UTC day."""
        found: dict[int, dict[str, int]] = {}
        first = f"{begin - begin % DAY_MS:015d}"
        async for row in self.rows.span("late", f"{of.tenant}/{of.queue}", first, f"{end:015d}"):
            found.setdefault(int(row.key.partition("/")[0]), {})[row.key] = row.version
        return found

    async def _kept(self, of: Of, begin: int, end: int) -> dict[Span, Kept]:
        found: dict[Span, Kept] = {}
        most = (end - begin) // DAY_MS + 2
        async for row in self.rows.span("rollups", _partition(of), f"{begin:015d}", f"{end:015d}", most):
            first, _, last = row.key.partition("/")
            found[int(first), int(last)] = decoded(row, Kept)
        return found

    async def _reached(self) -> dict[str, int]:
        """Source partition -> the offset up to which all is stored."""
        return {row.key: row.version async for row in self.rows.scan("progress", self.rows.group)}


def _partition(of: Of) -> str:
    return f"{of.tenant}/{of.queue}/{of.attribution}/{'agents' if of.by_agent else 'channels'}/{of.tz}"


def _of(noted: Mapping[int, Mapping[str, int]], day: Span) -> dict[str, int]:
    """Those of the UTC days that a local day touches."""
    found: dict[str, int] = {}
    for start in range(day[0] - day[0] % DAY_MS, day[1], DAY_MS):
        found |= noted.get(start, {})
    return found


def _stored(late: Late, reached: Mapping[str, int]) -> bool:
    return all(version <= reached.get(key.partition("/")[2], 0) for key, version in late.items())
