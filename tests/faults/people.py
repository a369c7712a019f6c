"""Visitors and agents who never give up: the same command under the same key until it is answered."""

from __future__ import annotations

import asyncio
import json
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2 as httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

SUBPROTOCOL = "switchlog.chat.v1"
INSIST_WITHIN_S = 90.0
AWAY = (httpx.HTTPError, WebSocketException, OSError, TimeoutError, EOFError)


@dataclass(frozen=True)
class Done:
    """An acknowledged command: where it stands, and when it was asked for the last time, epoch ms."""

    what: str
    stream: str
    version: int
    asked_at: int
    unknown: bool


@dataclass(frozen=True)
class Asked:
    """One try: when (epoch ms), whom, and the answer after ``took`` seconds; status 0 is none."""

    at: int
    service: str
    path: str
    status: int
    took: float
    retry_after: bool


@dataclass
class Book:
    """What the people asked and were told."""

    done: list[Done] = field(default_factory=list)
    contacts: set[str] = field(default_factory=set)
    said: dict[str, str] = field(default_factory=dict)  # id of an acknowledged message -> contact
    refused: Counter[str] = field(default_factory=Counter)
    asked: list[Asked] = field(default_factory=list)
    unknown: int = 0
    later: int = 0
    stuck: list[str] = field(default_factory=list)


class Person:
    """Requests with one token; ``url(service)`` is where it answers."""

    def __init__(self, plan: Any, http: httpx.AsyncClient, book: Book, token: str = "") -> None:
        self.plan, self.http, self.book = plan, http, book
        self.headers = {"authorization": f"Bearer {token}"} if token else {}

    async def post(self, service: str, path: str, body: Any = None) -> httpx.Response:
        """The final answer, whatever happens in between."""
        key, unknown = uuid4().hex, False
        async with asyncio.timeout(INSIST_WITHIN_S):
            while True:
                asked_at = int(time.time() * 1000)
                answer, lost = await self._asked(service, path, body, key)
                if answer is not None and not _ask_again(answer):
                    self._note(service, path, answer, asked_at, unknown)
                    return answer
                unknown = unknown or lost
                self.book.unknown += lost
                self.book.later += not lost
                await asyncio.sleep(0.2)

    async def _asked(self, service: str, path: str, body: Any, key: str) -> tuple[httpx.Response | None, bool]:
        """The answer, if any; and whether it may have been done without one."""
        try:
            answer = await self.once(service, path, body, key)
        except httpx.ConnectError:
            return None, False
        except httpx.HTTPError:
            return None, True
        return answer, answer.status_code == 503 and answer.json().get("reason") == "OUTCOME_UNKNOWN"

    async def once(self, service: str, path: str, body: Any, key: str) -> httpx.Response:
        """One try, written down."""
        began, at = time.monotonic(), int(time.time() * 1000)
        status, retry_after = 0, False
        try:
            headers = self.headers | {"idempotency-key": key}
            answer = await self.http.post(self.plan.url(service) + path, headers=headers, json=body)
            status, retry_after = answer.status_code, "retry-after" in answer.headers
            return answer
        finally:
            self.book.asked.append(Asked(at, service, path, status, time.monotonic() - began, retry_after))

    def _note(self, service: str, path: str, answer: httpx.Response, asked_at: int, unknown: bool) -> None:
        if not answer.is_success:
            self.book.refused[f"{service} {answer.status_code} {answer.json().get('reason')}"] += 1
        elif "version" in (said := answer.json()):
            self.book.done.append(Done(path, said["stream"], said["version"], asked_at, unknown))

    @asynccontextmanager
    async def socket(self, service: str, path: str, **options: Any) -> AsyncIterator[ClientConnection]:
        ticket = (await self.post(service, "/v1/tickets")).json()["ticket"]
        address = f"{self.plan.url(service, 'ws')}{path}?ticket={ticket}"
        async with connect(address, max_size=2**20, proxy=None, open_timeout=5, **options) as opened:
            yield opened


def _ask_again(answer: httpx.Response) -> bool:
    """It says itself that it may be another one soon: nobody serves, or the contact is being connected."""
    if answer.status_code in (429, 502, 503):
        return True
    return answer.status_code == 409 and answer.json().get("reason") == "NOT_CONNECTED_YET"


class Visitor:
    """Comes in, asks, asks once more when somebody is there, and stays until it is over."""

    def __init__(self, stranger: Person, site_key: str) -> None:
        self._stranger, self._site_key = stranger, site_key
        self._unsaid: dict[str, str] = {}
        self._thanked = self.ended = False
        self.contact = ""

    async def live(self) -> None:
        begun = await self._stranger.post("ingress_chat", "/v1/visitors", {"site_key": self._site_key, "locale": "en"})
        self.contact = begun.json()["contact_id"]
        book = self._stranger.book
        book.contacts.add(self.contact)
        self.person = Person(self._stranger.plan, self._stranger.http, book, begun.json()["token"])
        self._say("Where is my parcel?")
        try:
            async with asyncio.timeout(INSIST_WITHIN_S):
                while not self.ended:
                    await _shrugging(self._converse())
        except TimeoutError:
            book.stuck.append(f"contact-{self.contact} was not over after {INSIST_WITHIN_S:.0f} s")

    def _say(self, text: str) -> None:
        self._unsaid[uuid4().hex] = text

    async def _converse(self) -> None:
        async with self.person.socket("ingress_chat", "/v1/ws", subprotocols=[SUBPROTOCOL]) as opened:
            await self._send_all(opened)
            async for text in opened:
                await self._hear(opened, json.loads(text))
                if self.ended:
                    return

    async def _send_all(self, opened: ClientConnection) -> None:
        for id, text in self._unsaid.items():
            frame = {"type": "message", "id": id, "seq": 0, "data": {"kind": "text", "text": text}}
            await opened.send(json.dumps(frame))

    async def _hear(self, opened: ClientConnection, frame: dict[str, Any]) -> None:
        match frame["type"]:
            case "ack":
                if self._unsaid.pop(frame["id"], None):
                    self.person.book.said[frame["id"]] = self.contact
            case "error":
                await asyncio.sleep(0.3)
                await self._send_all(opened)
            case "status" if frame["data"]["state"] == "ended":
                self.ended = True
            case "status" if frame["data"]["state"] == "connected" and not self._thanked:
                self._thanked = True
                self._say("Thank you.")
                await self._send_all(opened)


class Agent:
    """Signs in, takes every offer, answers, ends, wraps up; a lost socket is opened again."""

    def __init__(self, person: Person, chance: random.Random, talk_s: float = 1.0) -> None:
        self._person, self._chance, self._talk_s = person, chance, talk_s
        self._doing: dict[str, asyncio.Task[None]] = {}

    async def live(self) -> None:
        for step in ("sign-in", "check-in", "ready"):
            await self._person.post("agent_state", f"/v1/agents/me:{step}")
        while True:
            await _shrugging(self._work())

    def rest(self) -> None:
        for task in self._doing.values():
            task.cancel()

    async def _work(self) -> None:
        async with self._person.socket("agent_state", "/v1/agents/me/ws") as opened:
            async for text in opened:
                frame = json.loads(text)
                self._see(frame["type"], frame["data"])

    def _see(self, kind: str, data: dict[str, Any]) -> None:
        match kind:
            case "snapshot":
                for offer in data["offers"]:
                    self._see("offer", offer)
                for contact in data["contacts"]:
                    self._see("contact", contact)
                self._see("state", data)
            case "offer":
                self._do(data["offer_id"], self._accept(data["offer_id"]))
            case "contact" if data["state"] in ("assigned", "active"):
                self._do(data["contact"], self._talk(data["contact"]))
            case "contact" if data["state"] == "wrap_up":
                self._do(f"wrap {data['contact']}", self._wrap_up(data["contact"]))
            case "state" if data["state"] == "not_ready" and data.get("reason") == "no_answer":
                self._do("back", self._come_back())

    def _do(self, what: str, doing: Any) -> None:
        if what in self._doing:
            doing.close()
            return
        task = self._doing[what] = asyncio.create_task(_shrugging(doing))
        task.add_done_callback(lambda _: self._doing.pop(what, None))

    async def _accept(self, offer_id: str) -> None:
        await asyncio.sleep(self._chance.uniform(0, 0.3))
        await self._person.post("routing", f"/v1/offers/{offer_id}:accept")

    async def _talk(self, contact: str) -> None:
        await asyncio.sleep(self._chance.uniform(0.3, 1) * self._talk_s)
        answer = {"message_id": uuid4().hex, "kind": "text", "text": "On its way."}
        if (await self._person.post("ingress_chat", f"/v1/contacts/{contact}/messages", answer)).is_success:
            self._person.book.said[answer["message_id"]] = contact
        if self._chance.random() < 0.3:
            await self._person.post("ticketing", "/v1/tickets", {"contact": contact, "subject": "Follow up"})
        await asyncio.sleep(self._chance.uniform(0, 0.5) * self._talk_s)
        await self._person.post("ingress_chat", f"/v1/contacts/{contact}:end")

    async def _wrap_up(self, contact: str) -> None:
        await asyncio.sleep(self._chance.uniform(0, 0.5))
        await self._person.post("agent_state", "/v1/agents/me:end-wrap-up", {"contact": contact})

    async def _come_back(self) -> None:
        await asyncio.sleep(0.5)
        await self._person.post("agent_state", "/v1/agents/me:ready")


async def _shrugging(doing: Any) -> None:
    """A lost connection is no reason to stop."""
    try:
        await doing
    except AWAY:
        await asyncio.sleep(0.2)


class Crowd:
    """``agents`` at their desks, and visitors who keep coming, ``at_once`` of them at a time."""

    def __init__(self, book: Book, agents: Iterable[Agent], visitor: Any, at_once: int, pause_s: float = 0.3) -> None:
        self.book, self._agents, self._visitor = book, list(agents), visitor
        self._at_once, self._pause_s = at_once, pause_s
        self._leaving = asyncio.Event()
        self._working: list[asyncio.Task[None]] = []
        self._coming: list[asyncio.Task[None]] = []

    def start(self) -> None:
        self._working = [asyncio.create_task(agent.live()) for agent in self._agents]
        self._coming = [asyncio.create_task(self._keep_coming()) for _ in range(self._at_once)]

    async def finish(self) -> None:
        """Nobody new comes; who is there is served; then the agents stop."""
        self._leaving.set()
        await asyncio.gather(*self._coming)

    async def stop(self) -> None:
        for task in self._working:
            task.cancel()
        for agent in self._agents:
            agent.rest()
        await asyncio.gather(*self._working, return_exceptions=True)

    async def _keep_coming(self) -> None:
        while not self._leaving.is_set():
            await self._visitor().live()
            await asyncio.sleep(self._pause_s)
