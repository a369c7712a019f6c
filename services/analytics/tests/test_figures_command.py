"""Figures on the command line against a real HTTP server: tables, files, progress, refusals (AN-4)."""

from __future__ import annotations

import asyncio
import csv
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import pyarrow.parquet as pq
import pytest
import uvicorn

from analytics import __main__ as command_line
from analytics import wiring
from analytics.adapters.printing import heading, table
from analytics.app.questions import Questions
from analytics.config import Settings
from analytics.projections.rows import StoredRows
from switchlog.clock import ManualClock
from switchlog.store.memory import MemoryStore
from switchlog.testing import TestIssuer, free_port
from switchlog.testing import test_settings as settings_for_tests

from .folds import WHERE, deliver, opened
from .scene import NOON, TENANT, Log, S

DAY = 86_400 * S
SPAN = {"from_": "2025-11-24T00:00:00Z", "to": "2025-11-28T00:00:00Z", "tz": "UTC"}


@pytest.fixture
async def where() -> AsyncIterator[dict[str, str]]:
    """Four days of one contact each, answered by ann; the options that lead there."""
    log, views, issuer = Log(), MemoryStore().views, TestIssuer(tenant=TENANT)
    log.defined(NOON - S)
    for n in range(4):
        log.waits(NOON + n * DAY, f"c{n}")
        log.leaves(NOON + n * DAY + 5 * S, f"c{n}", NOON + n * DAY, agent="ann", team="t1")
    folding, _ = await opened(views, log)
    await deliver(folding, log.records)
    rows, clock = StoredRows(views, "s1", "g"), ManualClock(NOON + 4 * DAY)
    await rows.fresh({WHERE: clock.now()})

    async def ready() -> dict[str, bool]:
        return {"store": True}

    kernel = SimpleNamespace(settings=settings_for_tests("analytics"), ready=ready)
    app = wiring.app(Settings(kernel.settings, "r1"), kernel, Questions(rows, clock, "UTC"), issuer.verifier)
    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=port, lifespan="off", log_level="warning"))
    running = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield {"url": f"http://127.0.0.1:{port}", "token": issuer.issue("u1", ("analyst",))}
    server.should_exit = True
    await running


async def figures(**given) -> int:
    return await asyncio.to_thread(lambda: command_line.figures(**given))


async def test_a_table_is_headed_by_ids_or_by_labels(where, capsys) -> None:
    assert await figures(**where, **SPAN, step="1d", formulas="sl_strict,asa") == 0
    plain = capsys.readouterr().out
    assert "sl_strict" in plain and "1.000" in plain and plain.count("2025-11-2") >= 4
    assert await figures(**where, **SPAN, step="1d", formulas="sl_strict", lang="zh", compare="previous") == 0
    chinese = capsys.readouterr().out
    assert "服务水平" in chinese and "period" in chinese
    assert heading("asa", "en") == "Average speed of answer\nasa"


async def test_json_is_the_answer_of_the_api(where, capsys) -> None:
    assert await figures(**where, **SPAN, step="1d", group_by="", json=True) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["group_by"] == [] and len(told["rows"]) == 4
    assert "queue" not in table(told).columns[1].header


async def test_csv_goes_to_the_standard_output(where, capfdbinary) -> None:
    assert await figures(**where, **SPAN, step="1d", csv=True, compare="previous") == 0
    rows = list(csv.DictReader(io.StringIO(capfdbinary.readouterr().out.decode())))
    assert [(row["period"], row["answered"]) for row in rows] == [("current", "1")] * 4


async def test_a_parquet_file_is_there_when_it_is_whole_with_the_days_done_on_stderr(where, tmp_path, capsys) -> None:
    out = tmp_path / "figures.parquet"
    assert await figures(**where, **SPAN, step="15m", group_by="queue,agent", parquet=out) == 0
    assert "4/4 days" in capsys.readouterr().err
    rows = pq.read_table(out).to_pylist()
    assert [(row["queue"], row["agent"], row["answered"], row["final"]) for row in rows] == [
        ("sales", "ann", 1, False)
    ] * 4
    assert rows[0]["sl_strict"] == 1.0 and rows[0]["ready_s"] is None
    assert pq.read_schema(out).metadata[b"group_by"] == b"queue,agent"
    assert _names(tmp_path) == ["figures.parquet"]


async def test_what_is_refused_says_why_and_leaves_no_file(where, tmp_path: Path, capsys) -> None:
    assert await figures(**where, formulas="sl_magic") == 2
    assert "UNKNOWN_FORMULA" in capsys.readouterr().err
    assert await figures(**where, step="9m", parquet=tmp_path / "x.parquet") == 2
    assert "UNKNOWN_STEP" in capsys.readouterr().err
    assert await figures(**where, lang="tlh") == 2
    assert await figures(**(where | {"url": f"http://127.0.0.1:{free_port()}"}), csv=True) == 1
    assert "does not answer" in capsys.readouterr().err
    assert _names(tmp_path) == []


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())
