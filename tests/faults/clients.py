"""Clients that insist: the same command under the same key until it is answered; and the book of what they know."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from .lives import Address, Died

INSIST_WITHIN_S = 60.0
PAUSE_S = 0.004


@dataclass(frozen=True)
class Question:
    stream: str
    key: str
    do: str
    by: str

    def asked(self) -> dict[str, str]:
        return {"stream": self.stream, "key": self.key, "do": self.do, "by": self.by}


@dataclass
class Book:
    """What the clients of one round were told. ``versions`` is the answer to each acknowledged command."""

    versions: dict[Question, int] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    unknown: int = 0
    later: int = 0
    stored_before: int = 0
    done_by_retry: int = 0
    contradictions: list[str] = field(default_factory=list)


class Clients:
    """``count`` clients on ``streams`` streams, each with one command under way at a time."""

    def __init__(self, address: Address, name: str, *, count: int = 8, streams: int = 12) -> None:
        self.book, self.name = Book(), name
        self.streams = [f"count-{name}-{n}" for n in range(streams)]
        self._address, self._count = address, count
        self._open = asyncio.Event()
        self._stop = False
        self._chance = random.Random(name)
        self._working: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._open.set()
        self._working = [asyncio.create_task(self._work(n)) for n in range(self._count)]

    async def finish(self) -> None:
        """Everybody ends with the command that is under way, answered."""
        self._stop = True
        await asyncio.gather(*self._working)

    async def _work(self, me: int) -> None:
        n = 0
        while not self._stop:
            n += 1
            await self._next(me, n)
            await asyncio.sleep(PAUSE_S)

    async def _next(self, me: int, n: int) -> None:
        key = f"{self.name}-{me}-{n}"
        if n % 4:
            await self.insist(Question(self._chance.choice(self.streams), key, "count", key), me)
            return
        # one seat for all: whoever gets it gives it back
        seat = f"count-{self.name}-seat"
        if await self.insist(Question(seat, key, "take", f"client{me}-{n}"), me):
            await self.insist(Question(seat, f"{key}-back", "leave", f"client{me}-{n}"), me)

    async def insist(self, question: Question, me: int = 0) -> bool:
        """Ask until answered; True when it was done, False when it was refused."""
        unknown = False
        async with asyncio.timeout(INSIST_WITHIN_S):
            while True:
                reply = await self._asked(question, me)
                if "version" in reply:
                    self._note(question, reply, unknown)
                    return True
                if "refused" in reply:
                    self.book.refused[reply["refused"]] += 1
                    return False
                unknown = unknown or reply["unknown"]
                await asyncio.sleep(0.02)

    async def _asked(self, question: Question, me: int) -> dict[str, Any]:
        line = await self._address.line(me)
        try:
            reply = await line.ask(question.asked())
        except Died:
            reply = {"later": "DIED", "unknown": True}
        if "later" in reply:
            self.book.unknown += reply["unknown"]
            self.book.later += not reply["unknown"]
        return reply

    def _note(self, question: Question, reply: dict[str, Any], unknown: bool) -> None:
        self.book.versions[question] = reply["version"]
        if unknown:
            self.book.stored_before += reply["repeated"]
            self.book.done_by_retry += not reply["repeated"]
        elif reply["repeated"]:
            self.book.contradictions.append(f"{question.key}: answered as a repeat when asked for the first time")

    async def ask_again(self, most: int = 60) -> None:
        """The same key gives the same answer; with another body it is refused (kernel rule 6)."""
        known = list(self.book.versions.items())[-200:]
        chosen = self._chance.sample(known, min(most, len(known)))
        for question, version in chosen:
            reply = await self._asked(question, 0)
            if reply.get("version") != version or not reply.get("repeated"):
                self.book.contradictions.append(f"{question.key}: {version}, asked again {reply}")
        for question, _ in chosen[:3]:
            other = Question(question.stream, question.key, question.do, "somebody-else")
            reply = await self._asked(other, 0)
            if reply.get("refused") != "IDEMPOTENCY_KEY_REUSED":
                self.book.contradictions.append(f"{question.key} with another body: {reply}")
