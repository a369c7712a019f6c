"""Agents told apart by expressions (RT-4), with the engine of production."""

from __future__ import annotations

from collections import Counter

import pytest

from routing.adapters.cel import Cel
from routing.domain import observed as seen
from routing.domain.expressions import Subjects, given_for, value
from routing.domain.replay import replay
from routing.domain.state import Board

from .scene import Scene, only_offer, pairs

CEL = Cel()
ADULT = "agent.level >= 3"


class Counting:
    """Cel that counts what it is asked."""

    engine = CEL.engine

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()

    def error(self, expression: str) -> str:
        return CEL.error(expression)

    def holds(self, expression: str, subjects: Subjects) -> bool:
        self.asked[expression] += 1
        return CEL.holds(expression, subjects)


@pytest.fixture
def pool() -> Scene:
    scene = Scene()
    scene.board.use(CEL)
    return scene


def joins(pool: Scene, agent: str, level: str, **attributes: str) -> list:
    given = tuple(sorted({"level": level, **attributes}.items()))
    return pool.later(1).joins(agent, attributes=given)


def test_only_agents_of_whom_the_expression_holds_are_offered_the_contact(pool: Scene) -> None:
    """RT-4 expression targeting."""
    pool.queue("q1", targeting=ADULT)
    joins(pool, "a1", "2")
    joins(pool, "a2", "3")
    joins(pool, "a3", "10")
    assert [only_offer(pool.queued(c)).agent for c in ("c1", "c2")] == ["a2", "a3"]
    assert pairs(pool.queued("c3")) == []


def test_the_decision_says_which_engine_had_a_say(pool: Scene) -> None:
    """RT-10: another engine may decide otherwise."""
    pool.queue("q1", targeting=ADULT)
    joins(pool, "a1", "3")
    offer = only_offer(pool.queued("c1"))
    assert offer.policy == f"longest-idle@1+{CEL.engine}"
    assert only_offer([*pool.queued("c2", "q2"), *joins(pool, "a2", "1")]).policy == "longest-idle@1"


def test_an_error_or_a_missing_attribute_is_no_match(pool: Scene) -> None:
    """A broken rule keeps agents back, it never breaks the pool."""
    pool.queue("q1", targeting="agent.nothing.at.all == 1 / 0")
    joins(pool, "a1", "3")
    assert pairs(pool.queued("c1")) == []


def test_an_expression_may_compare_agent_and_contact(pool: Scene) -> None:
    """RT-4: ``contact`` has the declared attributes of the contact."""
    pool.queue("q1", targeting="agent.region == contact.region")
    joins(pool, "a1", "3", region="north")
    joins(pool, "a2", "3", region="south")
    asked = {"c1": "south", "c2": "north", "c3": "west"}
    got = [pairs(pool.queued(c, attributes=(("region", region),))) for c, region in asked.items()]
    assert got == [[("c1", "a2")], [("c2", "a1")], []]


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("agent.team == 'team1'", True),
        ("agent.skills.en >= 4", True),
        ("'q1' in agent.queues || size(agent.queues) == 0", True),
        ("agent.id.startsWith('a')", True),
        ("'fr' in agent.languages", True),
        ("agent.languages.exists(l, l == 'de')", False),
        ("agent.vip", True),
        ("agent.zip == '02139'", True),
        ("agent.attributes.zip == '02139'", True),
        ("agent.rank == 7", True),
        ("agent.level", False),
        ("'not a truth value'", False),
    ],
)
def test_what_an_expression_may_ask_of_an_agent(pool: Scene, expression: str, holds: bool) -> None:
    pool.queue("q1", targeting=expression)
    attributes = (("languages", '["en","fr"]'), ("level", "3"), ("vip", "true"), ("zip", "02139"))
    pool.joins("a1", skills=(("en", 4),), attributes=attributes, rank=7)
    assert bool(pairs(pool.queued("c1"))) is holds


def test_a_change_of_the_agents_attributes_counts_at_once(pool: Scene) -> None:
    pool.queue("q1", targeting=ADULT)
    joins(pool, "a1", "2")
    assert pairs(pool.queued("c1")) == []
    assert pairs(pool.agent(seen.AgentRegistered("a1", attributes=(("level", "3"),)))) == [("c1", "a1")]


def test_expressions_are_evaluated_when_an_agent_changes_never_per_decision() -> None:
    """RT-4: once for each agent and expression, whatever is decided by it."""
    pool, engine = Scene(), Counting()
    pool.board.use(engine)
    pool.queue("q1", targeting=ADULT)
    for n in range(5):
        joins(pool, f"a{n}", "3")
    for n in range(20):
        agent = pool.later(1).served(f"c{n}", required_skills=())
        pool.done(f"c{n}", agent)
    assert engine.asked == {ADULT: 5}
    pool.agent(seen.AgentRegistered("a1", attributes=(("level", "4"),)))
    assert engine.asked == {ADULT: 6}


def test_contacts_of_which_nothing_is_asked_share_one_evaluation() -> None:
    assert given_for("agent.a == 1", (("region", "north"),)) == ()
    assert given_for("agent.a == contact.b", (("region", "north"),)) == (("region", "north"),)
    assert given_for("agent.contacts == 1", (("region", "north"),)) == ()


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("agent.level >", "line 1, column 14"),
        ("agent.level >= 3 &&\n  || true", "line 2, column 3"),
        ("agents.level > 3", "'agents' is none of agent, contact, queue"),
        ("true" + " || true" * 200, "longer than 1000 characters"),
        ("agent.languages.exists(l, l == 'en') && has(contact.x)", ""),
    ],
)
def test_a_wrong_expression_is_refused_with_its_place(expression: str, said: str) -> None:
    error = CEL.error(expression)
    assert said in error
    assert bool(error) == bool(said)


@pytest.mark.parametrize(
    "expression",
    ["agent.level / 0 == 1", "agent.list[9] == 1", "agent.level + 9223372036854775807 > 0", "agent.x.matches('(')"],
)
def test_what_cannot_be_evaluated_does_not_hold(expression: str) -> None:
    assert not CEL.holds(expression, {"agent": {"level": 1, "list": ["x"], "x": "y"}})


@pytest.mark.parametrize(
    ("text", "read"),
    [
        *(("5", 5), ("-5", -5), ("true", True), ('["a"]', ["a"]), ("1.5", "1.5"), ("02139", "02139")),
        *(("[1]", "[1]"), ("NaN", "NaN"), ("9" * 30, "9" * 30), ("", ""), ("null", "null")),
    ],
)
def test_attributes_are_read_as_whole_numbers_truth_values_lists_or_text(text: str, read: object) -> None:
    assert value(text) == read


def test_targeted_decisions_are_decided_again(pool: Scene) -> None:
    """RT-10."""
    pool.queue("q1", targeting=ADULT)
    joins(pool, "a1", "2")
    joins(pool, "a2", "3")
    pool.served("c1")
    board = Board("t1", "p1", expressions=CEL)
    assert replay(pool.log, board) is None
    assert replay(pool.log, Board("t1", "p1")) is not None
