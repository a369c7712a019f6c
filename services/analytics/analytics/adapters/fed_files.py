"""A file of calls, line by line: JSON lines as they are, tables by their mapping; bad ones with the reason."""

from __future__ import annotations

import csv
import hashlib
import io
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import BinaryIO, NamedTuple

import msgspec

from ..app.feedlines import Accepted, Refused, convert, read_line
from ..app.lines import Splitter
from .mapping import CallLog, Reader, Texts

BLOCK = 256 * 1024
_BAD = re.compile("[\udc80-\udcff]")

Bodies = list[bytes]


class Item(NamedTuple):
    """A line of the file by its number: what is sent for it, and why it is not where it is bad."""

    number: int
    bodies: Bodies
    ids: list[str]
    sources: set[str]
    bad: Sequence[tuple[Refused, str]] = ()


@dataclass
class FedFile:
    """``items()`` once; ``dirt`` is what a mapping set right, ``position`` how far the file is read, in bytes."""

    path: Path
    mapping: CallLog | None = None
    dirt: Counter[str] = field(default_factory=Counter)
    now: Callable[[], float] = time.time
    handle: BinaryIO | None = None

    @property
    def size(self) -> int:
        return self.path.stat().st_size

    @property
    def position(self) -> int:
        return self.handle.tell() if self.handle and not self.handle.closed else 0

    def identity(self, *more: object) -> str:
        """The same for the same file on the same terms, however much of it was sent; a file that grew is another."""
        stat = self.path.stat()
        return hashlib.sha256(repr((stat.st_size, stat.st_mtime_ns, more)).encode()).hexdigest()

    def items(self) -> Iterator[Item]:
        with self.path.open("rb") as self.handle:
            yield from self._json(self.handle) if self.mapping is None else self._table(self.handle, self.mapping)

    # --- JSON lines ---------------------------------------------------------------------------------------------------

    def _json(self, handle: BinaryIO) -> Iterator[Item]:
        splitter = Splitter()
        while block := handle.read(BLOCK):
            yield from map(self._of_json, splitter.split(block))
        yield from map(self._of_json, splitter.rest())

    def _of_json(self, numbered: tuple[int, bytes]) -> Item:
        number, text = numbered
        try:
            source, line, _ = read_line(text, self._now_ms())
            return Item(number, [text], [line.line_id], {source})
        except Refused as why:
            return Item(number, [], [], set(), [(why, text[:2_000].decode("utf-8", "replace"))])

    # --- tables -------------------------------------------------------------------------------------------------------

    def _table(self, handle: BinaryIO, mapping: CallLog) -> Iterator[Item]:
        told = mapping.file
        text = io.TextIOWrapper(handle, told.encoding, errors="surrogateescape", newline="")
        for _ in range(told.skip):
            text.readline()
        rows = csv.reader(text, delimiter=told.delimiter)
        columns, reader = told.columns, Reader(mapping, self.dirt)
        while True:
            try:
                columns = columns or [name.strip() for name in next(rows)]
                cells = next(rows)
            except StopIteration:
                return
            except UnicodeError:  # of encodings that cannot go on after it
                why = Refused("BAD_ENCODING", f"not {told.encoding}; what follows is not read")
                yield Item(rows.line_num + told.skip + 1, [], [], set(), [(why, "")])
                return
            except csv.Error as error:
                yield Item(rows.line_num + told.skip, [], [], set(), [(Refused("BAD_ROW", str(error)), "")])
                continue
            if any(cells):
                yield self._of_row(reader, rows.line_num + told.skip, columns, cells)

    def _of_row(self, reader: Reader, number: int, columns: Sequence[str], cells: Sequence[str]) -> Item:
        try:
            if len(cells) != len(columns):
                raise Refused("BAD_ROW", f"{len(cells)} cells for {len(columns)} columns")
            if _BAD.search("\0".join(cells)):
                raise Refused("BAD_ENCODING", f"not {reader.mapping.file.encoding.removesuffix('-sig')}")
            return self._checked(number, reader.lines(dict(zip(columns, cells, strict=True))), cells)
        except Refused as why:
            return Item(number, [], [], set(), [(why, _plain(cells))])

    def _checked(self, number: int, lines: Sequence[dict[str, object]], cells: Sequence[str]) -> Item:
        """A row is taken whole or not at all."""
        found: list[Accepted] = [convert(line, self._now_ms()) for line in map(_numbers, lines)]
        bodies = [msgspec.json.encode({name: value for name, value in line.items() if value != ""}) for line in lines]
        return Item(number, bodies, [one.line.line_id for one in found], {one.source for one in found})

    def _now_ms(self) -> int:
        return int(self.now() * 1000)


def _numbers(line: Texts | dict[str, object]) -> dict[str, object]:
    """Where a number is wanted, a text that is one."""
    for name in ("score", "leg", "priority"):
        value = line.get(name)
        if isinstance(value, str) and value.isdigit():
            line[name] = int(value)  # type: ignore[assignment]
    return line  # type: ignore[return-value]


def _plain(cells: Sequence[str]) -> str:
    return ",".join(cells).encode("utf-8", "replace").decode()[:2_000]


def chunks(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    while some := list(islice(items, size)):
        yield some
