"""What the switch reports, and what agents ask for, as commands to the call's stream."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import assert_never

from switchlog.clock import Clock
from switchlog.decider import Rejected
from switchlog.envelope import Cause, StreamId
from switchlog.errors import NotFound
from switchlog.ids import derived
from switchlog.log import get_logger
from switchlog.telemetry import current_traceparent
from switchlog.writer import Answer, Writer

from ..domain.commands import (
    AnswerBySystem,
    CallCommand,
    ConnectAgent,
    GiveUpCall,
    HangUpAgent,
    HangUpCaller,
    HoldCall,
    Place,
    QueueCall,
    ResumeCall,
    StartCall,
    TakeMessage,
)
from ..domain.events import CallEvent, EndReason
from ..domain.state import AfterAgent, CallState, Ended, Leaving, NotStarted, Ringing, Talking, Waiting
from .ports import (
    AgentAnswered,
    AgentHungUp,
    CallArrived,
    Caller,
    CallerHungUp,
    CallIds,
    Customers,
    EntryPoint,
    EntryPoints,
    OpeningHours,
    Queues,
    Ring,
    SwitchEvent,
    TelephoneSwitch,
)

SERVICE = "ingress_voice"
DAY_MS = 24 * 3600 * 1000

Known = Ringing | Waiting | Talking | AfterAgent | Leaving | Ended

log = get_logger(__name__)


@dataclass(frozen=True)
class Calls:
    """Each call raises ``Rejected``, ``NotFound`` or ``NotNow``; a repeated event of the switch changes nothing."""

    calls: Writer[CallCommand, CallState, CallEvent]
    switch: TelephoneSwitch
    entry_points: EntryPoints
    queues: Queues
    customers: Customers
    ids: CallIds
    clock: Clock
    hours: OpeningHours

    async def happened(self, event: SwitchEvent) -> None:
        """Something at the switch."""
        match event:
            case CallArrived():
                await self._arrived(event)
            case AgentAnswered(call, agent, offer_id):
                contact = await self._contact(call)
                ring = await self.ids.ring(contact.key, offer_id)
                await self._give(contact, "answered", ConnectAgent(ring.leg, agent, ring.team, offer_id), offer_id)
            case AgentHungUp(call, agent):
                await self._report(call, "agent_hung_up", HangUpAgent(agent), agent)
            case CallerHungUp(call, lost):
                await self._report(call, "caller_hung_up", HangUpCaller(lost))
            case _:
                assert_never(event)

    async def state(self, contact: StreamId) -> CallState:
        """Raises ``NotFound``."""
        return await self._known(contact)

    async def hold(self, contact: StreamId, agent: str, cause: Cause, *, held: bool) -> Answer:
        """Durable first, then the switch: a repeat sets the switch right again."""
        await self.state(contact)
        answer = await self.calls.execute(contact, HoldCall(agent) if held else ResumeCall(agent), cause)
        await self.switch.hold(await self._call(contact), held=held)
        return answer

    async def end_by_agent(self, contact: StreamId, agent: str, cause: Cause) -> Answer:
        """The agent's leg ends, and the caller's line with it."""
        await self.state(contact)
        answer = await self.calls.execute(contact, HangUpAgent(agent), cause)
        await self.switch.hang_up(await self._call(contact))
        return answer

    async def ring(self, contact: StreamId, ring: Ring, agent: str, offer_id: str) -> None:
        """Raises ``NotFound`` for a contact that is no call of this switch, ``NotNow`` while the switch is away."""
        call = await self._call(contact)
        await self.ids.rang(contact.key, offer_id, ring, self.clock.now())
        await self.switch.ring_agent(call, agent, offer_id)

    async def _arrived(self, event: CallArrived) -> None:
        try:
            door = await self.entry_points.by_number(event.called)
        except NotFound:
            await self.switch.hang_up(event.call)
            raise
        contact_id = derived(door.tenant, "call", event.call)
        contact = StreamId(door.tenant, f"contact-{contact_id}")
        await self.ids.remember(event.call, door.tenant, contact_id, self.clock.now())
        caller = await self.customers.by_phone(door.tenant, event.caller, derived(contact.key, "customer"))
        start = StartCall(door.id, caller.customer_ref, event.called, event.trunk, event.call)
        await self._give(contact, "arrived", start)
        await self._give(contact, "greeted", AnswerBySystem(door.greeting))
        if not await self._is_open(door) and door.when_closed != "queue":
            return await self._closed(door, contact, event.call)
        try:
            place = await self._place(door, caller)
        except Rejected as refusal:
            log.info("call_not_queued", contact=contact.name, reason=refusal.reason)
            await self.switch.hang_up(event.call)
            return
        await self._give(contact, "queued", QueueCall(place))

    async def hang_up(self, contact: StreamId) -> None:
        """Drop the line; nothing to do when it is gone."""
        await self.switch.hang_up(await self._call(contact))

    async def take_message(self, contact: StreamId) -> None:
        await self.switch.take_message(await self._call(contact))

    async def own_priority(self, contact: StreamId) -> int:
        """What the entry point adds to the queue's; 0 when it is not there any more."""
        line = (await self._known(contact)).line
        try:
            return (await self.entry_points.get(contact.tenant, line.entry_point)).priority
        except NotFound:
            return 0

    async def _known(self, contact: StreamId) -> Known:
        state = (await self.calls.state(contact)).state
        if isinstance(state, NotStarted):
            raise NotFound(detail=contact.name)
        return state

    async def _place(self, door: EntryPoint, caller: Caller) -> Place:
        """Raises ``Rejected``."""
        queue = door.queue if await self._is_open(door) else door.closed_queue or door.queue
        place = self.queues.place(door.tenant, queue, door.priority)
        if self.clock.now() - caller.served_at > door.last_agent_days * DAY_MS:
            return place
        return replace(place, preferred_agent=caller.last_agent, preferred_agent_ms=door.last_agent_wait_s * 1000)

    async def _is_open(self, door: EntryPoint) -> bool:
        return not door.hours or (await self.hours.get(door.tenant, door.hours)).is_open(self.clock.now())

    async def _closed(self, door: EntryPoint, contact: StreamId, call: str) -> None:
        """RT-6: the fact first, then the switch."""
        if door.when_closed == "message":
            await self._give(contact, "closed", TakeMessage())
            await self.switch.take_message(call)
        else:
            await self._give(contact, "closed", GiveUpCall(0, EndReason.BLOCKED))
            await self.switch.hang_up(call)

    async def _report(self, call: str, what: str, command: CallCommand, n: str = "") -> None:
        await self._give(await self._contact(call), what, command, n)

    async def _give(self, contact: StreamId, what: str, command: CallCommand, n: str = "") -> None:
        cause = Cause(
            derived(contact.key, what, n), "", SERVICE, correlation_id=contact.name, traceparent=current_traceparent()
        )
        await self.calls.execute(contact, command, cause)

    async def _contact(self, call: str) -> StreamId:
        tenant, contact = await self.ids.contact(call)
        return StreamId(tenant, f"contact-{contact}")

    async def _call(self, contact: StreamId) -> str:
        return await self.ids.call(contact.tenant, contact.name.removeprefix("contact-"))


def described(state: CallState) -> dict[str, object]:
    """A call's phase as JSON."""
    phase: dict[str, object] = {"state": type(state).__name__.lower()}
    match state:
        case Waiting(_, leg, queue, pool) | AfterAgent(_, leg, queue, pool, _):
            return phase | {"leg": leg, "queue": queue, "pool": pool}
        case Talking(_, leg, queue, pool, agent, team, held):
            return phase | {"leg": leg, "queue": queue, "pool": pool, "agent": agent, "team": team, "held": held}
        case _:
            return phase
