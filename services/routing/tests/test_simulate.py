"""``python -m routing simulate``: files in, files out, the same bytes, and mistakes told by line and column."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from random import Random
from typing import Any

import pytest

from routing.__main__ import app

from .erlang import waits_by_recursion

ROSTER = "agent_id,from,to,queues,skills,voice,chat\na1,0,,q1,,1,\na2,0,,q1,,1,\n"
ARRIVALS = "contact_id,at,queue,service_s\nc1,0,q1,60\nc2,1.5,q1,60\nc3,2.001,q1,60\n"


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


class Files:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def simulate(self, *options: str, arrivals: str = ARRIVALS, roster: str = ROSTER, out: str = "out") -> int:
        (self.folder / "A.csv").write_text(arrivals)
        (self.folder / "R.csv").write_text(roster)
        given = () if "--poisson" in options else ("--arrivals", str(self.folder / "A.csv"))
        where = ("--roster", str(self.folder / "R.csv"), "--out", str(self.folder / out))
        try:
            code = app(["simulate", *given, *where, *options])
        except SystemExit as ended:
            code = ended.code
        return code or 0

    def contacts(self, out: str = "out") -> list[dict[str, str]]:
        with (self.folder / out / "contacts.csv").open(newline="") as file:
            return list(csv.DictReader(file))

    def figures(self, out: str = "out") -> dict[str, Any]:
        return json.loads((self.folder / out / "figures.json").read_text())

    def decisions(self, out: str = "out") -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / out / "decisions.jsonl").read_text().splitlines()]

    def bytes(self, out: str = "out") -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in sorted((self.folder / out).iterdir())}


# -- what it writes ----------------------------------------------------------------------------------------------------


def test_contacts_are_written_in_order_of_arrival_with_every_time_to_the_millisecond(files: Files) -> None:
    assert files.simulate() == 0
    assert (files.folder / "out" / "contacts.csv").read_text().splitlines() == [
        "contact_id,queue,queued_at,offered_at,answered_at,agent_id,ended_at,outcome,wait_s,offers",
        "c1,q1,0.000,0.000,0.000,a1,60.000,answered,0.000,1",
        "c2,q1,1.500,1.500,1.500,a2,61.500,answered,0.000,1",
        "c3,q1,2.001,60.000,60.000,a1,120.000,answered,57.999,1",
    ]


def test_times_with_offset_are_written_as_instants(files: Files) -> None:
    arrivals = "contact_id,at,queue,service_s\nc1,2026-01-05T08:00:00.250+08:00,q1,60\n"
    roster = ROSTER.replace(",0,", ",2026-01-05T00:00:01Z,")
    assert files.simulate(arrivals=arrivals, roster=roster) == 0
    (row,) = files.contacts()
    assert (row["queued_at"], row["answered_at"]) == ("2026-01-05T00:00:00.250Z", "2026-01-05T00:00:01.000Z")
    assert files.figures()["rows"][0]["start"] == "2026-01-05T00:00:00.000Z"


def test_every_decision_is_a_line_with_its_policy_and_explanation(files: Files) -> None:
    """RT-10."""
    assert files.simulate("--policy", "longest-idle@1") == 0
    decisions = files.decisions()
    assert [(one["at"], one["contact"], one["agent"]) for one in decisions] == [
        ("0.000", "c1", "a1"),
        ("1.500", "c2", "a2"),
        ("60.000", "c3", "a1"),
    ]
    assert {one["policy"] for one in decisions} == {"longest-idle@1"}
    assert decisions[1]["explanation"] | {"considered": 2, "refused": {"NO_CAPACITY": 1}} == decisions[1]["explanation"]


def test_figures_have_the_shape_and_the_words_of_the_figures_answer(files: Files) -> None:
    assert files.simulate() == 0
    found = files.figures()
    assert (found["tz"], found["step"], found["attribution"], found["threshold_s"]) == ("UTC", "30m", "cohort", 20)
    (row,) = found["rows"]
    assert {row["verdicts_final"], row["final"], row["durations_final"]} == {True}
    assert row["counts"] == {
        **dict.fromkeys(row["counts"], 0), "offered": 3, "answered": 3, "answered_in_threshold": 2,
    }  # fmt: skip
    assert row["seconds"]["wait_answered"] == 57.999
    assert (row["seconds"]["talk"], row["seconds"]["busy"], row["seconds"]["signed_in"]) == (180.0, 180.0, 240.0)
    assert row["figures"]["sl_strict"] == pytest.approx(2 / 3)
    assert row["figures"]["asa"] == pytest.approx(57.999 / 3)
    assert row["figures"]["occupancy"] == pytest.approx(180 / 240)
    assert row["figures"]["avg_abandon_time"] is None


def test_the_identity_holds_in_every_row(files: Files) -> None:
    options = ("--poisson", "120/h", "--service", "exp:120", "--patience", "exp:60", "--hours", "3", "--until", "10000")
    assert files.simulate(*options) == 0
    rows = files.figures()["rows"]
    assert len(rows) == 6
    for counts in (row["counts"] for row in rows):
        gone = ("answered", "abandoned", "flowed_out", "callback", "timed_out", "blocked", "failed", "waiting")
        assert counts["offered"] == sum(counts[name] for name in gone)


def test_the_same_inputs_and_seed_give_the_same_bytes_and_another_seed_others(files: Files) -> None:
    options = ["--poisson", "120/h", "--service", "exp:60", "--patience", "exp:120", "--hours", "2"]
    options += ["--answer", "exp:3", "--decline", "0.05", "--missed", "0.05", "--offer-timeout", "15"]
    for out, seed in (("one", "7"), ("two", "7"), ("three", "8")):
        assert files.simulate(*options, "--seed", seed, out=out) == 0
    assert files.bytes("one") == files.bytes("two")
    assert files.bytes("one")["contacts.csv"] != files.bytes("three")["contacts.csv"]
    assert list(files.bytes("one")) == ["contacts.csv", "decisions.jsonl", "figures.json"]


@pytest.mark.parametrize("agents", [1, 4])
def test_waits_of_a_file_are_the_textbook_recursion_to_the_millisecond(files: Files, agents: int) -> None:
    """RT-12."""
    chance, at = Random(agents), 0
    arrivals, services = [], []
    for _ in range(1500):
        at += round(chance.expovariate(1 / 1000) * 1000)
        arrivals.append(at)
        services.append(round(chance.expovariate(1 / (0.9 * agents)) * 1000 * 1000))
    given = enumerate(zip(arrivals, services, strict=True))
    lines = [f"c{n:06d},{at / 1000:.3f},q1,{service / 1000:.3f}" for n, (at, service) in given]
    roster = "agent_id,from,to\n" + "".join(f"a{n},,\n" for n in range(agents))
    assert files.simulate(arrivals="contact_id,at,queue,service_s\n" + "\n".join(lines) + "\n", roster=roster) == 0
    waits = [round(float(row["wait_s"]) * 1000) for row in files.contacts()]
    assert waits == waits_by_recursion(arrivals, services, agents)


def test_priority_skills_and_a_preferred_agent_count(files: Files) -> None:
    arrivals = (
        "contact_id,at,queue,channel,priority,skills,service_s,patience_s,wrap_up_s,preferred_agent\n"
        "c1,0,q1,voice,,billing:3,60,,,\nc2,1,q1,voice,0,,60,,,\nc3,2,q1,voice,5,,60,,,\nc4,200,q1,voice,,,60,,10,a2\n"
    )
    roster = "agent_id,from,to,queues,skills,voice\na1,0,,q1,billing:2,1\na2,0,,q1,billing:3;en,1\n"
    assert files.simulate(arrivals=arrivals, roster=roster) == 0
    assert [(row["contact_id"], row["agent_id"]) for row in files.contacts()] == [
        ("c1", "a2"), ("c2", "a1"), ("c3", "a2"), ("c4", "a2"),
    ]  # fmt: skip


def test_an_agent_without_capacities_handles_one_contact_at_a_time(files: Files) -> None:
    arrivals = "contact_id,at,queue,channel,service_s\nc1,0,q1,voice,60\nc2,1,q1,chat,60\n"
    assert files.simulate(arrivals=arrivals, roster="agent_id,from,to\na1,,\n") == 0
    assert [row["wait_s"] for row in files.contacts()] == ["0.000", "59.000"]


def test_a_configuration_says_what_queues_there_are_and_how_long_offers_ring(files: Files) -> None:
    config = files.folder / "C.yaml"
    config.write_text("pools: {p1: {}}\nqueues:\n  q1: {pool: p1, offer_timeout_s: 5}\n")
    options = ["--config", str(config), "--missed", "1", "--until", "6"]
    assert files.simulate(*options) == 0
    assert files.decisions()[0]["expires_at"] == "5.000"
    assert files.figures()["rows"][0]["figures"]["non_response"] == pytest.approx(2 / 4)


def test_an_offer_without_a_timeout_is_written_as_one_that_never_expires(files: Files) -> None:
    assert files.simulate() == 0
    assert {one["expires_at"] for one in files.decisions() if one["decision"] == "ContactOffered"} == {""}


def test_a_configuration_that_is_no_yaml_is_told_by_its_line(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    config = files.folder / "C.yaml"
    config.write_text("queues:\n  q1: {}\n   bad\n")
    assert files.simulate("--config", str(config)) == 2
    place, said = capsys.readouterr().err.removeprefix(f"routing simulate: {config}:").split(": ", 1)
    assert place.split(":")[0] == "3"
    assert said.strip() and not said.startswith(":")


def test_a_file_that_is_not_there_is_named(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(files.folder / "nope.yaml")
    assert files.simulate("--config", missing) == 2
    assert capsys.readouterr().err == f"routing simulate: {missing}: no such file or directory\n"


CENTRE = """
pools: {p1: {}}
hours:
  day: {time_zone: UTC, weekly: {thu: ["00:00-00:10"]}}
workflows:
  first:
    pool: p1
    targets:
      - {queue: q1, timeout_s: 30, expression: "'gold' in agent.skills"}
      - {queue: q1}
queues:
  q1: {pool: p1, workflow: first, auto_accept: true, hours: day}
"""


def test_a_configuration_brings_its_workflows_expressions_and_opening_hours(files: Files) -> None:
    """RT-4, RT-6: who has the skill is looked for alone for 30 s; the queue closes at ten past midnight."""
    config = files.folder / "C.yaml"
    config.write_text(CENTRE)
    arrivals = "contact_id,at,queue,service_s\nc1,5,q1,100\nc2,10,q1,60\nc3,599,q1,10\nc4,600,q1,10\n"
    roster = "agent_id,from,to,queues,skills,voice\na1,0,,q1,gold,1\na2,0,,q1,,1\n"
    assert files.simulate("--config", str(config), arrivals=arrivals, roster=roster) == 0
    told = [(row["contact_id"], row["agent_id"], row["wait_s"], row["outcome"]) for row in files.contacts()]
    assert told == [
        ("c1", "a1", "0.000", "answered"),
        ("c2", "a2", "30.000", "answered"),
        ("c3", "a1", "0.000", "answered"),
        ("c4", "", "0.000", "blocked"),
    ]
    assert "TargetReached" in {one["decision"] for one in files.decisions()}


def test_json_puts_the_figures_over_all_on_standard_output(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    assert files.simulate("--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["contacts"], told["counts"]["answered"]) == (3, 3)


# -- what it refuses ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arrivals", "told"),
    [
        ("contact_id,at,queue,service_s\nc1,0,q1,60\nc2,soon,q1,60\n", "A.csv:3:2: at: 'soon'"),
        ("contact_id,at,queue,service_s\nc1,0,q1,-1\n", "A.csv:2:4: service_s: '-1'"),
        ("contact_id,at,queue,service_s\nc1,0,q1,\n", "A.csv:2:4: service_s: is empty"),
        ("contact_id,at,queue,service_s\nc1,0,q1\n", "A.csv:2:1: 3 fields, but the header has 4"),
        ("contact_id,at,queue,service_s\nc1,0,q1,1\nc1,1,q1,1\n", "A.csv:3:1: contact_id: 'c1' stands on line 2"),
        ("contact_id,at,queue\nc1,0,q1\n", "A.csv:1:1: the column 'service_s' is missing"),
        ("contact_id,at,queue,service\nc1,0,q1,1\n", "A.csv:1:4: 'service' is not a column here"),
        ("contact_id,at,queue,service_s,channel\nc1,0,q1,1,fon\n", "A.csv:2:5: channel: 'fon' is none of"),
        ("contact_id,at,queue,service_s,skills\nc1,0,q1,1,en:x\n", "A.csv:2:5: skills: 'en:x' is no skill"),
        ("contact_id,at,queue,service_s\nc1,2026-01-05T08:00:00,q1,1\n", "A.csv:2:2: at: '2026-01-05T08:00:00' needs"),
    ],
)
def test_a_bad_row_is_told_by_file_line_and_column(
    files: Files, capsys: pytest.CaptureFixture[str], arrivals: str, told: str
) -> None:
    assert files.simulate(arrivals=arrivals) == 2
    assert told in capsys.readouterr().err
    assert not (files.folder / "out").exists()


@pytest.mark.parametrize(
    ("roster", "told"),
    [
        ("agent_id,from,to\na1,10,5\n", "R.csv:2:3: to: does not come after from"),
        ("agent_id,from,to\na1,0,10\na1,9,20\n", "R.csv:3:2: from: 'a1' has another row at that time"),
        ("agent_id,from,to,voice\na1,0,10,many\n", "R.csv:2:4: voice: 'many' is not a whole number"),
        ("agent_id,from,to\na1,2026-01-05T08:00:00Z,\n", "R.csv:2:2: from: '2026-01-05T08:00:00Z' is not a number of"),
    ],
)
def test_a_bad_roster_is_told_by_file_line_and_column(
    files: Files, capsys: pytest.CaptureFixture[str], roster: str, told: str
) -> None:
    assert files.simulate(roster=roster) == 2
    assert told in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--poisson", "many", "--service", "exp:1", "--hours", "1"), "'many' is no rate such as 360/h"),
        (("--poisson", "1/h", "--service", "exponential", "--hours", "1"), "'exponential' is none of exp:MEAN"),
        (("--poisson", "1/h", "--hours", "1"), "--poisson needs --service"),
        (("--policy", "best@9"), "--policy best@9: one of"),
        (("--until", "noon"), "--until: 'noon' is not a number of seconds"),
        (("--tz", "Mars/Base"), "--tz Mars/Base"),
        (("--missed", "0.5"), "--missed needs --offer-timeout"),
    ],
)
def test_a_bad_option_is_told_by_its_name(
    files: Files, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], told: str
) -> None:
    assert files.simulate(*options) == 2
    assert told in capsys.readouterr().err


def test_all_mistakes_of_a_file_are_told_at_once(files: Files, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"c{n},{n},q1,x\n" for n in range(30))
    assert files.simulate(arrivals=f"contact_id,at,queue,service_s\n{rows}") == 2
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 21 and told[-1].endswith("and 10 more")
