"""A telephone switch that plays a script: for tests and for trying rules out without a telephone.

The script is JSON lines in order of ``at_s`` (seconds from the start):
``{"at_s": 0.5, "do": "arrive", "call": "c1", "called": "4001", "caller": "+8613900000000", "trunk": "t1"}``,
``{"at_s": 9, "do": "agent_hangs_up", "call": "c1"}`` or
``{"at_s": 9, "do": "caller_hangs_up", "call": "c1", "lost": false}``.
A ringing agent picks up after ``answer_after_s``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Literal

import msgspec

from ..app.ports import AgentAnswered, AgentHungUp, CallArrived, CallerHungUp, SwitchEvent


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One line of a script."""

    at_s: float
    do: Literal["arrive", "agent_hangs_up", "caller_hangs_up"]
    call: str
    called: str = ""
    caller: str = ""
    trunk: str = ""
    lost: bool = False


def read_script(path: Path) -> list[Step]:
    """The steps, checked; raises ``ValueError`` naming the line."""
    steps = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            steps += [msgspec.json.decode(line, type=Step)] if line.strip() else []
        except msgspec.MsgspecError as error:
            raise ValueError(f"{path}, line {number}: {error}") from None
    return sorted(steps, key=lambda step: step.at_s)


class ScriptedSwitch:
    """Plays ``steps`` once; remembers which agent talks in which call, and rings each offer once."""

    def __init__(self, steps: list[Step], answer_after_s: float = 0.2) -> None:
        self._steps = steps
        self._answer_after_s = answer_after_s
        self._events: asyncio.Queue[SwitchEvent] = asyncio.Queue()
        self._rung: set[str] = set()
        self._gone: set[str] = set()
        self._agents: dict[str, str] = {}
        self._ringing: set[asyncio.Task[None]] = set()
        self.held: dict[str, bool] = {}
        self.messages: set[str] = set()

    async def events(self) -> AsyncIterator[SwitchEvent]:
        playing = asyncio.create_task(self._play())
        try:
            while True:
                yield await self._events.get()
        finally:
            for task in (playing, *self._ringing):
                task.cancel()

    async def ring_agent(self, call: str, agent: str, offer_id: str) -> None:
        if offer_id not in self._rung and call not in self._gone:
            self._rung.add(offer_id)
            task = asyncio.create_task(self._pick_up(call, agent, offer_id))
            self._ringing.add(task)
            task.add_done_callback(self._ringing.discard)

    async def hold(self, call: str, *, held: bool) -> None:
        self.held[call] = held

    async def take_message(self, call: str) -> None:
        self.messages.add(call)

    async def hang_up(self, call: str) -> None:
        self._end(call, CallerHungUp(call))

    async def _pick_up(self, call: str, agent: str, offer_id: str) -> None:
        await asyncio.sleep(self._answer_after_s)
        if call not in self._gone:
            self._agents[call] = agent
            self._events.put_nowait(AgentAnswered(call, agent, offer_id))

    async def _play(self) -> None:
        began = asyncio.get_running_loop().time()
        for step in self._steps:
            await asyncio.sleep(max(0.0, began + step.at_s - asyncio.get_running_loop().time()))
            self._do(step)

    def _do(self, step: Step) -> None:
        match step.do:
            case "arrive":
                self._events.put_nowait(CallArrived(step.call, step.called, step.caller, step.trunk))
            case "agent_hangs_up" if agent := self._agents.get(step.call):
                self._events.put_nowait(AgentHungUp(step.call, agent))
            case "caller_hangs_up":
                self._end(step.call, CallerHungUp(step.call, step.lost))
            case _:
                return  # nobody had answered: there is nobody to hang up

    def _end(self, call: str, event: CallerHungUp) -> None:
        if call not in self._gone:
            self._gone.add(call)
            self._events.put_nowait(event)
