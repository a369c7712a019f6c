"""Simulated visitors and agents, who use the same public APIs as real ones: sockets, offers, messages, wrap-up.

Runs as its own process and prints one JSON line a second: what it did, which offers reached an agent's screen and when.
"""

import asyncio
import json
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2 as httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import WebSocketException

from switchlog_local.demo.plan import url

SUBPROTOCOL = "switchlog.chat.v1"
QUESTIONS = (
    "Hello, I have a question about my order.",
    "您好，我想查一下订单。",
    "My parcel is late.",
    "我的快递还没到。",
)
MORE = ("The number is on the invoice.", "发票上有号码。", "Take your time.", "谢谢。")
REPLIES = ("Hello! I am looking into it.", "您好，我来帮您看一下。", "It is on its way.", "已经发出了。")
AWAY = (httpx.HTTPError, WebSocketException, OSError, TimeoutError, EOFError)


@dataclass(frozen=True)
class Crowd:
    """`rate` contacts a minute; mean seconds of a conversation, of patience, of wrap-up; `tokens` by agent id."""

    rate: float
    tokens: dict[str, str]
    site_keys: tuple[str, ...]
    contact_seconds: float
    patience_seconds: float = 60
    wrap_up_seconds: float = 2


@dataclass
class Diary:
    """What happened since the last line."""

    did: Counter[str] = field(default_factory=Counter)
    offers_seen: list[tuple[str, int]] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def line(self) -> str:
        text = json.dumps({"did": self.did, "offers_seen": self.offers_seen, "errors": self.errors[-20:]})
        self.offers_seen, self.errors = [], []
        return text


class Api:
    """Requests with a token, repeated with the same key while the other side says `not now`."""

    def __init__(self, client: httpx.AsyncClient, token: str = "") -> None:
        self._client = client
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    async def post(self, service: str, path: str, body: Any = None, tries: int = 8) -> httpx.Response:
        headers = self._headers | {"idempotency-key": uuid4().hex}
        for attempt in range(tries):
            answer = await self._post(url(service) + path, headers, body)
            if answer is not None and not _worth_asking_again(answer):
                return answer
            await asyncio.sleep(min(0.2 * 2**attempt, 3))
        raise TimeoutError(f"{service}{path} stayed unavailable")

    async def _post(self, address: str, headers: dict[str, str], body: Any) -> httpx.Response | None:
        try:
            return await self._client.post(address, headers=headers, json=body)
        except httpx.HTTPError:
            return None

    async def ticket(self, service: str) -> str:
        answer = await self.post(service, "/v1/tickets")
        answer.raise_for_status()
        return str(answer.json()["ticket"])


def _worth_asking_again(answer: httpx.Response) -> bool:
    return answer.status_code in (429, 502, 503) or (
        answer.status_code == 409 and answer.json().get("reason") == "NOT_CONNECTED_YET"
    )


@asynccontextmanager
async def socket(api: Api, service: str, path: str, **options: Any) -> AsyncIterator[ClientConnection]:
    """A WebSocket opened with a one-time ticket."""
    address = f"{url(service).replace('http', 'ws', 1)}{path}?ticket={await api.ticket(service)}"
    async with connect(address, max_size=2**20, **options) as opened:
        yield opened


class Visitor:
    """Comes, asks twice, waits or loses patience, talks, and sometimes leaves first."""

    def __init__(self, client: httpx.AsyncClient, crowd: Crowd, diary: Diary, chance: random.Random) -> None:
        self._client = client
        self._crowd = crowd
        self._diary = diary
        self._chance = chance
        self._sent = 0

    async def live(self) -> None:
        body = {"site_key": self._chance.choice(self._crowd.site_keys), "locale": self._chance.choice(("en", "zh-CN"))}
        answer = await Api(self._client).post("ingress_chat", "/v1/visitors", body)
        answer.raise_for_status()
        self._diary.did["visitors"] += 1
        api = Api(self._client, answer.json()["token"])
        async with socket(api, "ingress_chat", "/v1/ws", subprotocols=[SUBPROTOCOL]) as opened:
            await self._say(opened, self._chance.choice(QUESTIONS))
            await self._say(opened, self._chance.choice(MORE))
            await self._converse(opened)

    async def _converse(self, opened: ClientConnection) -> None:
        patience = self._chance.expovariate(1 / self._crowd.patience_seconds) + 2
        if not await self._until(opened, "connected", patience):
            self._diary.did["lost_patience"] += 1
            await self._leave(opened)
            return
        leaves = self._chance.random() < 0.3
        stay = (
            self._chance.expovariate(1 / self._crowd.contact_seconds)
            if leaves
            else 10 * self._crowd.contact_seconds + 60
        )
        if not await self._until(opened, "ended", stay):
            await self._leave(opened)

    async def _until(self, opened: ClientConnection, state: str, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                async for text in opened:
                    frame = json.loads(text)
                    if frame["type"] == "status" and frame["data"]["state"] in (state, "ended"):
                        return True
                    if frame["type"] == "message" and frame["data"]["from"] == "agent" and self._chance.random() < 0.5:
                        await self._say(opened, self._chance.choice(MORE))
        except TimeoutError:
            return False
        return True

    async def _say(self, opened: ClientConnection, text: str) -> None:
        self._sent += 1
        self._diary.did["visitor_messages"] += 1
        await opened.send(_frame("message", {"kind": "text", "text": text}))

    async def _leave(self, opened: ClientConnection) -> None:
        await opened.send(_frame("end", {}))
        await self._until(opened, "ended", 5)


class Agent:
    """Signs in, takes offers after a moment, talks, ends, wraps up. State is the server's: lost sockets reopen."""

    def __init__(self, id: str, client: httpx.AsyncClient, crowd: Crowd, diary: Diary, chance: random.Random) -> None:
        self.id = id
        self._api = Api(client, crowd.tokens[id])
        self._crowd = crowd
        self._diary = diary
        self._chance = chance
        self._busy: dict[str, asyncio.Task[None]] = {}

    async def live(self) -> None:
        for step, body in (("sign-in", None), ("check-in", {"mode": "web"}), ("ready", None)):
            await self._command(step, body)
        while True:
            await _tolerant(self._work, self._diary, f"agent {self.id}")
            await asyncio.sleep(0.5)

    async def leave(self) -> None:
        for step in ("not-ready", "check-out", "sign-out"):
            await self._command(
                step, {"reason": "shift_over", "planned": True} if step == "not-ready" else None, tries=1
            )

    async def _work(self) -> None:
        async with socket(self._api, "agent_state", "/v1/agents/me/ws") as opened:
            async for text in opened:
                self._see(json.loads(text), int(time.time() * 1000))

    def _see(self, frame: dict[str, Any], arrived_ms: int) -> None:
        match frame["type"]:
            case "snapshot":
                for offer in frame["data"]["offers"]:
                    self._offered(offer, arrived_ms)
                for contact in frame["data"]["contacts"]:
                    self._begin(contact["contact"], self._talk(contact["contact"]))
            case "offer":
                self._offered(frame["data"], arrived_ms)
            case "contact" if frame["data"]["state"] == "assigned":
                self._begin(frame["data"]["contact"], self._talk(frame["data"]["contact"]))
            case "contact" if frame["data"]["state"] == "wrap_up":
                self._begin(f"wrap {frame['data']['contact']}", self._wrap_up(frame["data"]["contact"]))
            case "state" if frame["data"]["state"] == "not_ready" and frame["data"].get("reason") == "no_answer":
                self._begin("back", self._come_back())
            case _:
                pass

    def _offered(self, offer: dict[str, Any], arrived_ms: int) -> None:
        self._diary.offers_seen.append((offer["offer_id"], arrived_ms))
        self._begin(offer["offer_id"], self._accept(offer["offer_id"]))

    def _begin(self, what: str, doing: Any) -> None:
        if what in self._busy and not self._busy[what].done():
            doing.close()
            return
        self._busy[what] = asyncio.create_task(_tolerant(lambda: doing, self._diary, f"agent {self.id}"))
        self._busy[what].add_done_callback(lambda _: self._busy.pop(what, None))

    async def _accept(self, offer_id: str) -> None:
        await asyncio.sleep(self._chance.uniform(0.1, 1.0))
        if self._chance.random() < 0.02:
            return  # looked away: the offer expires
        answer = await self._api.post("routing", f"/v1/offers/{offer_id}:accept")
        self._diary.did["accepted" if answer.status_code == 200 else "too_late"] += 1

    async def _talk(self, contact: str) -> None:
        """Write now and then, open a ticket sometimes, end."""
        ends = time.monotonic() + self._chance.expovariate(1 / self._crowd.contact_seconds)
        while True:
            await asyncio.sleep(min(3.0, max(0.2, ends - time.monotonic())))
            if time.monotonic() >= ends:
                break
            body = {"message_id": uuid4().hex, "kind": "text", "text": self._chance.choice(REPLIES)}
            answer = await self._api.post("ingress_chat", f"/v1/contacts/{contact}/messages", body)
            if answer.status_code == 409:
                return  # the customer left
            self._diary.did["agent_messages"] += 1
        if self._chance.random() < 0.2:
            await self._open_ticket(contact)
        await self._api.post("ingress_chat", f"/v1/contacts/{contact}:end")

    async def _open_ticket(self, contact: str) -> None:
        answer = await self._api.post("ticketing", "/v1/tickets", {"contact": contact, "subject": "Follow up 跟进"})
        self._diary.did["tickets" if answer.is_success else "tickets_refused"] += 1

    async def _wrap_up(self, contact: str) -> None:
        await asyncio.sleep(self._chance.expovariate(1 / self._crowd.wrap_up_seconds))
        await self._command("end-wrap-up", {"contact": contact})

    async def _come_back(self) -> None:
        await asyncio.sleep(3)
        await self._command("ready", None)

    async def _command(self, step: str, body: Any, tries: int = 8) -> None:
        answer = await self._api.post("agent_state", f"/v1/agents/me:{step}", body, tries)
        if not answer.is_success and answer.status_code != 409:
            self._diary.errors.append(f"agent {self.id} {step}: {answer.status_code} {answer.text[:120]}")


async def live(crowd: Crowd, seed: int | None = None) -> None:
    """Everybody, until cancelled; agents sign out at the end."""
    diary, chance = Diary(), random.Random(seed)
    async with httpx.AsyncClient(timeout=10, limits=httpx.Limits(max_connections=200)) as client:
        agents = [Agent(id, client, crowd, diary, random.Random(chance.random())) for id in crowd.tokens]
        try:
            async with asyncio.TaskGroup() as group:
                for agent in agents:
                    group.create_task(_tolerant(agent.live, diary, f"agent {agent.id}"))
                group.create_task(_arrivals(client, crowd, diary, chance))
                group.create_task(_report(diary))
        finally:
            await asyncio.wait_for(asyncio.gather(*(agent.leave() for agent in agents), return_exceptions=True), 4)
            print(diary.line(), flush=True)


async def _arrivals(client: httpx.AsyncClient, crowd: Crowd, diary: Diary, chance: random.Random) -> None:
    async with asyncio.TaskGroup() as visitors:
        while True:
            await asyncio.sleep(chance.expovariate(crowd.rate / 60))
            visitor = Visitor(client, crowd, diary, random.Random(chance.random()))
            visitors.create_task(_tolerant(visitor.live, diary, "visitor"))


async def _report(diary: Diary) -> None:
    while True:
        await asyncio.sleep(1)
        print(diary.line(), flush=True)


async def _tolerant(doing: Callable[[], Awaitable[None]], diary: Diary, who: str) -> None:
    """People shrug at a lost connection and say so; anything else is a bug and stays one."""
    try:
        await doing()
    except AWAY as error:
        diary.errors.append(f"{who}: {type(error).__name__} {error}"[:200])


def _frame(kind: str, data: dict[str, str]) -> str:
    return json.dumps({"type": kind, "id": uuid4().hex, "seq": 0, "data": data})


def main() -> None:
    """Reads a `Crowd` as JSON from standard input."""
    given = json.load(sys.stdin)
    crowd = Crowd(**given | {"site_keys": tuple(given["site_keys"])})
    with asyncio.Runner() as runner:
        try:
            runner.run(live(crowd))
        except KeyboardInterrupt:
            return


if __name__ == "__main__":
    main()
