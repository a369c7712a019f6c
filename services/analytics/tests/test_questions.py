"""What may be asked of figures, over a real store: groups, filters, attributions, calendars, files (AN-2, AN-4)."""

from __future__ import annotations

import csv
import io
import os
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import httpx2
import pyarrow.parquet as pq
import pytest

from analytics import wiring
from analytics.app.questions import Questions
from analytics.config import Settings
from analytics.domain.counters import DAY, Counters
from analytics.domain.formulas import FORMULAS
from analytics.domain.levels import COHORT, EVENT, QUARTER_MS, group, quarter
from analytics.domain.tickets import WINDOW_MS
from analytics.projections.rows import StoredRows
from contactcenter.agent.v1 import events_pb2 as agent_pb
from contactcenter.contact.v1 import events_pb2 as contact_pb
from contactcenter.contact.v1.types_pb2 import CHANNEL_CHAT, CHANNEL_VOICE
from contactcenter.ticket.v1 import events_pb2 as ticket_pb
from switchlog.clock import ManualClock
from switchlog.store.opening import open_store
from switchlog.store.settings import StoreSettings
from switchlog.testing import TestIssuer
from switchlog.testing import test_settings as settings_for_tests
from switchlog.testing.places import own_store

from .folds import WHERE, deliver
from .folds import opened as pools_opened
from .people import People
from .people import opened as people_opened
from .scene import CHANNELS, NOON, TENANT, Log, S

pytestmark = pytest.mark.cassandra if os.environ.get("STORE") == "cassandra" else []

MIN, HOUR = 60 * S, 3600 * S
DAY_MS = 24 * HOUR
QUERY = "from=2025-11-24T12:00:00Z&to=2025-11-24T14:00:00Z"
TEAMS = {"ann": "t1", "bob": "t2"}
COUNTED_OF_AGENTS = ("answered", "answered_in_threshold", "transferred")


class Centre:
    """Two queues, two agents in two teams, a ticket, a contact that never queued; what is folded of them; the API."""

    def __init__(self, views) -> None:
        self.views, self.pools = views, Log()
        self.people = {kind: People(kind) for kind in ("contact", "agent", "ticket")}
        self.clock = ManualClock(NOON + 2 * HOUR)
        self.issuer = TestIssuer(tenant=TENANT)
        self.rows = StoredRows(views, "s1", "g")
        self.questions = Questions(self.rows, self.clock, "UTC")

    def calls(
        self, at: int, contact: str, queue: str, agent: str, waited: int, talked: int, wrapped: bool = True
    ) -> None:
        """Queued, answered, talked, ``wrapped`` up for a minute or still at it."""
        channel = CHANNEL_VOICE if queue == "sales" else CHANNEL_CHAT
        word = next(word for word, number in CHANNELS.items() if number == channel)
        c, team, left, gone = self.people["contact"], TEAMS[agent], at + waited, at + waited + talked
        leg = {"leg": 1, "queue": queue, "pool": "front"}
        answered = leg | {"agent": agent, "team": team}
        work = answered | {"contact": contact, "channel": channel}
        self.pools.waits(at, contact, queue, channel=word)
        self.pools.leaves(left, contact, at, queue=queue, channel=word, agent=agent, team=team)
        c.say(at, contact, contact_started=contact_pb.ContactStarted(channel=channel))
        c.say(at, contact, contact_queued=contact_pb.ContactQueued(**leg))
        c.say(left, contact, agent_connected=contact_pb.AgentConnected(**answered))
        c.say(gone, contact, agent_disconnected=contact_pb.AgentDisconnected(**answered))
        c.say(gone, contact, contact_ended=contact_pb.ContactEnded(reason=2))
        a = self.people["agent"]
        a.say(left, agent, work_started=agent_pb.WorkStarted(**work))
        for at, fact in (
            (gone, {"wrap_up_started": agent_pb.WrapUpStarted(**work)}),
            (gone + MIN, {"wrap_up_ended": agent_pb.WrapUpEnded(**work)} if wrapped else {}),
        ):
            if not fact:
                continue
            a.say(at, agent, **fact)
            self.pools.agent(at, **fact)

    def goes(self, at: int, contact: str, queue: str, waited: int) -> None:
        """Queued, and gone before anybody answered."""
        self.pools.waits(at, contact, queue)
        self.pools.leaves(at + waited, contact, at, "abandoned", queue=queue)
        c = self.people["contact"]
        c.say(at, contact, contact_started=contact_pb.ContactStarted(channel=CHANNEL_CHAT))
        c.say(at, contact, contact_queued=contact_pb.ContactQueued(leg=1, queue=queue, pool="front"))
        c.say(at + waited, contact, contact_ended=contact_pb.ContactEnded(reason=3))

    def day(self, wrapped: bool = True) -> None:
        """c2 is queued before 13:00 and answered after it."""
        for queue in ("sales", "care"):
            self.pools.defined(NOON, queue)
        agent = self.people["agent"]
        for name, team in TEAMS.items():
            known = {"agent": name, "team": team, "pool": "front"}
            agent.say(NOON, name, agent_signed_in=agent_pb.AgentSignedIn(**known))
            agent.say(NOON, name, agent_checked_in=agent_pb.AgentCheckedIn(**known))
            agent.say(NOON, name, agent_ready=agent_pb.AgentReady(**known))
        self.calls(NOON + MIN, "c1", "sales", "ann", 10 * S, 5 * MIN)
        self.calls(NOON + 20 * MIN, "c3", "care", "bob", 30 * S, 10 * MIN)
        self.calls(NOON + 59 * MIN, "c2", "sales", "bob", 2 * MIN, 30 * MIN, wrapped)
        self.goes(NOON + 5 * MIN, "c4", "care", 15 * S)
        self.people["contact"].say(NOON, "c5", contact_started=contact_pb.ContactStarted(channel=CHANNEL_VOICE))
        self.people["contact"].say(NOON, "c5", system_connected=contact_pb.SystemConnected())
        ended = contact_pb.ContactEnded(reason=contact_pb.END_REASON_SELF_SERVED)
        self.people["contact"].say(NOON + MIN, "c5", contact_ended=ended)
        for name, team in TEAMS.items():
            agent.say(
                NOON + 2 * HOUR, name, agent_signed_out=agent_pb.AgentSignedOut(agent=name, team=team, pool="front")
            )
        ticket = self.people["ticket"]
        opened = ticket_pb.TicketOpened(ticket="k1", queue="paper", channel=CHANNEL_CHAT, customer_ref="u", topic="x")
        ticket.say(NOON, "k1", ticket_opened=opened)
        ticket.say(NOON + 30 * MIN, "k1", ticket_resolved=ticket_pb.TicketResolved(resolved_by="ann"))
        for queue in ("sales", "care"):
            for n in range(1, 9):
                self.pools.final(NOON + 3 * HOUR, NOON + n * QUARTER_MS, queue=queue)

    async def fold(self) -> None:
        pools, _ = await pools_opened(self.views, self.pools)
        await deliver(pools, self.pools.records)
        for log in self.people.values():
            await deliver(await people_opened(self.views, log), log.records)
        await self.rows.fresh({WHERE: self.clock.now()})

    async def ask(self, query: str, path: str = "/v1/figures", **headers: str):
        return await self.http.get(f"{path}?{query}", headers=self.issuer.bearer("u1", ("analyst",)) | headers)

    async def said(self, query: str) -> list[dict]:
        answer = await self.ask(f"{QUERY}&{query}")
        assert answer.status_code == 200, answer.text
        return answer.json()["rows"]


class Apart:
    """A test's own views in a store that all share."""

    def __init__(self, views) -> None:
        self._views, self._name = views, f"t{uuid.uuid4().hex[:8]}"

    def __getattr__(self, method: str):
        return lambda view, *more: getattr(self._views, method)(f"{self._name}_{view}", *more)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreSettings]:
    """One store for all tests: to make one takes Cassandra seconds."""
    with own_store("analytics", tmp_path_factory.mktemp("store")) as settings:
        yield settings


@pytest.fixture
async def centre(kept: StoreSettings) -> AsyncIterator[Centre]:
    store = await open_store(kept, "analytics")
    centre = Centre(Apart(store.views))

    async def ready() -> dict[str, bool]:
        return {"store": True}

    kernel = SimpleNamespace(settings=settings_for_tests("analytics"), ready=ready)
    app = wiring.app(Settings(kernel.settings, "r1"), kernel, centre.questions, centre.issuer.verifier)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url="http://test") as centre.http:
        yield centre
    await store.close()


@pytest.fixture
async def day(centre: Centre) -> Centre:
    centre.day()
    await centre.fold()
    return centre


def by(rows: list[dict], *columns: str) -> dict:
    return {tuple(row[column] for column in columns): row for row in rows}


async def test_cohort_counts_when_it_was_queued_and_event_when_it_happened(day: Centre) -> None:
    cohort = by(await day.said("step=1h&queue=sales&attribution=cohort"), "start")
    event = by(await day.said("step=1h&queue=sales&attribution=event"), "start")
    twelve, one = ("2025-11-24T12:00:00.000Z",), ("2025-11-24T13:00:00.000Z",)
    assert {at: row["counts"]["answered"] for at, row in cohort.items()} == {twelve: 2, one: 0}
    assert {at: row["counts"]["answered"] for at, row in event.items()} == {twelve: 1, one: 1}
    assert {at: row["seconds"]["talk"] for at, row in cohort.items()} == {twelve: 2100.0, one: 0.0}
    assert {at: row["seconds"]["talk"] for at, row in event.items()} == {twelve: 300.0, one: 1800.0}
    assert {at: row["seconds"]["busy"] for at, row in cohort.items()} == {twelve: 360.0, one: 1860.0}
    assert cohort[twelve]["seconds"]["ready"] is None  # ready time is of no queue
    assert not any(event[twelve][flag] for flag in ("verdicts_final", "final", "durations_final"))


async def test_rows_of_queues_and_channels_add_up_to_the_whole(day: Centre) -> None:
    for attribution in (COHORT, EVENT):
        (whole,) = await day.said(f"step=1d&group_by=&attribution={attribution}")
        for group_by in ("queue", "channel", "queue,channel"):
            rows = await day.said(f"step=1d&group_by={group_by}&attribution={attribution}")
            for name, value in whole["counts"].items():
                assert sum(row["counts"][name] for row in rows) == value, name
            for name in ("wait_answered", "wait_abandoned", "talk", "hold", "wrap_up", "trunk"):
                assert sum(row["seconds"][name] for row in rows) == whole["seconds"][name], name
            assert sum(row["figures"]["contacts_received"] for row in rows) == 5
    assert (whole["counts"]["offered"], whole["counts"]["answered"], whole["counts"]["abandoned"]) == (4, 3, 1)


async def test_rows_of_agents_and_teams_add_up_to_what_agents_did(day: Centre) -> None:
    (whole,) = await day.said("step=1d&group_by=tenant")
    for group_by in ("agent", "team", "agent,team"):
        rows = await day.said(f"step=1d&group_by={group_by}")
        assert all(row["agent"] for row in rows if "agent" in row)
        for name in COUNTED_OF_AGENTS:
            assert sum(row["counts"][name] for row in rows) == whole["counts"][name], name
        for name in ("talk", "wrap_up", "busy", "ready", "signed_in"):
            assert sum(row["seconds"][name] for row in rows) == pytest.approx(whole["seconds"][name]), name
    assert whole["seconds"]["signed_in"] == 4 * 3600.0


async def test_agents_days_meet_their_contacts_on_reading(day: Centre) -> None:
    rows = by(await day.said("step=1d&group_by=agent"), "agent")
    assert rows.keys() == {("ann",), ("bob",)}
    ann = rows["ann",]
    assert (ann["seconds"]["busy"], ann["seconds"]["ready"], ann["seconds"]["signed_in"]) == (360.0, 6840.0, 7200.0)
    assert ann["figures"]["occupancy"] == ann["figures"]["utilization"] == pytest.approx(0.05)
    assert ann["figures"]["aht"] == 360.0
    assert ann["figures"]["contacts_per_agent_hour"] == 0.5
    assert rows["bob",]["figures"]["chat_concurrency"] == 1.0
    assert ann["figures"]["fcr_open"] == 1.0 and ann["figures"]["fcr_final"] is None


async def test_fcr_is_final_once_its_week_has_passed(day: Centre) -> None:
    day.clock.advance(WINDOW_MS + 3 * HOUR)
    (row,) = await day.said("step=1d&queue=paper&attribution=event")
    assert (row["figures"]["fcr_open"], row["figures"]["fcr_final"]) == (1.0, 1.0)
    assert row["figures"]["resolution_time"] == 1800.0


async def test_filters_choose_what_counts(day: Centre) -> None:
    (row,) = await day.said("step=1d&group_by=&agent=bob")
    assert (row["counts"]["answered"], row["counts"]["offered"], row["seconds"]["signed_in"]) == (2, 0, 7200.0)
    (row,) = await day.said("step=1d&group_by=&team=t1&channel=voice")
    assert (row["counts"]["answered"], row["seconds"]["signed_in"], row["seconds"]["busy"]) == (1, None, 360.0)
    both = await day.said("step=1d&queue=sales&queue=care")
    assert both == await day.said("step=1d&queue=care,sales")
    assert [row["queue"] for row in both] == ["care", "sales"]
    (row,) = await day.said("step=1d&queue=sales&agent=bob&group_by=queue,agent")
    assert (row["queue"], row["agent"], row["counts"]["answered"]) == ("sales", "bob", 1)


async def test_whoever_never_queued_is_in_the_row_of_no_queue(day: Centre) -> None:
    rows = by(await day.said("step=1d"), "queue")
    assert rows.keys() == {("",), ("care",), ("paper",), ("sales",)}
    nobody = rows["",]
    assert (nobody["figures"]["self_service_rate"], nobody["figures"]["ivr_containment"]) == (1.0, 1.0)
    assert not nobody["final"]


async def test_durations_are_final_when_all_is_handled_and_over(day: Centre) -> None:
    rows = by(await day.said("step=15m&queue=sales,care"), "queue", "start")
    assert all(row["verdicts_final"] and row["final"] for row in rows.values() if row["counts"]["offered"])
    assert rows["sales", "2025-11-24T12:00:00.000Z"]["durations_final"]
    (whole,) = await day.said("step=1d&group_by=&queue=sales")
    assert not whole["final"]  # its day is not over by the log's clock
    hours = by(await day.said("step=1h&group_by="), "start")
    assert hours["2025-11-24T12:00:00.000Z",]["final"]
    assert not hours["2025-11-24T12:00:00.000Z",]["durations_final"]  # it counts somebody who may still be queued


async def test_durations_are_not_final_while_somebody_wraps_up(centre: Centre) -> None:
    centre.day(wrapped=False)
    await centre.fold()
    rows = by(await centre.said("step=15m&queue=sales"), "start")
    assert rows["2025-11-24T12:00:00.000Z",]["durations_final"]
    last = rows["2025-11-24T12:45:00.000Z",]
    assert last["final"] and not last["durations_final"]


async def test_weeks_begin_on_monday_and_months_on_the_first_by_local_time(day: Centre) -> None:
    week = (await day.ask(f"{QUERY}&step=1w&tz=Asia/Shanghai&queue=sales")).json()
    assert (week["from"], week["to"]) == ("2025-11-23T16:00:00.000Z", "2025-11-30T16:00:00.000Z")
    (row,) = week["rows"]
    assert (row["start"], row["end"], row["counts"]["answered"]) == (week["from"], week["to"], 2)
    month = (await day.ask(f"{QUERY}&step=1mo&tz=Europe/Berlin&queue=sales")).json()
    assert (month["from"], month["to"]) == ("2025-10-31T23:00:00.000Z", "2025-11-30T23:00:00.000Z")


async def test_the_period_before_stands_beside(day: Centre) -> None:
    span = "from=2025-11-24T13:00:00Z&to=2025-11-24T14:00:00Z&step=1h&queue=sales&attribution=event"
    answer = (await day.ask(f"{span}&compare=previous")).json()
    assert [row["counts"]["answered"] for row in answer["rows"]] == [1]
    assert [row["counts"]["answered"] for row in answer["previous"]] == [1]
    assert answer["previous"][0]["start"] == answer["previous_from"] == "2025-11-24T12:00:00.000Z"
    assert "previous" not in (await day.ask(span)).json()
    text = (await day.ask(f"{span}&compare=previous", accept="text/csv")).text
    assert [row["period"] for row in csv.DictReader(io.StringIO(text))] == ["current", "previous"]


async def test_json_csv_and_parquet_say_the_same(day: Centre) -> None:
    query = f"{QUERY}&step=30m&group_by=queue,agent"
    rows = (await day.ask(query)).json()["rows"]
    flat = list(csv.DictReader(io.StringIO((await day.ask(query, accept="text/csv")).text)))
    file = await day.ask(query, "/v1/figures.parquet")
    assert file.headers["content-type"] == "application/vnd.apache.parquet"
    table = pq.read_table(io.BytesIO(file.content))
    typed = table.to_pylist()
    assert len(rows) == len(flat) == len(typed) >= 3
    assert list(flat[0]) == table.column_names
    for row, text, value in zip(rows, flat, typed, strict=True):
        assert text["start"] == row["start"]
        assert value["start"] == datetime.fromisoformat(row["start"])
        assert (text["queue"], value["queue"], value["agent"]) == (row["queue"], row["queue"], row["agent"])
        assert int(text["answered"]) == value["answered"] == row["counts"]["answered"]
        assert value["talk_s"] == row["seconds"]["talk"] == float(text["talk_s"])
        assert text["final"] == str(row["final"]).lower() and value["final"] is row["final"]
        for name, meant in row["figures"].items():
            assert value[name] == meant and text[name] == ("" if meant is None else repr(meant)), name
    assert table.schema.metadata[b"step"] == b"30m" and table.schema.field("offered").type == "int64"


async def test_a_table_without_rows_still_has_its_columns(day: Centre) -> None:
    query = "from=2024-11-24T12:00:00Z&to=2024-11-24T14:00:00Z&formulas=asa"
    header = (await day.ask(query, accept="text/csv")).text.strip().split(",")
    assert header[:3] == ["start", "end", "queue"] and "asa" in header
    assert pq.read_table(io.BytesIO((await day.ask(query, "/v1/figures.parquet")).content)).column_names == header
    assert (await day.ask(query)).json()["rows"] == []


async def test_every_formula_is_answered_by_name(day: Centre) -> None:
    (row,) = await day.said("step=1d&group_by=")
    assert row["figures"].keys() == FORMULAS.keys()
    answer = await day.ask("", "/v1/formulas")
    assert {one["id"] for one in answer.json()} == FORMULAS.keys()
    assert all(one["zh"] and one["en"] for one in answer.json())


async def test_plans_and_costs_are_answered_where_they_are_known(day: Centre) -> None:
    found, start = Counters(), quarter(NOON)
    for name, amount in (("scheduled_ms", 900), ("adherent_ms", 810), ("scheduled", 2), ("present", 1)):
        found.contribute(5, TENANT, [(DAY, "ann", start, "t1", name, amount)])
    for attribution in (COHORT, EVENT):
        cost = (attribution, "sales", start, group("voice"), "cost_CNY_micros", 6_000_000)
        found.contribute(5, TENANT, [cost])
    found.settle()
    await day.rows.save_counters(WHERE._replace(topic="external.events.v1"), found)
    (row,) = await day.said("step=1d&group_by=")
    assert (row["figures"]["adherence"], row["figures"]["attendance"]) == (0.9, 0.5)
    assert row["figures"]["cost_per_contact"] == pytest.approx(6 / 4)  # three by agents, one by the system
    (row,) = await day.said("step=1d&queue=sales")
    assert (row["figures"]["adherence"], row["figures"]["cost_per_contact"]) == (None, 3.0)


@pytest.mark.parametrize(
    "day_, quarters", [("2026-03-29", 92), ("2026-06-01", 96), ("2025-10-26", 100)], ids=["spring", "summer", "autumn"]
)
async def test_a_day_by_quarter_hours_has_all_of_them_and_they_add_up(centre: Centre, day_: str, quarters: int) -> None:
    noon = int(datetime.fromisoformat(f"{day_}T12:00:00+00:00").timestamp() * 1000)
    centre.pools.defined(noon - DAY_MS)
    begin = noon - noon % DAY_MS - 2 * HOUR
    for n in range(28 * 4):
        centre.pools.waits(begin + n * QUARTER_MS, f"c{n}")
    centre.clock.advance(noon + DAY_MS - centre.clock.now())
    await centre.fold()
    at = datetime.fromtimestamp(noon / 1000, UTC).isoformat().replace("+00:00", "Z")
    query = f"from={at}&to={at.replace('T12:00:00', 'T12:00:01')}&step=1d&tz=Europe/Berlin"
    (whole,) = (await centre.ask(query)).json()["rows"]
    span = f"from={whole['start']}&to={whole['end']}&tz=Europe/Berlin"
    rows = (await centre.ask(f"{span}&step=15m")).json()["rows"]
    assert len(rows) == whole["counts"]["offered"] == quarters
    halves = (await centre.ask(f"{span}&step=30m")).json()["rows"]
    hours = (await centre.ask(f"{span}&step=1h")).json()["rows"]
    assert (len(halves), len(hours)) == (quarters // 2, quarters // 4)
