"""A board as facts and back: what a day begins with, so that a fold may start there (rule 19)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, fields, replace
from functools import lru_cache
from itertools import chain
from operator import attrgetter, itemgetter
from typing import Any, TypeVar

from routing.domain.definitions import Hours, Queue, Target, Workflow
from routing.domain.events import Event, PoolCarried, PoolDayStarted, PoolOpened
from routing.domain.members import Agent, Contact, Demand, Phase
from routing.domain.observed import Capacity
from routing.domain.plans import Plan
from routing.domain.state import Board
from routing.domain.surge import Crowd

T = TypeVar("T")

# How many of each make a piece that stays well below 100 KiB.
QUEUES, AGENTS, CONTACTS, FINALITIES, COMMANDS, HOURS, WORKFLOWS, CROWDS = 40, 60, 200, 1000, 2000, 20, 20, 4
FIRST_OF_QUEUE = (
    *("id", "open", "offer_timeout_ms", "threshold_ms", "short_abandon_ms", "credit_ms"),
    *("required_skills", "not_ready_on_no_answer", "definition"),
)

LATER_OF_CONTACT = (
    *("own_skills", "attributes", "origin_queue", "steps_done", "target"),
    *("estimated_wait_p50_ms", "estimated_wait_p90_ms"),
)


def chapter(board: Board, date: str, carry_id: str, time_zone: str) -> list[Event]:
    """The facts that open a local day: its start, the board in pieces, and the digest they must add up to."""
    pieces = list(_pieces(board, carry_id))
    return [
        PoolDayStarted(date, carry_id, time_zone),
        *pieces,
        PoolOpened(date, carry_id, digest(board), len(pieces)),
    ]


def joined(tenant: str, pool: str, pieces: Sequence[PoolCarried], opened: PoolOpened) -> Board | None:
    """The board that a chapter carries, as after ``opened``; ``None`` unless complete and true to its digest."""
    if len(pieces) != opened.pieces or not pieces:
        return None
    board = Board(tenant, pool, generation=pieces[0].generation, policy_name=pieces[0].policy)
    board.queues = {queue.id: queue for piece in pieces for queue in piece.queues}
    board.agents = {agent.id: agent for piece in pieces for agent in map(_apart, piece.agents)}
    board.contacts = {contact.id: contact for piece in pieces for contact in map(_contact_apart, piece.contacts)}
    board.finalities = {(queue, end): (queue, end, t) for piece in pieces for queue, end, t in piece.finalities}
    board.commands = dict.fromkeys(chain.from_iterable(piece.commands for piece in pieces))
    board.parameters = pieces[0].parameters
    board.chosen = {queue: (policy, given) for queue, policy, given in pieces[0].chosen}
    board.hours = {hours.id: hours for piece in pieces for hours in piece.hours}
    board.workflows = {workflow.id: workflow for piece in pieces for workflow in piece.workflows}
    board.calendars = dict(chain.from_iterable(piece.calendars for piece in pieces))
    board.origins = dict(chain.from_iterable(piece.origins for piece in pieces))
    board.turns, board.share_clock = pieces[0].turns, pieces[0].share_clock
    board.shares = dict(pieces[0].shares)
    board.learned = {(queue, priority): replace(one) for piece in pieces for queue, priority, one in piece.learned}
    board.crowds = {queue: _crowd_apart(one) for piece in pieces for queue, one in piece.crowds}
    _connect(board)
    if digest(board) != opened.state_digest:
        return None
    board.date = opened.date
    board.reindex()
    return board


def pack(board: Board) -> bytes:
    """Canonical JSON of all that decisions rest on: equal boards give equal bytes, whatever the process."""
    state = {
        "generation": board.generation,
        "policy": board.policy_name,
        "queues": [_queue(queue) for _, queue in sorted(board.queues.items())],
        "agents": [_agent(agent) for _, agent in sorted(board.agents.items())],
        "contacts": [_contact(contact) for _, contact in sorted(board.contacts.items())],
        "finalities": sorted(board.finalities.values()),
        "commands": list(board.commands),
        **_said("parameters", board.parameters),
        **_said("chosen", sorted(board.chosen.items())),
        **_said("hours", [_defined(one) for _, one in sorted(board.hours.items())]),
        **_said("workflows", [_defined(one) for _, one in sorted(board.workflows.items())]),
        **_said("calendars", [(queue, asdict(one)) for queue, one in sorted(board.calendars.items())]),
        **_said("origins", list(board.origins.items())),
        **_said("turns", board.turns),
        **_said("shares", sorted(board.shares.items())),
        **_said("share_clock", board.share_clock),
        **_said("learned", [(*key, asdict(one)) for key, one in sorted(board.learned.items())]),
        **_said("crowds", [(queue, _crowd(one)) for queue, one in sorted(board.crowds.items(), key=itemgetter(0))]),
    }
    return json.dumps(state, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _said(key: str, value: Any) -> dict[str, Any]:
    """What came after the first logs is said only where it is something: their digests stand."""
    return {key: value} if value else {}


def _queue(queue: Queue) -> dict[str, Any]:
    shown = asdict(queue)
    first = {key: shown[key] for key in FIRST_OF_QUEUE} | {"definition": queue.definition.hex()}
    return first | ({} if queue.definition else {key: value for key, value in shown.items() if value})


def _defined(one: Hours | Workflow) -> dict[str, Any]:
    return asdict(one) | {"definition": one.definition.hex()}


def _crowd(crowd: Crowd) -> dict[str, Any]:
    return asdict(crowd) | {"minutes": sorted(crowd.minutes.items()), "quarters": sorted(crowd.quarters.items())}


def _agent(agent: Agent) -> dict[str, Any]:
    work = {key: _shallow(one) for key, one in agent.work.items()}
    shown = _shallow(agent) | {"capacity": _capacity(agent.capacity), "work": work}
    for key in ("rank", "ranks", "attributes", "turn"):
        shown |= _said(key, shown.pop(key))
    return shown


@lru_cache(maxsize=1000)
def _capacity(capacity: Capacity) -> dict[str, Any]:
    """Most agents have one of a few."""
    shown = asdict(capacity)
    return shown | _said("interruptible", shown.pop("interruptible"))


def _contact(contact: Contact) -> dict[str, Any]:
    """The first offer stands by itself, as when there could be no other; so does what every demand asks."""
    shown, plain = _shallow(contact), Demand(contact.queue, contact.channel, contact.required)
    for key in LATER_OF_CONTACT:
        shown |= _said(key, shown.pop(key))
    del shown["plan"]
    shown |= _said("plan", _plan(contact.plan))
    rings = [_shallow(ring) for ring in shown.pop("rings").values()]
    shown |= _shallow(contact.ring) | _said("rings", rings[1:])
    shown |= {"required": shown.pop("demand")[2]} | ({} if contact.demand == plain else {"demand": contact.demand})
    return shown


@lru_cache(maxsize=1000)
def _plan(plan: Plan) -> dict[str, Any]:
    """Many contacts have one plan."""
    return asdict(plan) if plan else {}


def _shallow(one: Any) -> dict[str, Any]:
    """``asdict`` without copies, which are most of its time: for what holds no dataclasses and is written at once."""
    names, values = _fields(one.__class__)
    return dict(zip(names, values(one), strict=True))


@lru_cache(maxsize=100)
def _fields(shape: Any) -> tuple[tuple[str, ...], attrgetter[tuple[Any, ...]]]:
    names = tuple(one.name for one in fields(shape))
    return names, attrgetter(*names)


def digest(board: Board) -> bytes:
    return hashlib.sha256(pack(board)).digest()


def _connect(board: Board) -> None:
    """What contacts and agents say of each other is carried once, with the contact."""
    for contact in board.contacts.values():
        for ring in contact.rings.values() if contact.phase is Phase.OFFERED else ():
            board.offers[ring.offer_id] = contact.id
            board.agents[ring.agent].offers[ring.offer_id] = contact.channel
        for agent in contact.declined_by:
            board.agents[agent].declined[contact.id] = None


def _pieces(board: Board, carry_id: str) -> Iterator[PoolCarried]:
    """At least one piece; each says by which policies and in whose generation."""
    whole = {
        "generation": board.generation,
        "policy": board.policy_name,
        "parameters": board.parameters,
        "chosen": tuple((queue, *how) for queue, how in sorted(board.chosen.items())),
        "turns": board.turns,
        "shares": tuple(sorted(board.shares.items())),
        "share_clock": board.share_clock,
    }
    for n, part in enumerate([*_parts_of(board)] or [{}], 1):
        yield PoolCarried(carry_id, n, **whole, **part)  # type: ignore[arg-type]


def _apart(agent: Agent) -> Agent:
    """As it is now, whatever comes: a fact does not change. What it says of contacts is carried with them."""
    skills, ranks, work = dict(agent.skills), dict(agent.ranks), {key: replace(one) for key, one in agent.work.items()}
    return replace(agent, skills=skills, ranks=ranks, work=work, offers={}, declined={})


def _contact_apart(contact: Contact) -> Contact:
    return replace(contact, rings=dict(contact.rings), declined_by=dict(contact.declined_by))


def _crowd_apart(crowd: Crowd) -> Crowd:
    return replace(crowd, minutes=dict(crowd.minutes), quarters=dict(crowd.quarters))


def _parts_of(board: Board) -> Iterator[dict[str, Any]]:
    """In the order in which they were carried first; what came later stands at the end."""
    kinds: dict[str, tuple[Sequence[Any], int]] = {
        "queues": (_by_id(board.queues), QUEUES),
        "agents": ([*map(_apart, _by_id(board.agents))], AGENTS),
        "contacts": ([*map(_contact_apart, _by_id(board.contacts))], CONTACTS),
        "finalities": (sorted(board.finalities.values()), FINALITIES),
        "commands": (list(board.commands), COMMANDS),
        "hours": (_by_id(board.hours), HOURS),
        "workflows": (_by_id(board.workflows), WORKFLOWS),
        "calendars": (sorted(board.calendars.items(), key=itemgetter(0)), FINALITIES),
        "origins": (list(board.origins.items()), FINALITIES),
        "learned": (
            [(*key, replace(one)) for key, one in sorted(board.learned.items(), key=itemgetter(0))],
            FINALITIES,
        ),
        "crowds": ([(id, _crowd_apart(one)) for id, one in sorted(board.crowds.items(), key=itemgetter(0))], CROWDS),
    }
    for kind, (items, size) in kinds.items():
        for part in _parts(items, size):
            yield {kind: part}


def _by_id(items: Mapping[str, T]) -> list[T]:
    return [one for _, one in sorted(items.items(), key=itemgetter(0))]


def _parts(items: Sequence[T], size: int) -> Iterator[tuple[T, ...]]:
    """Pieces of ``size``, fewer where they are heavy."""
    part: list[T] = []
    heavy = 0
    for one in items:
        weight = _weight(one)
        if part and heavy + weight > size:
            yield tuple(part)
            part, heavy = [], 0
        part.append(one)
        heavy += weight
    if part:
        yield tuple(part)


def _weight(one: Any) -> int:
    """How many plain ones it counts as: a plan or a definition may be large."""
    if isinstance(one, Contact):
        return 1 + 2 * len(one.plan.steps) + sum(1 + _long(aim.target) for aim in one.plan.aims)
    if isinstance(one, Workflow):
        return 1 + sum(map(_long, one.targets))
    return 1 + len(one.definition) // 2500 if isinstance(one, Queue | Hours) else 1


def _long(target: Target) -> int:
    """Expressions may have 4 096 characters."""
    return (len(target.expression) + len(target.skip_if)) // 400
