"""A board as facts and back: what a day begins with, so that a fold may start there (rule 19)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import asdict
from itertools import chain
from typing import TypeVar

from routing.domain.events import Event, PoolCarried, PoolDayStarted, PoolOpened
from routing.domain.members import Phase
from routing.domain.state import Board

T = TypeVar("T")

# How many of each make a piece that stays well below 100 KiB.
QUEUES, AGENTS, CONTACTS, FINALITIES, COMMANDS = 40, 60, 200, 1000, 2000


def chapter(board: Board, date: str, carry_id: str, time_zone: str) -> list[Event]:
    """The facts that open a local day: its start, the board in pieces, and the digest they must add up to."""
    pieces = list(_pieces(deepcopy(board), carry_id))
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
    board.agents = {agent.id: agent for piece in pieces for agent in deepcopy(piece.agents)}
    board.contacts = {contact.id: contact for piece in pieces for contact in deepcopy(piece.contacts)}
    board.finalities = {(queue, end): (queue, end, t) for piece in pieces for queue, end, t in piece.finalities}
    board.commands = dict.fromkeys(chain.from_iterable(piece.commands for piece in pieces))
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
        "queues": [asdict(queue) | {"definition": queue.definition.hex()} for _, queue in sorted(board.queues.items())],
        "agents": [asdict(agent) for _, agent in sorted(board.agents.items())],
        "contacts": [asdict(contact) for _, contact in sorted(board.contacts.items())],
        "finalities": sorted(board.finalities.values()),
        "commands": list(board.commands),
    }
    return json.dumps(state, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def digest(board: Board) -> bytes:
    return hashlib.sha256(pack(board)).digest()


def _connect(board: Board) -> None:
    """What contacts and agents say of each other is carried once, with the contact."""
    for contact in board.contacts.values():
        if contact.phase is Phase.OFFERED:
            board.offers[contact.offer_id] = contact.id
            board.agents[contact.agent].offers[contact.offer_id] = contact.channel
        for agent in contact.declined_by:
            board.agents[agent].declined[contact.id] = None


def _pieces(board: Board, carry_id: str) -> Iterator[PoolCarried]:
    """At least one piece; each says by which policy and in whose generation."""
    for agent in board.agents.values():
        agent.offers, agent.declined = {}, {}
    parts = [
        *({"queues": part} for part in _parts([q for _, q in sorted(board.queues.items())], QUEUES)),
        *({"agents": part} for part in _parts([a for _, a in sorted(board.agents.items())], AGENTS)),
        *({"contacts": part} for part in _parts([c for _, c in sorted(board.contacts.items())], CONTACTS)),
        *({"finalities": part} for part in _parts(sorted(board.finalities.values()), FINALITIES)),
        *({"commands": part} for part in _parts(list(board.commands), COMMANDS)),
    ] or [{}]
    for n, part in enumerate(parts, 1):
        yield PoolCarried(carry_id, n, board.generation, board.policy_name, **part)  # type: ignore[arg-type]


def _parts(items: Sequence[T], size: int) -> Iterator[tuple[T, ...]]:
    return (tuple(items[i : i + size]) for i in range(0, len(items), size))
