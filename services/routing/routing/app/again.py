"""Turns of a log decided again, with everybody who was looked at: what an explanation is made of (RT-10)."""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, replace

from switchlog.envelope import StreamId

from ..domain.decide import decide_one
from ..domain.events import ContactDequeued, ContactOffered, Event
from ..domain.evolve import evolve
from ..domain.members import Contact, Phase
from ..domain.replay import input_of
from ..domain.state import Board
from .candidates import Candidate, candidates, could_have
from .history import Turn

AHEAD_KEPT = 50


@dataclass(frozen=True, slots=True)
class Ahead:
    """An offer of ``contact`` to an agent who could have had the one that is explained, and why that one came first."""

    version: int
    at: int
    contact: str
    agent: str
    reason: str


@dataclass(frozen=True, slots=True)
class Decision:
    """One fact about what is explained, as recorded and as decided again from the same board and input.

    ``decided`` is ``None`` when the re-execution makes no such fact; ``identical`` is about the whole turn. ``contact``
    is as it stood: before an offer and before it left, else after. ``candidates`` are empty where no agent was looked
    for. ``ahead`` are the first of the ``ahead_count`` who were served first since the last decision.
    """

    pool: StreamId
    version: int
    at: int
    event: Event
    decided: Event | None
    identical: bool
    cause: Event
    cause_version: int
    policy: str
    contact: Contact | None
    candidates: tuple[Candidate, ...] = ()
    ahead: tuple[Ahead, ...] = ()
    ahead_count: int = 0


class Again:
    """Folds the recorded ``turns``; those with one of ``versions`` are decided again. ``watched``: a contact's id."""

    def __init__(self, pool: StreamId, board: Board, versions: frozenset[int], watched: str = "") -> None:
        self.pool, self.board, self.decisions = pool, board, list[Decision]()
        self._versions, self._watched = versions, watched
        self._ahead: list[Ahead] = []
        self._ahead_count = 0

    def take(self, turn: Turn) -> None:
        if self._versions.isdisjoint(turn.versions):
            for event, version in zip(turn.events, turn.versions, strict=True):
                self._happen(event, version, turn.at)
        else:
            self._explain(turn)

    def _happen(self, event: Event, version: int, at: int) -> None:
        self._watch(event, version, at)
        evolve(self.board, event, at)

    def _explain(self, turn: Turn) -> None:
        decided = decide_one(input_of(turn.events[0]), twin(self.board), turn.at)
        identical = tuple(decided) == turn.events
        for n, (event, version) in enumerate(zip(turn.events, turn.versions, strict=True)):
            before = self._looked_at(event, turn.at) if isinstance(event, ContactOffered | ContactDequeued) else None
            self._happen(event, version, turn.at)
            if version in self._versions:
                contact, looked_at = before or self._still_waiting(event, turn.events[n + 1 :], turn.at)
                same = _placed(decided[n], turn.versions[0]) if n < len(decided) else None
                self._decided(turn, event, version, same, identical, contact, looked_at)

    def _looked_at(
        self, event: ContactOffered | ContactDequeued, at: int
    ) -> tuple[Contact | None, Sequence[Candidate]]:
        contact = self.board.contacts.get(event.contact)
        if contact is None or (contact.rings and isinstance(event, ContactDequeued)):
            return deepcopy(contact), ()
        return deepcopy(contact), candidates(self.board, contact, at, event.agent)

    def _still_waiting(
        self, event: Event, later: Sequence[Event], at: int
    ) -> tuple[Contact | None, Sequence[Candidate]]:
        """Who was looked at without success, unless the same turn offers it to somebody."""
        contact = self.board.contacts.get(getattr(event, "contact", ""))
        offered = any(isinstance(one, ContactOffered) and contact and one.contact == contact.id for one in later)
        if contact is None or contact.phase is not Phase.WAITING or offered:
            return deepcopy(contact), ()
        return deepcopy(contact), candidates(self.board, contact, at)

    def _decided(
        self,
        turn: Turn,
        event: Event,
        version: int,
        decided: Event | None,
        identical: bool,
        contact: Contact | None,
        looked_at: Sequence[Candidate],
    ) -> None:
        by = self.board.policy_for(contact).name if contact else self.board.policy_name
        policy = getattr(event, "policy", "") or by
        cause, cause_version = turn.events[0], turn.versions[0]
        ahead, count = tuple(self._ahead), self._ahead_count
        self._ahead, self._ahead_count = [], 0
        seen = (contact, tuple(looked_at), ahead, count)
        told = (self.pool, version, turn.at, event, decided, identical, cause, cause_version, policy)
        self.decisions.append(Decision(*told, *seen))

    def _watch(self, event: Event, version: int, at: int) -> None:
        """Note who is served although the watched contact waits for the same agent."""
        watched = self.board.contacts.get(self._watched)
        if watched is None or watched.phase is not Phase.WAITING or not isinstance(event, ContactOffered):
            return
        other = self.board.contacts.get(event.contact)
        if other and other.id != watched.id and could_have(self.board, watched, event.agent):
            self._ahead_count += 1
            if len(self._ahead) < AHEAD_KEPT:
                reason = came_first(other, watched, event.agent)
                self._ahead.append(Ahead(version, at, other.id, event.agent, reason))


def _placed(event: Event, first: int) -> Event:
    """With the version of its cause, which is known only when a fact is stored."""
    if not isinstance(event, ContactOffered):
        return event
    return replace(event, explanation=replace(event.explanation, cause_version=first))


def came_first(other: Contact, watched: Contact, agent: str) -> str:
    """What put ``other`` before ``watched`` for ``agent``."""
    if other.preferred_agent == agent:
        return "PREFERRED_AGENT"
    if other.attempts and not watched.attempts:
        return "BACK_AT_HEAD"
    if other.priority > watched.priority:
        return "PRIORITY"
    if other.queued_at - other.credit_ms < watched.queued_at - watched.credit_ms:
        return "WAITED_LONGER"
    return "POLICY"


def twin(board: Board) -> Board:
    """A second board in the same state, to go on separately; its index is built anew, as after a takeover."""
    copied = deepcopy(board, {id(shared): shared for shared in (board.lines, board.expressions)})
    copied.reindex()
    return copied
