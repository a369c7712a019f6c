"""A centre's configuration as a file: read with its mistakes, compared, sent to its owners, written back."""

from __future__ import annotations

import json
import time
from bisect import bisect_right
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml

from routing.adapters import owners as owners_module
from routing.adapters.config_checks import Known
from routing.adapters.config_export import exported
from routing.adapters.config_files import config_in
from routing.adapters.configuring import addresses, apply_file
from routing.adapters.defined import definition_of, queue_of
from routing.adapters.definitions import hours_definition, hours_form, queue_definition, queue_form_of
from routing.adapters.forms import HoursIn, QueueIn
from routing.adapters.owners import BY_NAME, COLLECTIONS, Owners
from routing.adapters.yaml_marks import Mistakes
from routing.app.configuration import Place, difference
from routing.domain.commands import ChoosePolicy, DefineHours, DefineQueue, DefineWorkflow
from switchlog.errors import Rejected

WHOLE = Path(__file__).parent / "whole-centre.yaml"
SERVICES = ("routing", "agent_state", "ingress_chat", "ingress_voice")


# -- reading -----------------------------------------------------------------------------------------------------------


def mistakes(text: str, known: Known | None = None) -> list[str]:
    with pytest.raises(Mistakes) as found:
        config_in(text, known)
    return [str(one) for one in found.value.found]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("queues: [", "did not find expected node content"),
        ("a: 1", "line 1, column 1: a: is not known here"),
        (
            "queues:\n  q: {pool: p, offer_timout_s: 3}",
            "line 2, column 16: queues.q.offer_timout_s: is not known ",
        ),
        (
            "queues:\n  q:\n    pool: p\n    max_length: many",
            "line 4, column 17: queues.q.max_length: expected a ",
        ),
        ("queues:\n  q: {}", "line 2, column 3: queues.q.pool: is missing"),
        ("queues:\n  'a b': {pool: p}", "line 2, column 3: queues.a b: expected an id such as help-desk"),
        ("queues:\n  q: {pool: p}\n  q: {pool: p}", "line 3, column 3: 'q' stands here twice"),
        ("queues:\n  q: {pool: p, hours: night}", "line 2, column 23: queues.q.hours: no 'night' in hours"),
        ("queues:\n  q: {pool: p, policy: fair}", "line 2, column 24: queues.q.policy: no 'fair' in policies"),
        ("pools:\n  p: {policy: best@9}", "line 2, column 15: pools.p.policy: no policy 'best@9'; there are "),
        ("hours:\n  h: {time_zone: Mars/Base}", "line 2, column 18: hours.h.time_zone: expected an IANA time zone"),
        (
            "hours:\n  h: {time_zone: UTC, weekly: {mon: [9-12]}}",
            "line 2, column 38: hours.h.weekly.mon.0: expected ",
        ),
        (
            "hours:\n  h: {time_zone: UTC, holidays: {2026-02-30: []}}",
            "line 2, column 34: hours.h.holidays.2026-02-",
        ),
        ("queues:\n  q: {pool: p, targeting: agent.(}", "line 2, column 27: queues.q.targeting: says nothing: "),
        ("pools:\n  p: {parameters: {speed: 3}}", "line 2, column 27: pools.p.parameters.speed: unknown parameter"),
        (
            "workflows:\n  w: {pool: p, targets: [{queue: q, order_by: luck}]}",
            "order_by: cannot order agents by 'luck'",
        ),
        ("entry_points:\n  d: {channel: fax, queue: q}", "entry_points.d: channel: expected chat or voice, not 'fax'"),
        ("entry_points:\n  d: {queue: q}", "line 2, column 3: entry_points.d: channel is missing: chat or voice"),
        ("entry_points:\n  d: {channel: voice, queue: q}", "line 2, column 3: entry_points.d.called: is missing"),
        (
            "queues:\n  q: {pool: p, overflows: [{rule: r, trigger: length, action: end}]}",
            "line 2, column 28: queues.q.overflows.0: trigger length needs limit",
        ),
        (
            "queues:\n  q: {pool: p, overflows: [{rule: r, trigger: closed, action: queue, to_queue: q}]}",
            "a queue cannot overflow into itself",
        ),
        (
            "workflows:\n  w: {pool: p, targets: [{queue: q, timeout_s: 9}, {queue: q, timeout_s: 5}, {queue: q}]}",
            "line 2, column 16: workflows.w.targets: timeouts are cumulative",
        ),
    ],
)
def test_a_mistake_is_told_by_line_column_and_what_was_expected(text: str, said: str) -> None:
    """Configuration as a file: nothing is used of a file that has one."""
    assert any(said in one for one in mistakes(text)), mistakes(text)


def test_all_mistakes_are_told_at_once_in_the_order_of_the_lines() -> None:
    found = mistakes("pools:\n  p: {policy: 3}\nqueues:\n  q: {}\n  r: {pool: p, weight: -1}\n")
    assert [one.split(",")[0] for one in found] == ["line 4", "line 5"]


def test_a_name_may_lead_to_what_stands_already() -> None:
    text = "queues:\n  q: {pool: p, hours: night}"
    assert config_in(text, Known({"hours": frozenset({"night"})})).parts
    assert "did you mean nights?" in mistakes(text, Known({"hours": frozenset({"nights"})}))[0]


def test_what_a_file_says_is_not_turned_into_something_else() -> None:
    """YAML's own habits: no is a word here, 007 an id, 22:00 a time."""
    text = "teams: {no: {name: on}}\nagents:\n  007: {name: 1e3, team: no, pool: p}\n"
    parts = config_in(text).parts
    assert parts[Place("agent_state", "agents", "007")]["name"] == "1e3"
    assert parts[Place("agent_state", "teams", "no")] == {"name": "on"}


def test_a_merged_mapping_counts_less_than_what_stands_beside_it() -> None:
    text = "queues:\n  a: &usual {pool: p, priority: 3, weight: 2}\n  b: {<<: *usual, priority: 5}\n"
    body = config_in(text).parts[Place("routing", "queues", "b")]
    assert (body["pool"], body["priority"], body["weight"]) == ("p", 5, 2)


def test_named_policies_and_targets_are_written_out() -> None:
    parts = config_in(WHOLE.read_text()).parts
    front, help_ = parts[Place("routing", "pools", "front")], parts[Place("routing", "queues", "help")]
    assert front == {"policy": "longest-idle@1", "parameters": {"ageing_ms_per_priority": "60000"}}
    assert (help_["service_level_target"], help_["interval_targets"][0]["service_level_threshold_s"]) == (0.8, 60.0)
    assert help_["overflows"][0]["to_pool"] == "front"


def test_the_same_file_makes_the_orders_that_a_pool_is_told() -> None:
    """What `simulate` and `what-if` are told is what production is told."""
    orders = config_in(WHOLE.read_text()).orders["front"]
    kinds = [type(order) for order in orders]
    assert kinds == [DefineHours, DefineWorkflow, DefineQueue, DefineQueue, DefineQueue, ChoosePolicy]
    queue = next(order.queue for order in orders if isinstance(order, DefineQueue) and order.queue.id == "help")
    assert [(rule.rule, rule.limit) for rule in queue.overflows] == [("full", 10), ("slow", 90_500)]
    assert queue.surge and queue.surge.start_percent == 250


# -- there and back ----------------------------------------------------------------------------------------------------


def test_every_setting_of_a_queue_comes_back_as_it_was_written() -> None:
    body = config_in(WHOLE.read_text()).parts[Place("routing", "queues", "help")]
    form = QueueIn.model_validate(body)
    assert {name for name in QueueIn.model_fields if form.model_dump()[name] == _defaults()[name]} <= UNCHANGED
    assert queue_form_of(queue_of(queue_definition("help", form)).definition, "front") == form


UNCHANGED = {"open", "policy", "workflow"}


def _defaults() -> dict[str, Any]:
    return QueueIn(pool="x").model_dump()


def test_a_queue_that_the_pool_said_anew_says_the_same() -> None:
    """As when a supervisor closed it: then there are only the fields that a pool knows."""
    form = QueueIn.model_validate(config_in(WHOLE.read_text()).parts[Place("routing", "queues", "help")])
    definition = queue_definition("help", form)
    definition.restated = True
    again = definition_of(queue_of(definition)).SerializeToString()
    assert queue_form_of(again, "front") == form


def test_opening_hours_come_back_as_they_were_written() -> None:
    """RT-6"""
    form = HoursIn(
        name="办公",
        time_zone="Asia/Shanghai",
        weekly={"fri": ["22:00-06:00"], "mon": ["09:00-12:00", "13:00-18:00"]},
        holidays={"2026-10-01": [], "2026-10-02": {"name": "short", "spans": ["10:00-11:00"]}},  # type: ignore[dict-item]
    )
    assert hours_form(hours_definition("office", form)) == form


# -- owners ------------------------------------------------------------------------------------------------------------


class Centre:
    """Four services that keep what they are told and show it as the real ones do; ``lag`` looks late."""

    def __init__(self, lag: int = 0) -> None:
        self.kept: dict[tuple[str, str], dict[str, dict[str, Any]]] = {}
        self.sent: list[str] = []
        self.ids: dict[str, list[str]] = {}
        self.keys: list[str] = []
        self.refuse: dict[str, httpx2.Response] = {}
        self.lag = lag

    def answer(self, request: httpx2.Request) -> httpx2.Response:
        owner, parts = request.url.host, request.url.path.split("/")[2:]
        if request.method == "GET":
            return httpx2.Response(200, json=self._shown(owner, parts[0], dict(request.url.params)))
        self.keys.append(request.headers["idempotency-key"])
        if refusal := self.refuse.pop(parts[1], None):
            return refusal
        self.sent.append(f"{request.method} {parts[0]}/{parts[1]}")
        parts[1], _, verb = parts[1].partition(":")
        kept = self.kept.setdefault((owner, parts[0]), {})
        if request.method == "DELETE" or verb == "remove":
            del kept[parts[1]]
        else:
            kept[parts[1]] = json.loads(request.content)
        return httpx2.Response(200, json={"stream": "s", "version": 1})

    def _shown(self, owner: str, name: str, asked: dict[str, str]) -> Any:
        collection = BY_NAME[owner, name]
        if self.sent and self.lag > 0:
            self.lag -= 1
            return {name: [], "next": ""} if owner in ("routing", "agent_state") else []
        rows = [
            {collection.key: id, "version": 7, "leaving_to": None, **body}
            for id, body in self._after(owner, name, asked["after"])
        ]
        if owner.startswith("ingress"):
            return rows
        more = len(rows) > int(asked["limit"])
        page = rows[: int(asked["limit"])]
        return {name: page, "next": page[-1][collection.key] if more else None}

    def _after(self, owner: str, name: str, after: str) -> list[tuple[str, dict[str, Any]]]:
        kept = self.kept.get((owner, name), {})
        known = self.ids.get(f"{owner} {name}", [])
        if len(known) != len(kept) or after == "":
            known = self.ids[f"{owner} {name}"] = sorted(kept)
        begin = bisect_right(known, after)
        return [(id, kept[id]) for id in known[begin : begin + 101]]

    def owners(self) -> Owners:
        made = Owners({name: f"http://{name}" for name in SERVICES}, "t")
        made._client = httpx2.AsyncClient(transport=httpx2.MockTransport(self.answer))
        return made


async def apply(centre: Centre, file: Path, **more: Any) -> list[str]:
    """What was sent for ``file``."""
    before = len(centre.sent)
    async with centre.owners() as owners:
        await apply_file(file, owners, lambda done, of: None, **more)
    return centre.sent[before:]


async def test_each_part_is_sent_to_its_owner_what_others_name_first() -> None:
    centre = Centre()
    sent = await apply(centre, WHOLE)
    assert sent[0] == "PUT teams/team-1"
    assert sent[-1].startswith("PUT agents/")
    places = [one.split("/")[0].removeprefix("PUT ") for one in sent]
    assert places.index("hours") < places.index("workflows") < places.index("queues") < places.index("pools")
    assert set(centre.kept) == {(one.owner, one.name) for one in COLLECTIONS}


async def test_a_second_apply_changes_nothing() -> None:
    """PL-3"""
    centre = Centre()
    assert await apply(centre, WHOLE)
    assert await apply(centre, WHOLE) == []


async def test_export_then_apply_changes_nothing(tmp_path: Path) -> None:
    centre = Centre()
    await apply(centre, WHOLE)
    text = await written(centre)
    (again := tmp_path / "again.yaml").write_text(text)
    assert await apply(centre, again) == []
    fresh = Centre()
    await apply(fresh, again)
    assert fresh.kept == centre.kept


async def written(centre: Centre) -> str:
    async with centre.owners() as owners:
        found = [await owners.standing(one) for one in COLLECTIONS]
    standing = {place: body for some in found for place, body in some.items()}
    return yaml.safe_dump(exported(standing), allow_unicode=True, sort_keys=False)


async def test_only_what_differs_is_sent(tmp_path: Path) -> None:
    centre = Centre()
    await apply(centre, WHOLE)
    (changed := tmp_path / "changed.yaml").write_text(WHOLE.read_text().replace("after_s: 90.5", "after_s: 91"))
    assert await apply(centre, changed) == ["PUT queues/help"]


async def test_what_the_file_does_not_name_goes_only_when_asked_and_last(tmp_path: Path) -> None:
    centre = Centre()
    await apply(centre, WHOLE)
    (less := tmp_path / "less.yaml").write_text("queues:\n  help: {pool: front}\nworkflows:\n  vip: " + VIP)
    assert await apply(centre, less) == ["PUT workflows/vip", "PUT queues/help"]
    assert await apply(centre, less, remove=True) == ["POST queues/backup:remove", "POST queues/night:remove"]


VIP = "{pool: front, targets: [{queue: help}]}\n"


async def test_opening_hours_stay_in_pools_that_a_file_does_not_name(tmp_path: Path) -> None:
    centre = Centre()
    await apply(centre, WHOLE)
    other = tmp_path / "other.yaml"
    other.write_text("queues:\n  back: {pool: back, hours: office}\nhours:\n  office: {time_zone: UTC}\n")
    await apply(centre, other)
    assert centre.kept["routing", "hours"]["office"]["pools"] == ["back", "front"]
    assert await apply(centre, other) == []


async def test_owners_that_are_busy_are_asked_again_with_the_same_key_and_never_in_another_run() -> None:
    centre = Centre()
    centre.refuse["team-1"] = httpx2.Response(429, headers={"retry-after": "1"}, json={"reason": "TOO_MANY"})
    assert "PUT teams/team-1" in await apply(centre, WHOLE)
    assert centre.keys.count(centre.keys[0]) == 2
    (changed := Centre()).kept = {}
    await apply(changed, WHOLE)
    assert not set(centre.keys) & set(changed.keys)


async def test_a_refusal_names_the_part_and_stops() -> None:
    centre = Centre()
    said = {"reason": "BAD_EXPRESSION", "detail": "targeting: at 1:3"}
    centre.refuse["help"] = httpx2.Response(422, json=said)
    with pytest.raises(ExceptionGroup) as found:
        await apply(centre, WHOLE)
    assert found.group_contains(Rejected, match="BAD_EXPRESSION: routing /v1/queues/help: 422 targeting: at 1:3")
    assert not any(one.startswith("PUT agents") for one in centre.sent)


async def test_owners_that_show_late_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second apply right after the first has nothing to do: read models are behind their facts."""
    monkeypatch.setattr("routing.app.applying.LOOK_EVERY_S", 0.001)
    centre = Centre(lag=30)
    await apply(centre, WHOLE)
    assert centre.lag == 0
    assert await apply(centre, WHOLE) == []


async def test_ten_thousand_agents_are_read_sent_and_found_the_same(tmp_path: Path) -> None:
    """PL-3: with how far it is told on the way."""
    file, centre, told = tmp_path / "many.yaml", Centre(), []
    rows = (
        f"  a{n}: {{name: Agent {n}, team: t, pool: p, skills: [{{skill: en, level: 2}}]}}\n" for n in range(10_000)
    )
    file.write_text("agents:\n" + "".join(rows))
    began = time.monotonic()
    async with centre.owners() as owners:
        await apply_file(file, owners, lambda done, of: told.append((done, of)))
    assert (len(centre.sent), told[-1], len(told)) == (10_000, (10_000, 10_000), 10_000)
    assert await apply(centre, file) == []
    assert time.monotonic() - began < 120


def test_addresses_are_those_of_this_machine_unless_said_otherwise() -> None:
    found = addresses(["routing=http://r:1/", "agent_state=http://a:2"], {"INGRESS_CHAT_PORT": "9"})
    assert (found["routing"], found["agent_state"]) == ("http://r:1", "http://a:2")
    assert (found["ingress_chat"], found["ingress_voice"]) == ("http://127.0.0.1:9", "http://127.0.0.1:8102")


def test_a_difference_is_told_field_by_field() -> None:
    place = Place("agent_state", "agents", "a")
    wanted, standing = (
        {"name": "A", "ranks": {"q": 2}, "units": 3},
        {"name": "A", "ranks": {"q": 1, "r": 1}, "units": 3},
    )
    (change,) = difference({place: wanted}, {place: standing})
    assert [(one.name, one.before, one.after) for one in change.fields] == [("ranks.q", 1, 2), ("ranks.r", 1, None)]
    assert difference({place: wanted}, {place: wanted}) == []


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(owners_module, "PATIENCE_S", 5.0)
