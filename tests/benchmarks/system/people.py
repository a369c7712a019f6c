"""Simulated visitors and agents, light enough to share two cores with what is measured.

Runs as its own process: a `Crowd` in one JSON line, then a line `{"rate", "seconds"}` for each round, which is
answered by a line that tells how it went. `{"stop": true}` ends it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import aiohttp
import uvloop

SUBPROTOCOL = "switchlog.chat.v1"
TALK_S = 0.5  # between the agent's answer and the end
WITHIN_S = 15.0  # after which a visitor gives up and the contact counts as lost
AWAY = (aiohttp.ClientError, TimeoutError, OSError)


@dataclass(frozen=True)
class Crowd:
    """``urls`` by service; agents' tokens by agent id; the public door's key."""

    urls: Mapping[str, str]
    tokens: Mapping[str, str]
    site_key: str


@dataclass
class Round:
    """What one round came to; milliseconds since the epoch for ``seen``, by offer id."""

    did: Counter[str] = field(default_factory=Counter)
    seen: dict[str, int] = field(default_factory=dict)
    errors: Counter[str] = field(default_factory=Counter)


class Api:
    """Posts with a token, again after a moment where that is the thing to do."""

    def __init__(self, session: aiohttp.ClientSession, urls: Mapping[str, str], token: str = "") -> None:
        self._session, self._urls = session, urls
        self._headers = {"authorization": f"Bearer {token}"} if token else {}

    async def post(self, service: str, path: str, body: Any = None) -> dict[str, Any]:
        headers = {**self._headers, "idempotency-key": uuid4().hex}
        for attempt in range(6):
            async with self._session.post(self._urls[service] + path, headers=headers, json=body) as answer:
                if not await _later(answer):
                    return await _read(service, path, answer)
            await asyncio.sleep(0.05 * 2**attempt)
        raise TimeoutError(f"{service} {path.rpartition('/')[2]} stayed unavailable")

    async def socket(self, service: str, path: str, **options: Any) -> aiohttp.ClientWebSocketResponse:
        ticket = (await self.post(service, "/v1/tickets"))["ticket"]
        address = f"{self._urls[service].replace('http', 'ws', 1)}{path}?ticket={ticket}"
        return await self._session.ws_connect(address, **options)


async def _later(answer: aiohttp.ClientResponse) -> bool:
    """Not now; or the conversation's service has not yet heard what the desk has just shown."""
    return answer.status in (429, 503) or (answer.status == 409 and b"NOT_CONNECTED_YET" in await answer.read())


async def _read(service: str, path: str, answer: aiohttp.ClientResponse) -> dict[str, Any]:
    if answer.status >= 400:
        reason = json.loads(await answer.text() or "{}").get("reason", "")
        raise aiohttp.ClientError(f"{service} {path.split('/')[2]} {answer.status} {reason}")
    found: dict[str, Any] = await answer.json()
    return found


class People:
    """Everybody. Agents stay for all rounds; each visitor says one thing, is answered, and is gone."""

    def __init__(self, session: aiohttp.ClientSession, crowd: Crowd) -> None:
        self._session, self._crowd = session, crowd
        self._public = Api(session, crowd.urls)
        self._doing: set[asyncio.Task[None]] = set()
        self.round = Round()

    async def sign_in(self) -> None:
        apis = [Api(self._session, self._crowd.urls, token) for token in self._crowd.tokens.values()]
        await asyncio.gather(*map(self._arrive, apis))

    async def run(self, rate: float, seconds: float) -> Round:
        """An open loop: visitors come at ``rate`` a second however the others fare."""
        self.round = Round()
        began, visitors = time.perf_counter(), []
        for n in range(int(rate * seconds)):
            await asyncio.sleep(max(0.0, began + n / rate - time.perf_counter()))
            visitors.append(asyncio.ensure_future(self._tolerant(self._visit())))
        await asyncio.wait(visitors)
        return self.round

    async def leave(self) -> None:
        for task in self._doing:
            task.cancel()
        await asyncio.gather(*self._doing, return_exceptions=True)

    # -- visitors ------------------------------------------------------------------------------------------------------

    async def _visit(self) -> None:
        self.round.did["started"] += 1
        try:
            async with asyncio.timeout(WITHIN_S):
                await self._converse()
        except TimeoutError:
            self.round.did["lost"] += 1

    async def _converse(self) -> None:
        body = {"site_key": self._crowd.site_key, "locale": "en"}
        begun = await self._public.post("ingress_chat", "/v1/visitors", body)
        api = Api(self._session, self._crowd.urls, begun["token"])
        async with await api.socket("ingress_chat", "/v1/ws", protocols=[SUBPROTOCOL]) as opened:
            words = _text("Where is my parcel?")
            await opened.send_json({"type": "message", "id": uuid4().hex, "seq": 0, "data": words})
            async for message in opened:
                frame = json.loads(message.data)
                if frame["type"] == "error":
                    raise aiohttp.ClientError(f"visitor {frame['data'].get('reason')}")
                if frame["type"] == "status" and frame["data"]["state"] == "ended":
                    self.round.did["ended"] += 1
                    return

    # -- agents --------------------------------------------------------------------------------------------------------

    async def _arrive(self, api: Api) -> None:
        for step in ("sign-in", "check-in", "ready"):
            await api.post("agent_state", f"/v1/agents/me:{step}")
        opened = await api.socket("agent_state", "/v1/agents/me/ws")
        self._begin(self._work(api, opened))

    async def _work(self, api: Api, opened: aiohttp.ClientWebSocketResponse) -> None:
        async for message in opened:
            frame = json.loads(message.data)
            data = frame.get("data", {})
            match frame["type"], data.get("state"):
                case "offer", _:
                    self.round.seen[data["offer_id"]] = int(time.time() * 1000)
                    self._begin(api.post("routing", f"/v1/offers/{data['offer_id']}:accept"))
                case "contact", "assigned":
                    self._begin(self._talk(api, data["contact"]))
                case "contact", "wrap_up":
                    self._begin(api.post("agent_state", "/v1/agents/me:end-wrap-up", {"contact": data["contact"]}))
                case "state", "not_ready":
                    self._begin(api.post("agent_state", "/v1/agents/me:ready"))
                case _:
                    pass

    async def _talk(self, api: Api, contact: str) -> None:
        words = {"message_id": uuid4().hex, **_text("It is on its way.")}
        await self._tolerant(api.post("ingress_chat", f"/v1/contacts/{contact}/messages", words))
        await asyncio.sleep(TALK_S)
        await api.post("ingress_chat", f"/v1/contacts/{contact}:end")

    def _begin(self, doing: Any) -> None:
        task = asyncio.ensure_future(self._tolerant(doing))
        self._doing.add(task)
        task.add_done_callback(self._doing.discard)

    async def _tolerant(self, doing: Any) -> None:
        """People shrug at a refusal; it is counted and told."""
        try:
            await doing
        except AWAY as error:
            self.round.errors[f"{type(error).__name__} {error}"[:120]] += 1


def _text(words: str) -> dict[str, str]:
    return {"kind": "text", "text": words}


async def live() -> None:
    lines = await _lines()
    crowd = Crowd(**json.loads(await lines.readline()))
    connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=60)
    async with aiohttp.ClientSession(connector=connector, timeout=aiohttp.ClientTimeout(total=20)) as session:
        people = People(session, crowd)
        await people.sign_in()
        _say({"signed_in": len(crowd.tokens)})
        while not (asked := json.loads(await lines.readline() or '{"stop": true}')).get("stop"):
            done = await people.run(asked["rate"], asked["seconds"])
            _say({"did": done.did, "seen": done.seen, "errors": done.errors})
        await people.leave()


async def _lines() -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=2**24)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _say(told: Mapping[str, Any]) -> None:
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    uvloop.run(live())
