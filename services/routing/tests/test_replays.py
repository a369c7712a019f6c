"""Replay of a local day (RT-10, kernel rule 19): identical, or the first difference with both decisions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from contactcenter.routing.v1.events_pb2 import RoutingEvent
from routing.__main__ import app
from routing.app.replays import Replayed, replay_day
from routing.app.why import Why
from routing.domain.events import ContactOffered, PoolDayStarted, PoolOpened
from routing.projections.pools import Pools
from routing.wiring import looking_back_at
from switchlog.errors import NotFound
from switchlog.store.sqlite import open_sqlite

from .bench import Bench
from .recorded import DATE, DEMO, POOL, QUARTER, keep, messages, rules, why_of
from .world import POOL as BENCH_POOL

SERVICE = Path(__file__).parents[1]
MISSED = "213fbe814c285338ae6354fdd5460411"


async def replayed(why: Why, date: str = DATE) -> Replayed:
    (pool,) = await why.history.pools.all()
    return await replay_day(why.history, pool, date)


@pytest.mark.parametrize(("file", "date", "events"), [(DEMO, DATE, 1007), (QUARTER, "2025-06-16", 305)])
async def test_a_recorded_day_is_decided_the_same_again(file: Path, date: str, events: int) -> None:
    """RT-10"""
    found = await replayed(await why_of(file), date)
    assert found.identical and found.difference is None
    assert found.events == events and found.turns > 100 and found.unknown == 0


@pytest.mark.parametrize("date", ["2025-06-16", "2025-06-17"])
async def test_a_day_of_every_rule_is_decided_the_same_again(date: str) -> None:
    """RT-4, RT-5, RT-6, RT-8, RT-10"""
    found = await replayed(await rules(), date)
    assert found.identical and found.events > 50 and found.closed is (date == "2025-06-16")


async def test_it_does_not_matter_where_pages_end() -> None:
    """Turns are put together across reads: memory does not grow with the day."""
    why = await why_of()
    sizes = []
    for page in (7, 64, 5000):
        history = looking_back_at(_store_of(why), page).history
        found = await replay_day(history, POOL, DATE)
        sizes.append((found.identical, found.turns, found.events))
    assert len(set(sizes)) == 1 and sizes[0][0]


def _store_of(why: Why) -> object:
    class Store:
        events, views, seen = why.history.events, why.queues.views, why.history.seen  # type: ignore[attr-defined]

    return Store


async def test_progress_is_told_until_the_end() -> None:
    told: list[tuple[int, int]] = []
    why = await why_of()
    await replay_day(why.history, POOL, DATE, lambda done, of: told.append((done, of)))
    assert told[-1] == (1010, 1010)
    assert told == sorted(told)


def other_agent(message: RoutingEvent) -> None:
    if message.contact_offered.contact == MISSED:
        message.contact_offered.agent = "agent-3"


def more_slots(message: RoutingEvent) -> None:
    for capacity in message.agent_observed.fact.joined_pool.standing.capacities:
        capacity.slots += 1


def later_deadline(message: RoutingEvent) -> None:
    if message.HasField("contact_offered"):
        message.contact_offered.expires_at.seconds += 1


@pytest.mark.parametrize("alter", [other_agent, more_slots, later_deadline])
async def test_an_altered_day_diverges_with_both_decisions(alter: Callable[[RoutingEvent], None]) -> None:
    """RT-10: one altered history that must diverge."""
    found = await replayed(await why_of(alter=alter))
    assert found.difference is not None
    assert found.difference.recorded != found.difference.decided
    place = found.difference.place
    assert found.difference.recorded[:place] == found.difference.decided[:place]


async def test_the_first_difference_is_named_by_its_version() -> None:
    found = await replayed(await why_of(alter=other_agent))
    assert found.difference is not None and found.difference.version == 509
    recorded, decided = (
        facts[found.difference.place] for facts in (found.difference.recorded, found.difference.decided)
    )
    assert isinstance(recorded, ContactOffered) and isinstance(decided, ContactOffered)
    assert (recorded.agent, decided.agent) == ("agent-3", "agent-8")


async def test_a_beginning_that_does_not_match_its_digest_is_told_of() -> None:
    """Kernel rule 19"""

    def forge(message: RoutingEvent) -> None:
        if message.HasField("pool_opened"):
            message.pool_opened.state_digest = b"forged" * 5

    found = await replayed(await why_of(alter=forge))
    assert found.difference is not None and found.difference.reason == "CARRY_NOT_SOUND"


async def test_an_unknown_day_or_pool_is_not_found() -> None:
    why = await why_of()
    with pytest.raises(NotFound):
        await replay_day(why.history, POOL, "2026-11-24")


# -- days -------------------------------------------------------------------------------------------------------------


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def two_days(bench: Bench) -> Why:
    """Noon of one day until after midnight, with a contact waiting and one assigned over it."""
    owner, world = bench.owner(), bench.world
    async with bench.running(owner):
        await bench.give(owner, *world.joined("a1"), *world.queued("c1"), *world.queued("c2"))
        bench.advance(13 * 3600 * 1000)
        await bench.give(owner, *world.queued("c3"), *world.not_ready("a1"))
    await Pools(bench.store.views).put(BENCH_POOL)
    return looking_back_at(bench.store)


async def test_the_state_at_the_end_of_a_day_is_proved_by_the_next_days_beginning(bench: Bench) -> None:
    """Kernel rule 19: the digest of the following chapter is decided again too."""
    why = await two_days(bench)
    first = await replayed(why, "2025-06-16")
    second = await replayed(why, "2025-06-17")
    assert first.identical and first.closed
    assert second.identical and not second.closed


async def test_a_carry_that_was_cut_off_by_a_crash_is_no_difference(bench: Bench) -> None:
    """Kernel rule 19: an incomplete carry is ignored and begun again by the next owner."""
    owner, world = bench.owner(), bench.world
    async with bench.running(owner):
        await bench.give(owner, *world.joined("a1"), *world.queued("c1"))
    rows = await bench.rows()
    bench.advance(13 * 3600 * 1000)
    dying = bench.owner("dying", events=_Cutting(bench.store.events))
    with pytest.raises(ConnectionError):
        async with bench.running(dying) as task:
            dying.put(world.queued("c2")[0])
            await task
    assert len(await bench.rows()) > len(rows)
    heir = bench.owner("heir")
    async with bench.running(heir):
        await bench.give(heir, *world.queued("c4"))
    await Pools(bench.store.views).put(BENCH_POOL)
    why = looking_back_at(bench.store)
    started = [event for event, _ in await bench.history() if isinstance(event, PoolDayStarted)]
    opened = [event for event, _ in await bench.history() if isinstance(event, PoolOpened)]
    assert (len(started), len(opened)) == (3, 2), "one carry was cut off"
    assert (await replayed(why, "2025-06-16")).identical
    assert (await replayed(why, "2025-06-17")).identical


class _Cutting:
    """A store whose owner dies in the middle of a carry."""

    def __init__(self, events: object) -> None:
        self._events = events

    def __getattr__(self, name: str) -> object:
        return getattr(self._events, name)

    async def append(self, stream: object, expected: int, batch_id: str, rows: list) -> int:
        kinds = [row.type.rpartition(".")[2] for row in rows]
        if "PoolDayStarted" not in kinds:
            return await self._events.append(stream, expected, batch_id, rows)  # type: ignore[attr-defined]
        await self._events.append(stream, expected, batch_id, rows[:1])  # type: ignore[attr-defined]
        raise ConnectionError


# -- the command line --------------------------------------------------------------------------------------------------


@pytest.fixture
async def store(tmp_path: Path) -> Path:
    opened = await open_sqlite(tmp_path / "routing.db")
    await keep(opened, messages(DEMO))
    await opened.close()
    return tmp_path


@pytest.fixture
async def altered(tmp_path: Path) -> Path:
    history = messages(DEMO)
    for message in history:
        other_agent(message)
    opened = await open_sqlite(tmp_path / "altered" / "routing.db")
    await keep(opened, history)
    await opened.close()
    return tmp_path / "altered"


Told = Callable[..., tuple[int, str, str]]


@pytest.fixture
def routing(capfd: pytest.CaptureFixture[str]) -> Told:
    """``python -m routing`` with arguments: its exit code, what it printed, and what it said on stderr."""

    def told(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            sys.exit(app(arguments))
        return (int(ended.value.code or 0), *capfd.readouterr())

    return told


@pytest.mark.parametrize("seed", ["0", "1", "4711"])
def test_replay_and_why_do_not_depend_on_the_hash_seed(store: Path, seed: str) -> None:
    """RT-10: nothing rests on the order of a set or dict that hashing could change."""
    code = f"""
import sys
from routing.__main__ import app
for asked in (['replay', 'front', '{DATE}', '--json', '--progress', 'none'], ['why', '{MISSED}']):
    try:
        app([*asked, '--store', sys.argv[1]])
    except SystemExit as ended:
        if ended.code:
            raise
"""
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONUTF8": "1"}
    command = [sys.executable, "-c", code, str(store)]
    done = subprocess.run(command, cwd=SERVICE, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert '"identical": true' in done.stdout and '"events": 1007' in done.stdout
    assert done.stdout.count("Decided again: identical.") == 8


def test_a_diverging_day_ends_with_1_and_shows_both_decisions(altered: Path, routing: Told) -> None:
    code, out, said = routing("replay", "front", DATE, "--store", str(altered), "--json", "--progress", "json")
    assert code == 1
    difference = json.loads(out)["difference"]
    agents = [difference[name][difference["place"]]["data"]["agent"] for name in ("recorded", "decided")]
    assert agents == ["agent-3", "agent-8"]
    assert json.loads(said.splitlines()[-1]) == {"done": 1010, "of": 1010}


def test_a_difference_is_printed_for_people(altered: Path, routing: Told) -> None:
    code, out, _ = routing("replay", "front", DATE, "--store", str(altered), "--progress", "none")
    assert code == 1 and "DIVERGED at version 509" in out and "events/s" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["replay", "front", "2026-11-24"], "has no day 2026-11-24; it has 2026-11-25"),
        (["replay", "back", DATE], "not found: pool back"),
        (["why", "nobody"], "not found: contact nobody"),
        (["why"], "ask about a CONTACT, or --queue Q --at TIME, or --agent A"),
        (["why", "--queue", "sales", "--at", "noon"], "'noon' is no time"),
        (["what-if", "front", DATE, "--policy", "best@1"], "--policy best@1: one of"),
        (["what-if", "front", DATE, "--config", "missing.yaml"], "missing.yaml"),
    ],
)
def test_bad_input_ends_with_2_and_says_why(store: Path, routing: Told, arguments: list[str], words: str) -> None:
    code, out, said = routing(*arguments, "--store", str(store))
    assert code == 2 and words in said and out == ""


def test_a_store_that_is_not_there_is_bad_input(tmp_path: Path, routing: Told) -> None:
    code, _, said = routing("replay", "front", DATE, "--store", str(tmp_path))
    assert code == 2 and "no store at" in said


def test_a_store_is_looked_at_and_left_as_it_was(store: Path, routing: Told) -> None:
    """Service running or not: the file is opened read only."""
    before = (store / "routing.db").read_bytes()
    assert routing("why", MISSED, "--store", str(store))[0] == 0
    assert (store / "routing.db").read_bytes() == before


def test_why_is_told_in_chinese_on_the_command_line(store: Path, routing: Told) -> None:
    """PL-7"""
    code, out, _ = routing("why", MISSED, "--lang", "zh", "--store", str(store))
    assert code == 0 and "重新执行: 完全一致" in out and "agent-8" in out


def test_a_queue_and_an_agent_are_explained_on_the_command_line(store: Path, routing: Told) -> None:
    at = "2026-11-25T11:04:50"  # on the wall in Shanghai, where the pool's day begins
    queue = routing("why", "--queue", "sales", "--at", at, "--store", str(store), "--json")[1]
    agent = routing("why", "--agent", "agent-8", "--last", "3", "--store", str(store), "--json")[1]
    assert json.loads(queue)["at"] == "2026-11-25T03:04:50.000Z" and len(json.loads(agent)["decisions"]) == 3
