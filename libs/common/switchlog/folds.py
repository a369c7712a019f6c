"""What a process remembers of an open stream: its state, what it answered whom, and which facts it reacted to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from switchlog.decider import Decider
from switchlog.envelope import Codec, Row, Source

C = TypeVar("C")
S = TypeVar("S")
E = TypeVar("E")

REMEMBERED_COMMANDS = 256

Reactor = tuple[str, str]  # source stream key, name of the reaction
Progress = tuple[int, int]  # source version, n


class BrokenLog(Exception):
    """The store holds a stream with a hole: a bug or a damaged disk, never to be papered over."""


@dataclass(frozen=True, slots=True)
class Remembered:
    """The answer to a command that appended something: the version of its last event."""

    digest: str
    version: int


@dataclass(slots=True)
class Memory:
    """Kernel rules 6 and 7: the last commands; the highest (version, n) reacted to per source stream and reaction."""

    commands: dict[str, Remembered] = field(default_factory=dict)
    reacted: dict[Reactor, Progress] = field(default_factory=dict)

    def learn(self, command_id: str, digest: str, version: int, source: Source | None) -> None:
        """Note that ``command_id`` appended ``version``, its last so far."""
        self.commands.pop(command_id, None)
        self.commands[command_id] = Remembered(digest, version)
        if source is not None:
            who = (source.stream, source.reaction)
            self.reacted[who] = max((source.version, source.n), self.reacted.get(who, (0, 0)))

    def has_reacted(self, source: Source | None) -> bool:
        """Whether this fact, or a later one of its stream, was reacted to before."""
        if source is None:
            return False
        return (source.version, source.n) <= self.reacted.get((source.stream, source.reaction), (0, 0))

    def add(self, newer: Memory) -> None:
        """Take over what ``newer`` learnt since."""
        for command_id, remembered in newer.commands.items():
            self.commands.pop(command_id, None)
            self.commands[command_id] = remembered
        self.reacted.update(newer.reacted)
        self.forget_old()

    def forget_old(self) -> None:
        """Keep the newest ``REMEMBERED_COMMANDS``; a dict keeps the order in which they were learnt."""
        while len(self.commands) > REMEMBERED_COMMANDS:
            del self.commands[next(iter(self.commands))]


@dataclass(slots=True)
class Fold(Generic[S]):
    """An open stream: ``state`` is the fold of rows 1..``head``; ``recorded_at`` that of the last row, epoch ms."""

    state: S
    head: int = 0
    recorded_at: int = 0
    memory: Memory = field(default_factory=Memory)


@dataclass(frozen=True, slots=True)
class Folded(Generic[S]):
    """A stream as others may see it; ``head`` 0 means that it does not exist."""

    state: S
    head: int
    recorded_at: int = 0


def take_rows(fold: Fold[S], rows: Sequence[Row], decider: Decider[C, S, E], codec: Codec[E]) -> None:
    """Fold stored ``rows`` that follow ``fold.head``; raises ``BrokenLog`` when one is missing.

    Forgets no command: after a conflict the whole tail must be known, however many commands it holds.
    """
    for expected, row in enumerate(rows, start=fold.head + 1):
        if row.version != expected:
            raise BrokenLog(f"row {expected} is missing, the next one is {row.version}")
    fold.state = decider.fold(codec.events(rows), fold.state)
    for row in rows:
        fold.memory.learn(row.command_id, row.request_sha256, row.version, Source.parse(row.source))
        fold.head, fold.recorded_at = row.version, row.recorded_at
