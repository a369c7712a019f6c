"""The owners of a centre's configuration, asked and told over their public APIs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2
from pydantic import BaseModel

from switchlog.errors import NotNow, Rejected

from ..app.configuration import Change, Json, Place
from . import config_forms as forms
from .definitions import ordered, shown
from .forms import HoursIn, PoolHoursIn, QueueIn, WorkflowIn

AGAIN = frozenset({429, 502, 503})
PATIENCE_S = 60.0
LOOK_PATIENCE_S = 10.0
TIMEOUT_S = 20.0
PAGE = 100


@dataclass(frozen=True)
class Collection:
    """Parts of one kind at one owner: ``form`` says which fields are its own, ``key`` where its id stands."""

    owner: str
    name: str
    form: type[BaseModel]
    key: str
    path: str = ""
    removable: bool = False
    told: Callable[[Json], Json] = field(default=lambda row: row)

    def body(self, row: Json) -> Json:
        """A row of the owner's answer as a part of the configuration."""
        known = {one.alias or name for name, one in self.form.model_fields.items()}
        body = shown(self.form.model_validate({k: v for k, v in self.told(row).items() if k in known}))
        body.pop("channel", None)  # its owner says it
        return ordered(body)


def _agent(row: Json) -> Json:
    return {**row, "pool": row["leaving_to"] or row["pool"]}


def _chat(row: Json) -> Json:
    return {**row, "channel": "chat"}


def _voice(row: Json) -> Json:
    return {**row, "channel": "voice"}


COLLECTIONS = (
    Collection("agent_state", "teams", forms.TeamEntry, "team"),
    Collection("routing", "skills", forms.SkillEntry, "skill"),
    Collection("routing", "hours", PoolHoursIn, "hours", removable=True),
    Collection("ingress_chat", "hours", HoursIn, "id"),
    Collection("ingress_voice", "hours", HoursIn, "id"),
    Collection("routing", "workflows", WorkflowIn, "workflow", removable=True),
    Collection("routing", "queues", QueueIn, "queue", removable=True),
    Collection("routing", "pools", forms.PoolPart, "pool", "policy"),
    Collection("ingress_chat", "entry-points", forms.ChatDoor, "id", told=_chat),
    Collection("ingress_voice", "entry-points", forms.VoiceDoor, "id", told=_voice),
    Collection("agent_state", "agents", forms.AgentEntry, "agent", told=_agent),
)
BY_NAME = {(one.owner, one.name): one for one in COLLECTIONS}


class Owners:
    """``addresses`` by service. Raises ``Rejected`` as an owner does, ``NotNow`` when it stays away for a minute."""

    def __init__(self, addresses: Mapping[str, str], token: str) -> None:
        self._addresses, self._headers = addresses, {"authorization": f"Bearer {token}"}
        self._run = uuid4().hex
        self._client = httpx2.AsyncClient(trust_env=False, timeout=TIMEOUT_S)

    async def __aenter__(self) -> Owners:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def standing(self, collection: Collection) -> dict[Place, Json]:
        """Everything of ``collection``."""
        found = {}
        async for row in self._rows(collection):
            found[Place(collection.owner, collection.name, row[collection.key])] = collection.body(row)
        return found

    async def send(self, change: Change) -> None:
        """One command; a repeat after a lost answer has the same key, another run never has."""
        place = change.place
        path = f"/v1/{place.collection}/{place.id}"
        tail = BY_NAME[place.owner, place.collection].path
        key = f"{self._run}-{place.collection}-{place.id}"
        if change.kind == "removed" and place.collection == "queues":
            await self._asked("POST", place.owner, f"{path}:remove", key, {"reason": "config"})
        elif change.kind == "removed":
            await self._asked("DELETE", place.owner, path, key)
        else:
            await self._asked("PUT", place.owner, f"{path}/{tail}" if tail else path, key, change.body)

    async def _rows(self, collection: Collection) -> AsyncIterator[Json]:
        after = ""
        while True:
            path = f"/v1/{collection.name}?limit={PAGE}&after={after}"
            answer = (await self._asked("GET", collection.owner, path)).json()
            rows = answer if isinstance(answer, list) else answer[collection.name]
            for row in rows:
                yield row
            after = "" if isinstance(answer, list) else answer.get("next") or ""
            if not after:
                return

    async def _asked(self, method: str, owner: str, path: str, key: str = "", body: Any = None) -> httpx2.Response:
        """Asked again while the other side says not now, or is away."""
        headers = self._headers | ({"idempotency-key": key} if key else {})
        patience = PATIENCE_S if key else LOOK_PATIENCE_S
        deadline, wait = asyncio.get_running_loop().time() + patience, 0.2
        while True:
            answer = await self._once(method, self._addresses[owner] + path, headers, body)
            if answer is not None and answer.status_code not in AGAIN:
                return _checked(answer, owner, path)
            if asyncio.get_running_loop().time() > deadline:
                raise NotNow("AWAY", f"{owner} at {self._addresses[owner]} does not answer")
            await asyncio.sleep(wait)
            wait = min(wait * 2, 2.0)

    async def _once(self, method: str, address: str, headers: Mapping[str, str], body: Any) -> httpx2.Response | None:
        try:
            return await self._client.request(method, address, headers=dict(headers), json=body)
        except httpx2.TransportError:
            return None


def _checked(answer: httpx2.Response, owner: str, path: str) -> httpx2.Response:
    if answer.status_code < 400:
        return answer
    try:
        problem = answer.json()
    except ValueError:
        problem = {}
    said = f"{owner} {path.partition('?')[0]}: {answer.status_code} {problem.get('detail') or ''}".strip()
    raise Rejected(str(problem.get("reason") or answer.status_code), said)
