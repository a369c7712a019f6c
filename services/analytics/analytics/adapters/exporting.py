"""Figures of any length from the command line into a file, with the days done on stderr."""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol

import httpx2
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ..app.flat import CURRENT, PERIOD, Kind, columns
from . import parquet
from .printing import Query, away, refused, wrong

Line = list[str]
_HEAD = "x-figures-"
"""Such headers of an answer say what holds for all its rows."""


class Into(Protocol):
    """Where rows go: ``begin`` with the names of the columns and what was answered, then each row."""

    def begin(self, names: Line, head: Mapping[str, str]) -> None: ...

    def add(self, row: Line) -> None: ...

    def close(self) -> None: ...


class CsvLines:
    """The rows as they come."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._writer = csv.writer(_Text(out), lineterminator="\r\n")

    def begin(self, names: Line, head: Mapping[str, str]) -> None:
        self._writer.writerow(names)

    def add(self, row: Line) -> None:
        self._writer.writerow(row)

    def close(self) -> None:
        self._out.flush()


class ParquetFile:
    """The rows typed, in a file that has its name only when it is whole."""

    def __init__(self, path: Path) -> None:
        self._path, self._part = path, path.with_name(f"{path.name}.part")

    def begin(self, names: Line, head: Mapping[str, str]) -> None:
        self._kinds = _kinds(names, head)
        self._sink = self._part.open("wb")
        self._file = parquet.File(parquet.schema(self._kinds, head), self._sink)

    def add(self, row: Line) -> None:
        values = zip(self._kinds.items(), row, strict=True)
        self._file.add([{name: _value(kind, text) for (name, kind), text in values}])

    def close(self) -> None:
        self._file.close()
        self._sink.close()
        self._part.replace(self._path)


def exported(url: str, token: str, asked: Query, into: Into, quiet: bool) -> int:
    """Ask for CSV and put its rows ``into``; 0 done, 1 the service is away or broke off, 2 it refused."""
    headers = {"authorization": f"Bearer {token}", "accept": "text/csv"}
    timeout = httpx2.Timeout(60, read=600)
    try:
        with httpx2.stream(
            "GET", f"{url}/v1/figures", params=asked, headers=headers, trust_env=False, timeout=timeout
        ) as answer:
            if answer.status_code != 200:
                return refused(answer.status_code, answer.read())
            _copied(csv.reader(answer.iter_lines()), _head(answer.headers), into, quiet)
    except httpx2.TransportError as error:
        return away(url, error)
    except OSError as error:
        return wrong(str(error), 2)
    return 0


def _head(headers: Mapping[str, str]) -> dict[str, str]:
    """What holds for all rows, under the names of the JSON answer."""
    found = ((name.removeprefix(_HEAD), value) for name, value in headers.items() if name.startswith(_HEAD))
    return {name.replace("-", "_"): value for name, value in found}


def _copied(lines: Iterator[Line], head: Mapping[str, str], into: Into, quiet: bool) -> None:
    names = next(lines)
    start, period = names.index("start"), names.index(PERIOD) if PERIOD in names else None
    into.begin(names, head)
    with _progress(head, quiet) as done:
        for row in lines:
            into.add(row)
            done(datetime.fromisoformat(row[start]), period is None or row[period] == CURRENT)
    into.close()


@contextmanager
def _progress(head: Mapping[str, str], quiet: bool) -> Iterator[Callable[[datetime, bool], None]]:
    """By days done of all days; those of the earlier period come after."""
    begin, end = datetime.fromisoformat(head["from"]), datetime.fromisoformat(head["to"])
    earlier = datetime.fromisoformat(head["previous_from"]) if "previous_from" in head else begin
    days, before = _days(begin, end), _days(earlier, begin)
    bar = (TextColumn("figures"), BarColumn(), MofNCompleteColumn(), TextColumn("days"), TimeRemainingColumn())
    with Progress(*bar, console=Console(stderr=True), disable=quiet) as shown:
        task = shown.add_task("days", total=days + before)

        def done(at: datetime, current: bool) -> None:
            shown.update(task, completed=_days(begin, at) if current else days + _days(earlier, at))

        yield done
        shown.update(task, completed=days + before)


def _days(begin: datetime, end: datetime) -> int:
    return -(-int((end - begin).total_seconds()) // 86_400)


def _kinds(names: Iterable[str], head: Mapping[str, str]) -> dict[str, Kind]:
    """The kind of each column; those that are in every answer are known, all the others are formulas."""
    known = columns([name for name in head["group_by"].split(",") if name], (), True)
    return {name: known.get(name, "number") for name in names}


def _value(kind: Kind, text: str) -> Any:
    if kind in ("time", "text"):
        return text
    if text == "":
        return None
    if kind == "flag":
        return text == "true"
    return int(text) if kind == "count" else float(text)


class _Text:
    """What csv writes to, over bytes."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out

    def write(self, text: str) -> int:
        return self._out.write(text.encode())


def command(url: str, token: str, asked: Query, out: Path | None) -> int:
    """To the Parquet file ``out``, or as CSV to the standard output."""
    if out is None:
        return exported(url, token, asked, CsvLines(sys.stdout.buffer), quiet=sys.stdout.isatty())
    return exported(url, token, asked, ParquetFile(out), quiet=False)
