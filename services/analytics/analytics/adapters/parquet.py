"""Flat rows as a Parquet file, a row group for some intervals: the file is written while it is sent."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..app.flat import Kind, columns_of, flat_rows
from ..app.questions import Answer
from ..app.shown import head_words

TYPES = {
    "time": pa.timestamp("ms", tz="UTC"),
    "text": pa.string(),
    "flag": pa.bool_(),
    "count": pa.int64(),
    "number": pa.float64(),
}
GROUP_ROWS = 20_000
"""A row group has about so many rows."""


async def as_parquet(answer: Answer) -> AsyncIterator[bytes]:
    """The file in pieces; its metadata says what was asked, under the names of the JSON answer."""
    sink = Sink()
    file = File(schema(columns_of(answer), head_words(answer)), sink)
    async for rows in flat_rows(answer):
        await asyncio.to_thread(file.add, rows)
        if found := sink.taken():
            yield found
    await asyncio.to_thread(file.close)
    yield sink.taken()


def schema(columns: Mapping[str, Kind], head: Mapping[str, str]) -> pa.Schema:
    return pa.schema([pa.field(name, TYPES[kind]) for name, kind in columns.items()], metadata=dict(head))


class File:
    """Rows into row groups; times may be RFC 3339 texts. Nothing that ``close`` did not end can be read."""

    def __init__(self, columns: pa.Schema, sink: Any) -> None:
        self._schema = columns
        self._writer = pq.ParquetWriter(sink, columns, compression="zstd")
        self._rows: list[Mapping[str, Any]] = []

    def add(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._rows += rows
        if len(self._rows) >= GROUP_ROWS:
            self._write()

    def close(self) -> None:
        if self._rows:
            self._write()
        self._writer.close()

    def _write(self) -> None:
        arrays = [_array(field, [row[field.name] for row in self._rows]) for field in self._schema]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        self._rows = []


def _array(field: pa.Field, values: list[Any]) -> pa.Array:
    if pa.types.is_timestamp(field.type):
        values = [datetime.fromisoformat(value) for value in values]
    return pa.array(values, field.type)


class Sink:
    """A file that is written only; ``taken`` hands over what was written since."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.closed = False

    def write(self, data: Any) -> int:
        self._parts.append(bytes(data))
        return len(self._parts[-1])

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)

    def flush(self) -> None:
        """Nothing is kept back."""

    def close(self) -> None:
        self.closed = True
