"""Facts of agents (``agent.events.v1``) into folds of their ledgers (AG-6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from google.protobuf.message import DecodeError

from contactcenter.agent.v1 import events_pb2 as pb
from switchlog.errors import Poison

from ..app.ports import Read
from ..domain import ledger
from ..domain.ledger import BREAK, CHECKED_IN, IN, NOT_WRITTEN, OUT, Clerk, Out
from ..domain.levels import CellKey, leg_key
from ..domain.states import States
from ..wire import CHANNELS, MODES, STATES, happened_at

TOPIC = "agent.events.v1"

Handler = Callable[[Clerk, Out, int, Any], None]


def read(value: bytes | None) -> pb.AgentEvent:
    """The value as an event; raises ``Poison("UNDECODABLE")``."""
    try:
        return pb.AgentEvent.FromString(value or b"")
    except DecodeError as error:
        raise Poison("UNDECODABLE", str(error)) from error


def needed(found: Iterable[Read]) -> set[CellKey]:
    """No counters: contributions wait for theirs."""
    return set()


def fold(board: States[Clerk], found: Iterable[Read]) -> None:
    """Change the ledgers that ``found`` tells of."""
    for event, kind, key, offset in found:
        meta, clerk = event.meta, board.states[key]
        out: Out = []
        if kind:
            fact = getattr(event, kind)
            before, slots, at = ledger.standing(clerk), clerk.slots, ledger.instant(clerk, happened_at(meta))
            clerk.pool, clerk.team = fact.pool or clerk.pool, fact.team
            if kind in _FACTS:
                _FACTS[kind](clerk, out, at, fact)
            ledger.move_on(clerk, out, before, slots, at)
        board.happened(key, clerk, meta.version, offset, out)


def _present(presence: int) -> Handler:
    def present(clerk: Clerk, out: Out, at: int, fact: Any) -> None:
        clerk.presence, clerk.ready, clerk.reason, clerk.planned = presence, False, "", False

    return present


def _checked_in(clerk: Clerk, out: Out, at: int, fact: pb.AgentCheckedIn) -> None:
    _present(CHECKED_IN)(clerk, out, at, fact)
    clerk.mode = MODES.get(fact.mode, "")


def _ready(clerk: Clerk, out: Out, at: int, fact: pb.AgentReady) -> None:
    clerk.presence, clerk.ready, clerk.reason, clerk.planned = CHECKED_IN, True, "", False


def _not_ready(clerk: Clerk, out: Out, at: int, fact: pb.AgentNotReady) -> None:
    clerk.presence, clerk.ready, clerk.reason, clerk.planned = CHECKED_IN, False, fact.reason, fact.planned


def _joined(clerk: Clerk, out: Out, at: int, fact: pb.JoinedPool) -> None:
    """Whoever begins to read in the middle of an agent's life learns here where the agent stands."""
    if clerk.seen or not fact.HasField("standing"):
        return
    standing = fact.standing
    state = STATES.get(standing.state, "")
    clerk.presence = {"unspecified": OUT, "signed_out": OUT, "signed_in": IN}.get(state, CHECKED_IN)
    clerk.ready, clerk.reason = standing.takes_offers, BREAK if state == BREAK else ""
    clerk.mode, clerk.slots = MODES.get(standing.mode, ""), _slots(standing.capacities)


def _slots(capacities: Iterable[pb.ChannelCapacity]) -> int:
    return sum(one.slots for one in capacities if CHANNELS.get(one.channel, "") not in NOT_WRITTEN)


def _able(clerk: Clerk, out: Out, at: int, fact: pb.CapacitySet) -> None:
    clerk.slots = _slots(fact.capacities)


def _started(clerk: Clerk, out: Out, at: int, fact: pb.WorkStarted) -> None:
    ledger.work_started(clerk, out, at, leg_key(fact.contact, fact.leg), fact.queue, _channel(fact))


def _ended(clerk: Clerk, out: Out, at: int, fact: pb.WorkEnded) -> None:
    if not fact.wrap_up_follows:
        ledger.work_ended(clerk, out, at, leg_key(fact.contact, fact.leg))


def _wrapping(clerk: Clerk, out: Out, at: int, fact: pb.WrapUpStarted) -> None:
    ledger.wrap_up_started(clerk, out, at, leg_key(fact.contact, fact.leg), fact.queue, _channel(fact))


def _wrapped(clerk: Clerk, out: Out, at: int, fact: pb.WrapUpEnded) -> None:
    ledger.work_ended(clerk, out, at, leg_key(fact.contact, fact.leg))


def _channel(fact: pb.WorkStarted | pb.WrapUpStarted) -> str:
    return CHANNELS.get(fact.channel, "unspecified")


_FACTS: Mapping[str, Handler] = {
    "joined_pool": _joined,
    "capacity_set": _able,
    "agent_signed_in": _present(IN),
    "agent_checked_in": _checked_in,
    "agent_ready": _ready,
    "agent_not_ready": _not_ready,
    "agent_checked_out": _present(IN),
    "agent_signed_out": _present(OUT),
    "work_started": _started,
    "work_ended": _ended,
    "wrap_up_started": _wrapping,
    "wrap_up_ended": _wrapped,
    "help_requested": lambda clerk, out, at, fact: ledger.help_asked(clerk, out, at),
    "help_given": lambda clerk, out, at, fact: ledger.help_given(clerk, out, at, fact.waited_ms),
}
