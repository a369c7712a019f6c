"""Listens to the telephone switch: one event after the other, each handled before the next."""

from __future__ import annotations

import asyncio

from switchlog.decider import Rejected
from switchlog.errors import NotFound, NotNow, VersionConflict
from switchlog.log import get_logger

from ..app.calls import Calls
from ..app.ports import SwitchEvent

TRY_AGAIN_S = 0.5

log = get_logger(__name__)


async def listen(calls: Calls) -> None:
    """Until cancelled."""
    async for event in calls.switch.events():
        while not await _handled(calls, event):
            await asyncio.sleep(TRY_AGAIN_S)


async def _handled(calls: Calls, event: SwitchEvent) -> bool:
    try:
        await calls.happened(event)
    except (NotNow, VersionConflict) as later:
        log.info("switch_event_waits", event_type=type(event).__name__, reason=later.reason)
        return False
    except (Rejected, NotFound) as refusal:
        log.info("switch_event_refused", event_type=type(event).__name__, call=event.call, reason=refusal.reason)
    return True
