"""Files of calls: three layouts with all their dirt, mappings that are wrong, and files that broke off (CH-7)."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from analytics.adapters import feeding_files, mapping
from analytics.adapters.call_rows import Call, lines, milliseconds
from analytics.adapters.fed_files import FedFile
from analytics.adapters.feeding_files import Feeder, Stopped, Target
from analytics.adapters.mapping import BadMapping, span_of
from analytics.app.feedlines import Refused, read_line
from analytics.domain.feed import Terms
from analytics.domain.levels import COHORT

from .feeds import ANY, BEGAN, TENANT, Place, body, calls
from .test_fed_fold import figures, folded, topic

DOCS = Path(__file__).parents[1] / "docs" / "feeding"
LAYOUTS = ["queue-log", "acd-export", "call-log-cn"]


class Sink:
    """Takes what is sent as the service would, and breaks off when told to."""

    url, token, lateness_s, any_order = "http://feed", "t", 600.0, True

    def __init__(self) -> None:
        self.lines: dict[str, bytes] = {}
        self.sent, self.parts, self.ends = 0, 0, ""
        self.given_up = threading.Event()
        self.stop_after = 1 << 30

    def send(self, client: Any, content: bytes, **more: Any) -> dict[str, Any]:
        if self.parts >= self.stop_after:
            raise Stopped(1, "away")
        self.parts += 1
        self.ends = more.get("ends", "")
        told = {"accepted": 0, "duplicates": 0, "rejected": 0, "reasons": {}, "rejections": []}
        for text in content.split(b"\n") if content else []:
            self.sent += 1
            name = read_line(text, 1 << 45).line.line_id
            told["duplicates" if name in self.lines else "accepted"] += 1
            self.lines[name] = text
        return told


def fed(tmp_path: Path, name: str) -> tuple[feeding_files.Done, Sink, list[dict]]:
    """The layout's sample, fed; its rejected rows."""
    for path in DOCS.glob(f"{name}.*"):
        shutil.copy(path, tmp_path)
    sink = Sink()
    feeder = Feeder(FedFile(tmp_path / f"{name}.csv", mapping.load(tmp_path / f"{name}.toml")), sink)
    done = feeder.run()
    rejected = feeder.rejected_path
    return done, sink, [json.loads(one) for one in rejected.read_text().splitlines()] if rejected.exists() else []


async def figures_of(sink: Sink, queues: list[str]) -> dict:
    """Offered, outcomes and sums of the sample by queue, cohort."""
    place, chance = Place(), random.Random(1)
    giving = place.feeding.one(TENANT, "u1", ANY)
    await giving.give([(n, read_line(text, 1 << 45)) for n, text in enumerate(sink.lines.values(), 1)])
    await giving.end()
    source = read_line(next(iter(sink.lines.values())), 1 << 45).source
    found = await figures(await folded(await topic(place, chance, [source]), chance), queues)
    total: dict[str, Counter] = {}
    for (queue, kind, *_, key), said in found.items():
        if kind == COHORT and key != "waiting":
            here = total.setdefault(queue, Counter())
            here.update({"offered": said.get("offered", 0)} | said.get("counts", {}))
            here.update({outcome: sum(waits.values()) for outcome, waits in said.get("waits", {}).items()})
            here.update({f"offers_{how}": count for how, count in said.get("offers", {}).items()})
            here.update({f"wait_{outcome}": ms for outcome, ms in said.get("sums_ms", {}).items()})
    return {queue: dict(+here) for queue, here in total.items()}


async def test_a_queue_log_of_events(tmp_path: Path):
    done, sink, rejected = fed(tmp_path, "queue-log")
    assert (done.accepted, done.duplicates, done.rejected) == (21, 0, 1)
    assert [(one["line"], one["reason"]) for one in rejected] == [(13, "UNKNOWN_VALUE")]
    assert "MYSTERY" in rejected[0]["text"] and sink.ends == "asterisk-1"
    found = await figures_of(sink, ["sales", "service"])
    sales, service = found["sales"], found["service"]
    assert (sales["offered"], sales["answered"], sales["abandoned"], sales["wait_answered"]) == (4, 2, 1, 5_000)
    assert (sales["offers_made"], sales["offers_expired"], sales["wait_abandoned"]) == (1, 1, 25_000)
    assert (sales["talk_ms"], sales["transferred"], sales["disconnected"]) == (80_000, 1, 2)
    assert (service["offered"], service["timed_out"], service["wait_timed_out"]) == (1, 1, 120_000)


async def test_an_export_of_calls_with_dirty_clocks(tmp_path: Path):
    done, sink, rejected = fed(tmp_path, "acd-export")
    assert done.dirt == {
        "answered_without_agent": 1,
        "midnight_wrap": 1,
        "negative_wait": 1,
        "repeated_call_id": 1,
        "service_before_queue_exit": 1,
    }
    assert {one["line"]: one["reason"] for one in rejected} == {
        11: "UNKNOWN_VALUE",
        12: "TIMES_BACKWARDS",
        13: "BAD_TIME",
        14: "BAD_ROW",
    }
    found = await figures_of(sink, ["regular", "trading", "internet", "XX"])
    assert (found["regular"]["offered"], found["regular"]["answered"], found["regular"]["abandoned"]) == (4, 3, 1)
    assert found["regular"]["wait_answered"] == 12_000 + 30_000 + 10_000  # the second one waited over midnight
    assert found["regular"]["talk_ms"] == 300_000 + 240_000 + 120_000
    assert (found["trading"]["answered"], found["trading"]["wait_answered"]) == (2, 1_000 + 24_000)
    assert found["internet"]["answered"] == 1


async def test_a_call_log_as_chinese_platforms_export_it(tmp_path: Path):
    done, sink, rejected = fed(tmp_path, "call-log-cn")
    assert [(one["line"], one["reason"]) for one in rejected] == [(10, "BAD_FIELD")] and "投诉" in rejected[0]["text"]
    assert done.dirt == {"negative_duration": 1}
    found = await figures_of(sink, ["presales", "aftersales", ""])
    presales, aftersales = found["presales"], found["aftersales"]
    assert (presales["offered"], presales["answered"], presales["abandoned"]) == (2, 1, 1)
    assert (presales["talk_ms"], presales["hold_ms"], presales["wrap_up_ms"]) == (180_000, 20_000, 35_000)
    assert (presales["score_5_n"], presales["score_5_sum"], presales["wait_abandoned"]) == (1, 4, 45_000)
    assert (aftersales["answered"], aftersales["flowed_out"], aftersales["wait_answered"]) == (2, 1, 65_000)
    total = sum((Counter(one) for one in found.values()), Counter())
    assert (total["started"], total["trunk_seizures"], total["answered_by_system"]) == (7, 7, 1)
    assert total["blocked_unqueued"] == 1 and total["trunk_ms"] > 0


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_sample_fed_again_says_nothing_new(tmp_path: Path, name: str):
    for path in DOCS.glob(f"{name}.*"):
        shutil.copy(path, tmp_path)
    sink = Sink()
    runs = [
        Feeder(FedFile(tmp_path / f"{name}.csv", mapping.load(tmp_path / f"{name}.toml")), sink).run() for _ in "12"
    ]
    assert runs[0].accepted > 0 and (runs[1].accepted, runs[1].duplicates) == (0, runs[0].accepted)


# --- single rows -----------------------------------------------------------------------------------------------------


def row(times: dict[str, int], spans: dict[str, int] | None = None, outcome: str = "", **said: str):
    """Facts of a call with their seconds after noon; what was set right."""
    dirt: Counter = Counter()
    call = Call(
        {"contact": "c1", "queue": "sales", "agent": "a"} | said,
        {n: BEGAN + s * 1000 for n, s in times.items()},
        {n: s * 1000 for n, s in (spans or {}).items()},
        outcome,
    )
    return [(one["fact"], (milliseconds(one["at"]) - BEGAN) // 1000) for one in lines(call, dirt)], dict(dirt)


def test_an_abandoned_call_is_three_facts():
    assert row({"queued": 0, "left": 20})[0] == [
        ("contact_started", 0),
        ("contact_queued", 0),
        ("contact_abandoned", 20),
        ("contact_ended", 20),
    ]


def test_instants_follow_from_durations():
    found, dirt = row({"queued": 0}, {"wait": 10, "talk": 60, "hold": 5, "wrap_up": 30})
    assert found == [
        ("contact_started", 0),
        ("contact_queued", 0),
        ("contact_answered", 10),
        ("contact_held", 70),
        ("contact_resumed", 75),
        ("agent_disconnected", 75),
        ("wrap_up_started", 75),
        ("contact_ended", 75),
        ("wrap_up_ended", 105),
    ]
    assert dirt == {}


def test_without_a_queue_there_is_no_wait():
    assert [fact for fact, _ in row({"started": 0, "ended": 9}, outcome="self_served", queue="")[0]] == [
        "contact_started",
        "contact_ended",
    ]


def test_a_talk_that_ends_before_it_began_takes_no_time():
    found, dirt = row({"queued": 0, "answered": 10, "agent_left": 4})
    assert ("agent_disconnected", 10) in found and dirt == {"negative_talk": 1}


def test_a_row_whose_times_go_back_by_hours_is_no_call():
    with pytest.raises(Refused, match="TIMES_BACKWARDS"):
        row({"queued": 8_000, "answered": 0})


@pytest.mark.parametrize(
    "text, ms",
    [("90", 90_000), ("1:30", 90_000), ("0:01:30", 90_000), ("1.5", 1_500), ("-3", -3_000), ("-0:03", -3_000)],
)
def test_durations_are_read_as_people_write_them(text: str, ms: int):
    assert span_of(text, 1000) == ms


@pytest.mark.parametrize("text", ["x", "1:2:3:4", "", "inf", "nan", "1e300"])
def test_what_is_no_duration_is_refused(text: str):
    with pytest.raises((ValueError, OverflowError)):
        span_of(text, 1000)


# --- mappings --------------------------------------------------------------------------------------------------------

GOOD = """
source = "pbx"
[columns]
contact = "id"
[times]
queued = "q"
"""


def loaded(tmp_path: Path, text: str) -> mapping.CallLog:
    (tmp_path / "m.toml").write_text(text)
    return mapping.load(tmp_path / "m.toml")


@pytest.mark.parametrize(
    "text, words",
    [
        ("x = ", "m.toml"),
        ("", "source"),
        (GOOD + "[column]", "column"),
        (GOOD.replace("contact", "kontact"), "kontact"),
        (GOOD.replace("queued", "quoted"), "quoted"),
        (GOOD.replace('contact = "id"', ""), "which one is the contact"),
        (GOOD + '[time]\nzone = "Mars/Olympus"', "Mars/Olympus"),
        (GOOD + '[file]\nencoding = "utf-99"', "utf-99"),
        (GOOD + '[file]\ndelimiter = ";;"', "delimiter"),
        (GOOD + '[outcome]\ncolumn = "o"\nvalues = { x = "lost" }', "lost"),
        (GOOD + '[constant]\nchannel = "telex"', "channel"),
        (GOOD + '[durations]\nsleep = "s"', "sleep"),
        (GOOD + '[facts]\ncolumn = "e"\nat = "q"\nnames = { x = ["contact_lost"] }', "contact_lost"),
    ],
)
def test_a_wrong_mapping_says_what_is_wrong(tmp_path: Path, text: str, words: str):
    with pytest.raises(BadMapping, match="toml") as wrong:
        loaded(tmp_path, text)
    assert words in str(wrong.value)


def test_a_missing_file_or_column_is_named(tmp_path: Path, capsys: pytest.CaptureFixture):
    with pytest.raises(BadMapping, match="No such file"):
        mapping.load(tmp_path / "none.toml")
    (tmp_path / "f.csv").write_text("id,x\n1,2\n")
    feeder = Feeder(FedFile(tmp_path / "f.csv", loaded(tmp_path, GOOD)), Sink())
    done = feeder.run()
    assert done.reasons == {"MISSING_COLUMN": 1} and done.examples["MISSING_COLUMN"].endswith("there are id, x")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "has no lines after its header"),
        (b"id,at\n", "has no lines after its header"),
        (b"\xff\xfe\x9a,\x80\n1,2\n", "MISSING_COLUMN 1 (line 2: there is no column"),
        (b"x" * 200_000 + b"\n1\n", "BAD_ROW 1 (line 1: field larger than field limit"),
        (b"a,b\n1,2\n", "is it the right mapping"),
    ],
)
def test_a_file_of_which_nothing_can_be_taken_is_told_why(tmp_path: Path, capsys, content: bytes, said: str):
    (tmp_path / "f.csv").write_bytes(content)
    assert feeding_files.feed(FedFile(tmp_path / "f.csv", loaded(tmp_path, GOOD)), None) == 0
    assert said in capsys.readouterr().out


def test_ctrl_c_ends_the_patience_with_a_service_that_is_away(tmp_path: Path):
    (tmp_path / "f.jsonl").write_bytes(
        b'{"source": "p", "at": "2026-01-05T10:00:00Z", "fact": "agent_ready", "agent": "a"}'
    )
    command = (sys.executable, "-m", "analytics", "feed", str(tmp_path / "f.jsonl"), "--url", "http://127.0.0.1:1")
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 30
        while not (tmp_path / "f.jsonl.rejected.jsonl").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 130 and "goes on where it broke off" in said and "Traceback" not in said


def test_repeated_calls_are_legs_of_one_contact_or_contacts_of_their_own(tmp_path: Path):
    (tmp_path / "f.csv").write_text("id,q,s\nc1,2026-01-05T10:00:00,a\nc1,2026-01-05T11:00:00,a\n")
    contacts = []
    for rule in ("legs", "split"):
        told = loaded(tmp_path, f'repeated = "{rule}"\n' + GOOD.replace("[times]", 'queue = "s"\n[times]'))
        sink = Sink()
        feeder = Feeder(FedFile(tmp_path / "f.csv", told), sink)
        assert feeder.run().dirt == {"repeated_call_id": 1}
        contacts.append({json.loads(text)["contact"] for text in sink.lines.values()})
    assert contacts[0] == {"c1"} and len(contacts[1]) == 2


def test_local_times_are_the_zone_s_also_when_clocks_change(tmp_path: Path):
    text = GOOD.replace("[times]", 'queue = "s"\n[time]\nzone = "Europe/Berlin"\n[times]')
    (tmp_path / "f.csv").write_text(
        "id,q,s\nc1,2026-03-29T01:59:59,a\nc2,2026-03-29T03:00:00,a\nc3,2026-07-01T12:00:00+08:00,a\n"
    )
    sink = Sink()
    Feeder(FedFile(tmp_path / "f.csv", loaded(tmp_path, text)), sink).run()
    at = {json.loads(one)["contact"]: json.loads(one)["at"] for one in sink.lines.values()}
    instants = {name: datetime.fromisoformat(when).timestamp() for name, when in at.items()}
    assert instants["c2"] - instants["c1"] == 1
    assert at["c3"].startswith("2026-07-01T04:00:00")


# --- files that broke off --------------------------------------------------------------------------------------------


@pytest.fixture
def many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(feeding_files, "PART", 50)
    text = body(calls(200)).split(b"\n")
    text[70:70] = [b"{", b'{"source":1}']
    text[400:400] = [b"\xff"]
    (tmp_path / "calls.jsonl").write_bytes(b"\n".join(text))
    return tmp_path / "calls.jsonl"


def rejected(path: Path) -> list[tuple[int, str]]:
    found = path.with_name(path.name + ".rejected.jsonl").read_text().splitlines()
    return [(one["line"], one["reason"]) for one in map(json.loads, found)]


@pytest.mark.parametrize("stop_after", range(0, 25, 4))
def test_a_file_goes_on_where_it_broke_off(many: Path, stop_after: int):
    whole, sink = Sink(), Sink()
    sink.stop_after = stop_after
    with pytest.raises(Stopped):
        Feeder(FedFile(many), sink).run()
    sink.stop_after = 1 << 30
    done = Feeder(FedFile(many), sink).run()
    expected = Feeder(FedFile(many), whole).run()
    assert sink.lines == whole.lines and sink.ends == "pbx"
    assert (done.accepted + done.duplicates, done.rejected) == (expected.accepted, 3)
    assert sink.sent <= whole.sent + 50  # only the part whose answer was lost is sent again
    assert rejected(many) == [(71, "BAD_JSON"), (72, "BAD_FIELD"), (401, "BAD_UTF8")]
    assert not many.with_name("calls.jsonl.feed.json").exists()


def test_a_file_that_changed_is_another_file(many: Path):
    sink = Sink()
    sink.stop_after = 5
    with pytest.raises(Stopped):
        Feeder(FedFile(many), sink).run()
    many.write_bytes(many.read_bytes() + b"\n")
    sink.stop_after = 1 << 30
    done = Feeder(FedFile(many), sink).run()
    assert done.duplicates > 0 and done.accepted + done.duplicates == len(calls(200))


def test_a_dry_run_sends_nothing_and_leaves_no_progress(many: Path):
    done = Feeder(FedFile(many), None).run()
    assert (done.accepted, done.duplicates, done.rejected) == (len(calls(200)), 0, 3)
    assert not many.with_name("calls.jsonl.feed.json").exists() and len(rejected(many)) == 3


def test_what_the_service_rejects_is_told_by_the_file_s_lines(many: Path):
    class Picky(Sink):
        def send(self, client: Any, content: bytes, **more: Any) -> dict[str, Any]:
            told = super().send(client, content, **more)
            if b"\n" in content:
                told |= {"accepted": told["accepted"] - 1, "rejected": 1, "reasons": {"TOO_LATE": 1}}
                told["rejections"] = [{"line": 2, "reason": "TOO_LATE", "detail": "late"}]
            return told

    done = Feeder(FedFile(many), Picky()).run()
    lines_ = [line for line, reason in rejected(many) if reason == "TOO_LATE"]
    assert done.reasons["TOO_LATE"] == len(lines_) and lines_[:9] == [2, 52, 102, 152, 202, 252, 302, 352, 403]


def test_the_command_says_how_it_ended(many: Path, capsys: pytest.CaptureFixture, monkeypatch: pytest.MonkeyPatch):
    def command(path: Path, **more: Any) -> int:
        told = {"mapping": None, "dry_run": True, "lateness": "10m", "any_order": True, "url": "http://127.0.0.1:1"}
        told |= {"token": "", "as_json": False} | more
        return feeding_files.command(path, *told.values())

    assert command(many) == 0 and "3 rejected" in capsys.readouterr().out
    assert command(many, as_json=True) == 0 and json.loads(capsys.readouterr().out)["reasons"]["BAD_JSON"] == 1
    assert command(many, lateness="soon") == 2 and "duration" in capsys.readouterr().err
    assert command(many.with_name("none")) == 2 and "No such file" in capsys.readouterr().err
    assert command(many, mapping=many) == 2
    many.with_name("calls.jsonl.rejected.jsonl").unlink()
    many.with_name("calls.jsonl.rejected.jsonl").mkdir()
    assert command(many) == 2 and "directory" in capsys.readouterr().err
    many.with_name("calls.jsonl.rejected.jsonl").rmdir()
    monkeypatch.setattr(feeding_files, "PATIENCE_S", 0.1)
    assert command(many, dry_run=False) == 1 and "goes on where it broke off" in capsys.readouterr().err


def test_terms_are_the_target_s():
    assert Target("u", "t", 600, True).any_order and Terms().lateness_ms == 600_000
