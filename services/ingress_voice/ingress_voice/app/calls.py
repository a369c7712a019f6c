"""What the switch reports, and what agents ask for, as commands to the call's stream."""

from __future__ import annotations

from dataclasses import dataclass
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
    HangUpAgent,
    HangUpCaller,
    HoldCall,
    QueueCall,
    ResumeCall,
    StartCall,
)
from ..domain.events import CallEvent
from ..domain.state import AfterAgent, CallState, NotStarted, Talking, Waiting
from .ports import (
    AgentAnswered,
    AgentHungUp,
    CallArrived,
    CallerHungUp,
    CallIds,
    Customers,
    EntryPoints,
    Queues,
    Ring,
    SwitchEvent,
    TelephoneSwitch,
)

SERVICE = "ingress_voice"

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
        state = (await self.calls.state(contact)).state
        if isinstance(state, NotStarted):
            raise NotFound(detail=contact.name)
        return state

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
        customer_ref = await self.customers.by_phone(door.tenant, event.caller, derived(contact.key, "customer"))
        start = StartCall(door.id, customer_ref, event.called, event.trunk, event.call)
        await self._give(contact, "arrived", start)
        await self._give(contact, "greeted", AnswerBySystem(door.greeting))
        try:
            place = self.queues.place(door.tenant, door.queue, door.priority)
        except Rejected as refusal:
            log.info("call_not_queued", contact=contact.name, reason=refusal.reason)
            await self.switch.hang_up(event.call)
            return
        await self._give(contact, "queued", QueueCall(place))

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
